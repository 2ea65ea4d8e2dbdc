"""The spans that others make in this process, beside ours: which of them are events."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from payi_otel.registry import registry
from payi_otel.spans.event import IngestEvent
from payi_otel.spans.foreign.dialects import dialect_of
from payi_otel.spans.foreign.signs import SIGNS

if TYPE_CHECKING:
    from payi_otel.spans.foreign.judge import Judge, Seen

logger = logging.getLogger("payi_otel")

# Always there beside ours, and switched on by the SDK itself: nothing that its user did, or should undo.
_NATIVE = "com.anthropic.sdk"


class ForeignSpans:
    """Decides about every foreign span of the process, whichever of our processor and exporter it comes through.

    An SDK that we have instrumented ourselves is left to us. For frameworks around such an SDK it remembers what
    was sent of ours lately.
    """

    def __init__(self) -> None:
        self._judge: Judge | None = None
        self._ours: deque[Seen] = deque(maxlen=1_000)
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
        body = event.body
        facts = (
            body["provider_response_id"],
            body["category"],
            body["units"],
            body.get("resource"),
            body.get("http_status_code"),
        )
        self._ours.append((facts, context, parent, end_ns))

    def event_of(self, span: ReadableSpan) -> IngestEvent | None:
        """The event to send for a candidate, None where there is none or another one says as much."""
        judge = self._judge
        if judge is None:
            # Most processes see no span of another instrumentation.
            with registry.loading:
                from payi_otel.spans.foreign.judge import Judge

                judge = self._judge = self._judge or Judge()
        return judge.event_of(span, self._ours)

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
