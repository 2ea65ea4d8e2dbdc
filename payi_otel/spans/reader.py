"""Span → Ingest event, from the attributes alone: any OTLP backend that kept them can do the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, cast

from opentelemetry.sdk.trace import ReadableSpan

from payi_otel.spans import semconv
from payi_otel.spans.event import IngestEvent
from payi_otel.spans.foreign.translate import NO_RULES, PriceRules, translate
from payi_otel.spans.neutral import SpanData
from payi_otel.tracking.arguments import parse_version


def read_span(span: ReadableSpan) -> IngestEvent | None:
    """The event of an ended span, None when the span is not a billed call.

    >>> event = read_span(span)  # doctest: +SKIP
    >>> event.units  # doctest: +SKIP
    {'text': {'input': 12, 'output': 7}}
    """
    # A plain dict: the span's own mapping takes a lock for every look-up, on the caller's thread.
    return read_attributes(dict(span.attributes or {}), span.start_time or 0)


def events_of(span: SpanData, rules: PriceRules = NO_RULES) -> IngestEvent | None:
    """The event of a span from anywhere, None when the span is not a billed call.

    A span of ours holds its event; one of another instrumentation is translated, with `rules` for its price.

    >>> event = events_of(span)  # doctest: +SKIP
    >>> event.provider_response_id  # doctest: +SKIP
    'chatcmpl-BxYz0123456789'
    """
    if span.scope_name == semconv.SCOPE or semconv.EVENT_ID in span.attributes:
        return read_attributes(span.attributes, span.start_ns)
    translated = translate(span, rules)
    return None if translated is None else read_attributes(translated, span.start_ns)


def read_attributes(attributes: Mapping[str, Any], start_time_ns: int) -> IngestEvent | None:
    """The event that span `attributes` describe; `start_time_ns` is Unix time in nanoseconds."""
    event_id = attributes.get(semconv.EVENT_ID)
    category = attributes.get(semconv.CATEGORY)
    if not event_id or not category or attributes.get(semconv.UNPRICED):
        return None
    groups = _grouped(attributes)
    return IngestEvent(
        provider_response_id=str(event_id),
        category=str(category),
        resource=_text(attributes, semconv.RESOURCE),
        scope=_text(attributes, semconv.RESOURCE_SCOPE),
        units=_units(groups[semconv.UNITS]),
        event_timestamp=datetime.fromtimestamp(start_time_ns / 1e9, tz=timezone.utc),
        end_to_end_latency_ms=_whole(attributes, semconv.LATENCY_MS),
        time_to_first_token_ms=_whole(attributes, semconv.TIME_TO_FIRST_TOKEN_MS),
        time_to_first_completion_token_ms=_whole(attributes, semconv.TIME_TO_FIRST_COMPLETION_TOKEN_MS),
        http_status_code=_whole(attributes, semconv.HTTP_STATUS),
        provider_uri=_text(attributes, semconv.PROVIDER_URI),
        provider_request_json=_text(attributes, semconv.REQUEST_JSON),
        provider_response_json=_text(attributes, semconv.RESPONSE_JSON),
        provider_response_function_calls=_function_calls(attributes),
        use_case_name=_text(attributes, semconv.USE_CASE_NAME),
        use_case_id=_text(attributes, semconv.USE_CASE_ID),
        use_case_version=_version(attributes),
        use_case_step=_text(attributes, semconv.USE_CASE_STEP),
        user_id=_text(attributes, semconv.USER_ID),
        account_name=_text(attributes, semconv.ACCOUNT_NAME),
        limit_ids=tuple(str(item) for item in attributes.get(semconv.LIMIT_IDS) or ()),
        properties=_properties(groups[semconv.REQUEST_PROPERTIES]),
        use_case_properties=_properties(groups[semconv.USE_CASE_PROPERTIES]),
        estimated=attributes.get(semconv.USAGE_SOURCE) == "estimated",
    )


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(name)
    return None if value is None else str(value)


def _whole(attributes: Mapping[str, Any], name: str) -> int | None:
    value = attributes.get(name)
    return int(value) if isinstance(value, (int, float)) else None


def _version(attributes: Mapping[str, Any]) -> int | None:
    """The version, which is text where it came through baggage."""
    value = attributes.get(semconv.USE_CASE_VERSION)
    return parse_version(value) if isinstance(value, str) else _whole(attributes, semconv.USE_CASE_VERSION)


_PREFIXES = (semconv.UNITS, semconv.REQUEST_PROPERTIES, semconv.USE_CASE_PROPERTIES)


def _grouped(attributes: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """The attributes under each prefix, by their name behind it."""
    groups: dict[str, list[tuple[str, Any]]] = {prefix: [] for prefix in _PREFIXES}
    for name, value in attributes.items():
        if name.startswith(_PREFIXES):
            prefix = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
            groups[prefix].append((name[len(prefix) :], value))
    return groups


def _units(counts: list[tuple[str, Any]]) -> dict[str, dict[str, int]]:
    units: dict[str, dict[str, int]] = {}
    for name, value in counts:
        if isinstance(value, int):
            # Unit names may hold dots ("image.hd.1024x1024"): only the last one splits.
            unit, _, side = name.rpartition(".")
            units.setdefault(unit, {"input": 0, "output": 0})[side] = value
    return units


def _properties(values: list[tuple[str, Any]]) -> dict[str, str | None]:
    # A property without a value is an empty sequence: a span attribute has no null.
    return {name: None if value in ((), []) else str(value) for name, value in values}


def _function_calls(attributes: Mapping[str, Any]) -> tuple[dict[str, str | None], ...]:
    text = attributes.get(semconv.FUNCTION_CALLS)
    if not isinstance(text, str):
        return ()
    try:
        calls = json.loads(text)
    except ValueError:
        # Cut by the user's attribute length limit.
        return ()
    return tuple(cast("list[dict[str, str | None]]", calls)) if isinstance(calls, list) else ()
