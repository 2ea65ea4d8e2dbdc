"""A span of the SDK in its neutral form, and the event that form still holds."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

from payi_otel.spans import semconv
from payi_otel.spans.neutral import SpanEvent, span_data
from payi_otel.spans.reader import events_of, read_span


def ended_span():
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("someone.else", "1.2")
    with tracer.start_as_current_span("outer"):
        span = tracer.start_span("chat gpt-4o", kind=SpanKind.CLIENT, start_time=1_000)
        span.set_attributes(
            {
                semconv.EVENT_ID: "chatcmpl-0123456789",
                semconv.CATEGORY: "system.openai",
                "payi.units.text.input": 3,
            }
        )
        span.add_event("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "grounded"}, timestamp=1_500)
        span.set_status(Status(StatusCode.ERROR, "cut off"))
        span.end(end_time=2_000)
    inner, outer = exporter.get_finished_spans()
    return inner, outer


def test_every_part_of_the_span_is_kept():
    inner, outer = ended_span()
    data = span_data(inner)
    assert (len(data.trace_id), len(data.span_id)) == (32, 16)
    assert data.trace_id == span_data(outer).trace_id
    assert data.parent_span_id == span_data(outer).span_id
    assert span_data(outer).parent_span_id is None
    assert (data.name, data.kind) == ("chat gpt-4o", "CLIENT")
    assert (data.start_ns, data.end_ns) == (1_000, 2_000)
    assert data.resource["service.name"] == "shop"
    assert (data.scope_name, data.scope_version) == ("someone.else", "1.2")
    assert (data.status_code, data.status_message) == ("ERROR", "cut off")
    assert data.events == (
        SpanEvent("gen_ai.evaluation.result", 1_500, {"gen_ai.evaluation.name": "grounded"}),
    )


def test_the_neutral_span_holds_the_same_event():
    inner, outer = ended_span()
    event = events_of(span_data(inner))
    assert event == read_span(inner)
    assert event is not None
    assert event.body["units"] == {"text": {"input": 3, "output": 0}}
    assert events_of(span_data(outer)) is None
