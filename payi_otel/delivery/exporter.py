"""`PayiSpanExporter`: Pay-i as an ordinary OpenTelemetry span exporter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from payi_otel.faults import faults
from payi_otel.registry import registry
from payi_otel.settings import Settings
from payi_otel.spans.foreign.collector import foreign_spans
from payi_otel.spans.reader import read_span
from payi_otel.spans.semconv import SCOPE


class PayiSpanExporter(SpanExporter):
    """Sends the events of ended spans to Pay-i, through the same queue as `payi_instrument()`.

    For `OTEL_TRACES_EXPORTER=payi`, declarative configuration, or a `BatchSpanProcessor` of your own. It sees
    sampled spans only, ours and those of other GenAI instrumentations; `payi_instrument()` sees all of ours, and
    where it is installed this exporter leaves them to it.

    Args:
        settings: any of `Settings`' fields, such as `api_key` and `base_url`; the environment where left out, and
            no effect where `payi_instrument()` ran before.

    Raises SettingsError when a setting is wrong.

    >>> exporter = PayiSpanExporter(api_key="sk-...")  # doctest: +SKIP
    >>> provider.add_span_processor(BatchSpanProcessor(exporter))  # doctest: +SKIP
    """

    def __init__(self, **settings: Any) -> None:
        from payi_otel.bootstrap import ensure_ledger, ensure_worker

        with registry.lock:
            if settings and registry.settings is None:
                registry.settings = Settings.from_arguments(settings)
        self._worker = ensure_worker()
        self._ledger = ensure_ledger()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Queue the events of `spans`. Success says that they are queued; `force_flush` says that they arrived."""
        result = SpanExportResult.SUCCESS
        for span in spans:
            try:
                self._export(span)
            except Exception as error:
                faults.report("exporter.export", error)
                result = SpanExportResult.FAILURE
        return result

    def _export(self, span: ReadableSpan) -> None:
        scope = span.instrumentation_scope
        if scope is not None and scope.name == SCOPE:
            event = read_span(span) if registry.processor is None else None
        else:
            foreign = foreign_spans()
            event = foreign.event_of(span) if foreign.is_candidate(span) else None
        if event is not None:
            self._ledger.saw(estimated=event.estimated)
            self._worker.submit_event(event)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what was exported so far; True only if Pay-i has it all."""
        return self._worker.force_flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Deliver what was exported so far, for as long as the end of the process may be delayed."""
        self._worker.force_flush(self._worker.config.exit_timeout_s)
