"""The spans that others make in this process, beside ours: which of them are events."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timezone

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from payi_otel.registry import registry
from payi_otel.spans.event import IngestEvent
from payi_otel.spans.foreign.dialects import dialect_of
from payi_otel.spans.foreign.sightings import Place, Sightings
from payi_otel.spans.foreign.translate import NO_RULES, SIGNS, PriceRules
from payi_otel.spans.neutral import span_data
from payi_otel.spans.reader import events_of
from payi_otel.spans.semconv import SCOPE

logger = logging.getLogger("payi_otel")

# Always there beside ours, and switched on by the SDK itself: nothing that its user did, or should undo.
_NATIVE = "com.anthropic.sdk"
_NO_TIME = datetime.fromtimestamp(0, tz=timezone.utc)


_Facts = tuple[str, str, Mapping[str, Mapping[str, int]], "str | None", "int | None"]


class ForeignSpans:
    """Decides about every foreign span of the process, whichever of our processor and exporter it comes through.

    An SDK that we have instrumented ourselves is left to us. For frameworks around such an SDK it remembers what
    was sent of ours lately.
    """

    def __init__(self) -> None:
        self._sightings = Sightings()
        self._ours: deque[tuple[_Facts, SpanContext | None, SpanContext | None, int]] = deque(maxlen=1_000)
        self._told: set[str] = set()

    def is_candidate(self, span: ReadableSpan) -> bool:
        """Whether a foreign span may be a billed call; quick, because every span of the application is asked."""
        attributes = span.attributes
        if not attributes or SIGNS.isdisjoint(attributes):
            return False
        scope = span.instrumentation_scope
        name = scope.name if scope is not None else ""
        if dialect_of(name).sdk in registry.instrumented:
            self._say_ours_counts(name)
            return False
        return True

    def sent_ours(
        self, event: IngestEvent, context: SpanContext | None, parent: SpanContext | None, end_ns: int
    ) -> None:
        """Remember an event of ours, and where its span was. Quick: most applications have no foreign spans."""
        # Without what the event may quote: this is kept for long.
        facts = (
            event.provider_response_id,
            event.category,
            event.units,
            event.resource,
            event.http_status_code,
        )
        self._ours.append((facts, context, parent, end_ns))

    def event_of(self, span: ReadableSpan) -> IngestEvent | None:
        """The event to send for a candidate, None where there is none or another one says as much."""
        while self._ours:
            self._sightings.admit(*_ours(*self._ours.popleft()))
        data = span_data(span)
        settings = registry.settings
        rules = NO_RULES if settings is None else PriceRules(settings.host_mappings, settings.model_mappings)
        event = events_of(data, rules)
        return None if event is None else self._sightings.admit(event, Place.of(data))

    def _say_ours_counts(self, scope_name: str) -> None:
        if scope_name in self._told or scope_name.startswith(_NATIVE):
            return
        self._told.add(scope_name)
        logger.warning(
            "payi_otel: %s traces the same SDK as we do; its spans go to your other backends, ours are the ones "
            "that are priced",
            scope_name,
        )


def _ours(
    facts: _Facts, context: SpanContext | None, parent: SpanContext | None, end_ns: int
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
    return IngestEvent(event_id, category, units, _NO_TIME, resource, http_status_code=status), place


def foreign_spans() -> ForeignSpans:
    """The process's only one: a span may come through our processor and our exporter."""
    found = registry.foreign
    if found is None:
        with registry.lock:
            found = registry.foreign = registry.foreign or ForeignSpans()
    return found
