"""Sampling never touches cost: what the user's sampler drops is recorded, with all its attributes."""

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, TraceIdRatioBased

from payi_otel.spans.sampler import RecordingSampler, declarative_sampler


def test_a_drop_becomes_record_only_and_keeps_the_start_attributes():
    result = RecordingSampler(ALWAYS_OFF).should_sample(None, 1, "chat", attributes={"a": 1})
    assert result.decision is Decision.RECORD_ONLY
    assert result.attributes == {"a": 1}


def test_a_sampled_span_stays_sampled():
    assert RecordingSampler(ALWAYS_ON).should_sample(None, 1, "chat").decision is Decision.RECORD_AND_SAMPLE


def test_the_users_exporter_sees_none_of_what_was_dropped():
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=RecordingSampler(TraceIdRatioBased(0.0)))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    span = provider.get_tracer("t").start_span("chat")
    assert span.is_recording()
    span.end()
    assert exporter.get_finished_spans() == ()


def test_the_declarative_sampler_records_what_it_drops():
    sampler = declarative_sampler()
    assert sampler.should_sample(None, 1, "chat").decision is Decision.RECORD_AND_SAMPLE
    assert "RecordingSampler" in sampler.get_description()
