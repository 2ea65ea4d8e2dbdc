"""Which spans of other instrumentations are events, beside what was sent of ours."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timezone

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from payi_otel.registry import registry
from payi_otel.spans.event import IngestBody, IngestEvent
from payi_otel.spans.foreign.sightings import Place, Sightings
from payi_otel.spans.foreign.translate import NO_RULES, PriceRules
from payi_otel.spans.neutral import span_data
from payi_otel.spans.reader import events_of
from payi_otel.spans.semconv import SCOPE

_NO_TIME = datetime.fromtimestamp(0, tz=timezone.utc)

Facts = tuple[str, str, Mapping[str, Mapping[str, int]], "str | None", "int | None"]
"""Id, category, units, resource and HTTP status of an event of ours."""
Seen = tuple[Facts, "SpanContext | None", "SpanContext | None", int]
"""An event of ours, its span, the span around that, and when it ended (Unix time, ns)."""


class Judge:
    """Remembers the calls seen lately; safe to use from several threads."""

    def __init__(self) -> None:
        self._sightings = Sightings()

    def event_of(self, span: ReadableSpan, ours: deque[Seen]) -> IngestEvent | None:
        """The event to send for a span, None where there is none or another one says as much.

        What is in `ours` is taken from it.
        """
        while ours:
            self._sightings.admit(*_told(*ours.popleft()))
        data = span_data(span)
        settings = registry.settings
        rules = NO_RULES if settings is None else PriceRules(settings.host_mappings, settings.model_mappings)
        event = events_of(data, rules)
        return None if event is None else self._sightings.admit(event, Place.of(data))


def _told(
    facts: Facts, context: SpanContext | None, parent: SpanContext | None, end_ns: int
) -> tuple[IngestEvent, Place]:
    """What an event of ours tells about its call, and where."""
    event_id, category, units, resource, status = facts
    place = Place(
        f"{context.trace_id:032x}" if context is not None else "",
        f"{context.span_id:016x}" if context is not None else "",
        f"{parent.span_id:016x}" if parent is not None else None,
        SCOPE,
        end_ns,
    )
    body: IngestBody = {
        "provider_response_id": event_id,
        "category": category,
        "units": units,
        "event_timestamp": _NO_TIME,
    }
    if resource is not None:
        body["resource"] = resource
    if status is not None:
        body["http_status_code"] = status
    return IngestEvent(body), place
