"""The spans that others make in this process, beside ours: which of them are events."""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime, timezone

from opentelemetry.sdk.trace import ReadableSpan

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


class ForeignSpans:
    """Decides about every foreign span of the process, whichever of our processor and exporter it comes through.

    An SDK that we have instrumented ourselves is left to us. For frameworks around such an SDK it remembers what
    was sent of ours lately.
    """

    def __init__(self) -> None:
        self._sightings = Sightings()
        self._ours: deque[tuple[IngestEvent, Place]] = deque(maxlen=1_000)
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

    def sent_ours(self, event: IngestEvent, span: ReadableSpan) -> None:
        """Remember an event of ours."""
        context, parent = span.get_span_context(), span.parent
        if context is not None:
            place = Place(
                f"{context.trace_id:032x}",
                f"{context.span_id:016x}",
                None if parent is None else f"{parent.span_id:016x}",
                SCOPE,
                span.end_time or 0,
            )
            # Without what it may quote: this is kept for long.
            slim = IngestEvent(
                event.provider_response_id,
                event.category,
                event.units,
                _NO_TIME,
                event.resource,
                http_status_code=event.http_status_code,
            )
            self._ours.append((slim, place))

    def event_of(self, span: ReadableSpan) -> IngestEvent | None:
        """The event to send for a candidate, None where there is none or another one says as much."""
        while self._ours:
            self._sightings.admit(*self._ours.popleft())
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


def foreign_spans() -> ForeignSpans:
    """The process's only one: a span may come through our processor and our exporter."""
    found = registry.foreign
    if found is None:
        with registry.lock:
            found = registry.foreign = registry.foreign or ForeignSpans()
    return found
