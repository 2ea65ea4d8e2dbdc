"""Span → Ingest event, from the attributes alone: any OTLP backend that kept them can do the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.sdk.trace import ReadableSpan

from payi_otel.spans import semconv
from payi_otel.spans.event import IngestEvent
from payi_otel.tracking.arguments import parse_version

if TYPE_CHECKING:
    from payi_otel.spans.foreign.translate import PriceRules
    from payi_otel.spans.neutral import SpanData


def read_span(span: ReadableSpan) -> IngestEvent | None:
    """The event of an ended span, None when the span is not a billed call.

    >>> event = read_span(span)  # doctest: +SKIP
    >>> event.body["units"]  # doctest: +SKIP
    {'text': {'input': 12, 'output': 7}}
    """
    # A plain dict: the span's own mapping takes a lock for every look-up, on the caller's thread.
    attributes: Any = span.attributes or {}
    return read_attributes(attributes.copy(), span.start_time or 0)


def events_of(span: SpanData, rules: PriceRules | None = None) -> IngestEvent | None:
    """The event of a span from anywhere, None when the span is not a billed call.

    A span of ours holds its event; one of another instrumentation is translated, with `rules` for its price.

    >>> event = events_of(span)  # doctest: +SKIP
    >>> event.body["provider_response_id"]  # doctest: +SKIP
    'chatcmpl-BxYz0123456789'
    """
    if span.scope_name == semconv.SCOPE or semconv.EVENT_ID in span.attributes:
        return read_attributes(span.attributes, span.start_ns)
    # Most processes see no span of another instrumentation.
    from payi_otel.spans.foreign.translate import NO_RULES, translate

    translated = translate(span, rules or NO_RULES)
    return None if translated is None else read_attributes(translated, span.start_ns)


def read_attributes(attributes: Mapping[str, Any], start_time_ns: int) -> IngestEvent | None:
    """The event that span `attributes` describe; `start_time_ns` is Unix time in nanoseconds."""
    get = attributes.get
    if not get(semconv.EVENT_ID) or not get(semconv.CATEGORY) or get(semconv.UNPRICED):
        return None
    units: dict[str, dict[str, int]] = {}
    body: Any = {
        "units": units,
        "event_timestamp": datetime.fromtimestamp(start_time_ns / 1e9, timezone.utc),
    }
    for name, value in attributes.items():
        meaning = _MEANINGS[name]
        if meaning is None:
            continue
        group, field, read = meaning
        if not group:
            told = None if value is None else read(value)
            if told is not None:
                body[field] = told
        elif group == "units":
            if isinstance(value, int):
                # Unit names may hold dots ("image.hd.1024x1024"): only the last one splits.
                unit, _, side = field.rpartition(".")
                units.setdefault(unit, {"input": 0, "output": 0})[side] = value
        else:
            body.setdefault(group, {})[field] = read(value)
    return IngestEvent(body, get(semconv.USAGE_SOURCE) == "estimated")


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) else None


def _version(value: Any) -> int | None:
    """The version, which is text where it came through baggage."""
    return parse_version(value) if isinstance(value, str) else _whole(value)


def _texts(value: Any) -> list[str] | None:
    return [str(item) for item in value or ()] or None


def _property(value: Any) -> str | None:
    # A property without a value is an empty sequence: a span attribute has no null.
    return None if value in ((), []) else str(value)


def _function_calls(value: Any) -> list[dict[str, Any]] | None:
    try:
        calls = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        # Cut by the user's attribute length limit.
        return None
    told = cast("list[Any]", calls) if isinstance(calls, list) else []
    return told if told and all(isinstance(call, dict) for call in told) else None


# The fields that an attribute holds alone, and how it is read.
_FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    semconv.EVENT_ID: ("provider_response_id", str),
    semconv.CATEGORY: ("category", str),
    semconv.RESOURCE: ("resource", str),
    semconv.RESOURCE_SCOPE: ("scope", str),
    semconv.LATENCY_MS: ("end_to_end_latency_ms", _whole),
    semconv.TIME_TO_FIRST_TOKEN_MS: ("time_to_first_token_ms", _whole),
    semconv.TIME_TO_FIRST_COMPLETION_TOKEN_MS: ("time_to_first_completion_token_ms", _whole),
    semconv.HTTP_STATUS: ("http_status_code", _whole),
    semconv.PROVIDER_URI: ("provider_uri", str),
    semconv.REQUEST_JSON: ("provider_request_json", str),
    semconv.RESPONSE_JSON: ("provider_response_json", str),
    semconv.FUNCTION_CALLS: ("provider_response_function_calls", _function_calls),
    semconv.USE_CASE_NAME: ("use_case_name", str),
    semconv.USE_CASE_ID: ("use_case_id", str),
    semconv.USE_CASE_VERSION: ("use_case_version", _version),
    semconv.USE_CASE_STEP: ("use_case_step", str),
    semconv.USER_ID: ("user_id", str),
    semconv.ACCOUNT_NAME: ("account_name", str),
    semconv.LIMIT_IDS: ("limit_ids", _texts),
}
# The fields that attributes with a prefix hold together: each its part, which it is named after.
_GROUPS = {
    semconv.UNITS: "units",
    semconv.REQUEST_PROPERTIES: "properties",
    semconv.USE_CASE_PROPERTIES: "use_case_properties",
}
_Meaning = tuple[str, str, Callable[[Any], Any]]
"""The group of a field, the field or what it is called in its group, and how its value is read."""
# A sender chooses its names, and how long they are: what is remembered of them has a bound.
_MOST_NAMES, _LONGEST_NAME = 2_000, 200


class _Meanings(dict[str, "_Meaning | None"]):
    """By the name of an attribute what it means, None where that is nothing to us.

    The names are few, and every span has them again: each is looked at once.
    """

    def __missing__(self, name: str) -> _Meaning | None:
        meaning = _meaning(name)
        if len(self) < _MOST_NAMES and len(name) <= _LONGEST_NAME:
            self[name] = meaning
        return meaning


def _meaning(name: str) -> _Meaning | None:
    if name in _FIELDS:
        return "", *_FIELDS[name]
    for prefix, group in _GROUPS.items():
        if name.startswith(prefix):
            return group, name[len(prefix) :], _property
    return None


_MEANINGS = _Meanings()
