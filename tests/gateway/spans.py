"""Spans for the gateway's tests, made by the SDK, and their OTLP bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 7,
    "payi.category": "system.openai",
    "payi.resource": "gpt-4o-mini",
    "payi.units.text.input": 12,
    "payi.units.text.output": 7,
    "payi.usage_source": "provider",
    "payi.use_case_name": "support_chat",
    "payi.use_case_id": "42",
}


def provider_for(exporter: SpanExporter) -> TracerProvider:
    """A provider whose spans go straight to `exporter`, and whose test fails when one cannot be sent."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": "gateway-test"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def chat_span(provider: TracerProvider, event_id: str, attributes: Mapping[str, Any] | None = None) -> None:
    """Make one span of a billed call; `attributes` over those of `CHAT`."""
    values = {**CHAT, "payi.event_id": event_id, "gen_ai.response.id": event_id, **(attributes or {})}
    span = provider.get_tracer("payi_otel", "0.1.0").start_span("chat gpt-4o-mini", kind=SpanKind.CLIENT)
    span.set_attributes({name: value for name, value in values.items() if value is not None})
    span.end()


class Kept(SpanExporter):
    """Keeps the spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


def request_of(*event_ids: str, **attributes: Any) -> ExportTraceServiceRequest:
    """The OTLP request with one billed call per id."""
    kept = Kept()
    provider = provider_for(kept)
    for event_id in event_ids:
        chat_span(provider, event_id, attributes)
    return encode_spans(kept.spans)
