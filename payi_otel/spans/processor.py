"""The span processor: use-case attributes onto starting spans, ended spans into Ingest events."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from payi_otel.faults import faults
from payi_otel.registry import registry
from payi_otel.spans.reader import read_span
from payi_otel.spans.semconv import SCOPE
from payi_otel.tracking.context import current


class PayiSpanProcessor(SpanProcessor):
    """Delivers every span of ours, sampled or not; the SDK's own processors skip unsampled spans.

    It looks up the installed worker for each span, so that one processor per provider serves for the life of
    the process, however often payi_otel is installed and removed.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Give a span that starts inside a use case its attributes."""
        with faults.guard("spans.on_start"):
            scope = span.instrumentation_scope
            settings = registry.settings
            if settings is None or not settings.all_spans or (scope is not None and scope.name == SCOPE):
                return
            attributes = current(parent_context).attributes
            if attributes:
                span.set_attributes(attributes)

    def on_end(self, span: ReadableSpan) -> None:
        """Turn a span of ours into an event."""
        with faults.guard("spans.on_end"):
            scope = span.instrumentation_scope
            if scope is not None and scope.name == SCOPE:
                worker = registry.worker
                event = read_span(span)
                if event is not None and worker is not None:
                    worker.submit_event(event)

    def shutdown(self) -> None:
        """Nothing to stop here: the worker has its own life, and other providers may still use it."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what was submitted so far; True only if Pay-i has it."""
        worker = registry.worker
        return worker is None or worker.force_flush(timeout_millis / 1000)
