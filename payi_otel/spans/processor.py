"""The span processor: use-case attributes onto starting spans, ended spans into Ingest events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from payi_otel.faults import faults
from payi_otel.providers.catalog import UNKNOWN_RESOURCE
from payi_otel.registry import registry
from payi_otel.spans.event import IngestEvent
from payi_otel.spans.foreign.collector import ForeignSpans, foreign_spans
from payi_otel.spans.foreign.dialects import is_known
from payi_otel.spans.reader import read_span
from payi_otel.spans.semconv import EVENT_ID, REQUEST_JSON, RESPONSE_JSON, SCOPE
from payi_otel.tracking.context import current


class PayiSpanProcessor(SpanProcessor):
    """Delivers every span of ours, sampled or not; the SDK's own processors skip unsampled spans.

    Spans that others make of calls that we do not see are delivered as well.

    It looks up the installed worker for each span, so that one processor per provider serves for the life of
    the process, however often payi_otel is installed and removed.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Give a span that starts inside a use case its attributes."""
        try:
            scope = span.instrumentation_scope
            name = scope.name if scope is not None else ""
            settings = registry.settings
            if name == SCOPE or settings is None or not (settings.all_spans or is_known(name)):
                return
            attributes = current(parent_context).attributes
            if attributes:
                span.set_attributes(attributes)
        except Exception as error:
            faults.report("spans.on_start", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Turn a span into an event if it is a billed call."""
        try:
            scope, worker = span.instrumentation_scope, registry.worker
            if worker is None:
                return
            if scope is None or scope.name != SCOPE:
                foreign = foreign_spans()
                # After uninstrument() the processor is still there, for streams of ours that are still open.
                if registry.recorder is not None and foreign.is_candidate(span):
                    worker.defer(lambda: _submit_foreign(foreign, span))
                return
            attributes = span.attributes
            if attributes and EVENT_ID in attributes:
                settings = registry.settings
                size = _content_size(attributes) if settings is not None and settings.capture_content else 0
                worker.submit_later(_event_of, span, size)
        except Exception as error:
            faults.report("spans.on_end", error)

    def shutdown(self) -> None:
        """Nothing to stop here: the worker has its own life, and other providers may still use it."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what was submitted so far; True only if Pay-i has it."""
        worker = registry.worker
        return worker is None or worker.force_flush(timeout_millis / 1000)


def _content_size(attributes: Mapping[str, Any]) -> int:
    texts = (attributes.get(REQUEST_JSON), attributes.get(RESPONSE_JSON))
    return sum(len(text) for text in texts if isinstance(text, str))


def _event_of(span: ReadableSpan) -> list[IngestEvent]:
    event = read_span(span)
    if event is None:
        return []
    foreign_spans().sent_ours(event, span.get_span_context(), span.parent, span.end_time or 0)
    return [event]


def _submit_foreign(foreign: ForeignSpans, span: ReadableSpan) -> None:
    with faults.guard("spans.foreign"):
        event, worker = foreign.event_of(span), registry.worker
        if event is None or worker is None:
            return
        if registry.ledger is not None:
            registry.ledger.saw(
                estimated=event.estimated, unpriced=event.body.get("resource") == UNKNOWN_RESOURCE
            )
        worker.submit_event(event)
