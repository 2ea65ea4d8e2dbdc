"""The exporter behind the SDK's own span processors."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from payi_otel.delivery.exporter import PayiSpanExporter
from payi_otel.registry import registry
from payi_otel.settings import SettingsError
from payi_otel.spans import semconv
from tests.delivery.conftest import MakeBench
from tests.support.ingest_sink import IngestSink

BILLED = {
    semconv.EVENT_ID: "resp_1",
    semconv.CATEGORY: "system.openai",
    semconv.RESOURCE: "gpt-4o",
    f"{semconv.UNITS}text.input": 12,
}


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("settings", "worker", "ledger", "processor", "foreign"):
        monkeypatch.setattr(registry, name, None)


def test_billed_spans_reach_the_service_from_a_batch_processor(sink: IngestSink, fresh: None) -> None:
    exporter = PayiSpanExporter(api_key="sk-test", base_url=sink.url)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("app")
    tracer.start_span("chat gpt-4o", attributes=BILLED).end()
    tracer.start_span("GET /").end()
    provider.shutdown()
    assert list(sink.events) == ["resp_1"]
    assert sink.events["resp_1"]["units"] == {"text": {"input": 12, "output": 0}}


def test_spans_of_ours_are_left_to_the_installed_processor(
    sink: IngestSink, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = PayiSpanExporter(api_key="sk-test", base_url=sink.url)
    monkeypatch.setattr(registry, "processor", object())
    span = TracerProvider().get_tracer(semconv.SCOPE).start_span("chat", attributes=BILLED)
    span.end()
    exporter.export([span])
    assert exporter.force_flush(10_000)
    assert sink.posts == []


def test_it_can_be_made_without_arguments(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYI_API_KEY", "sk-env")
    PayiSpanExporter()
    assert registry.worker is not None
    assert registry.worker.config.api_key == "sk-env"


def test_a_wrong_setting_is_named(fresh: None) -> None:
    with pytest.raises(SettingsError, match="base_url='nowhere'"):
        PayiSpanExporter(base_url="nowhere")


def test_shutdown_keeps_the_shared_worker_alive(sink: IngestSink, fresh: None, make_bench: MakeBench) -> None:
    exporter = PayiSpanExporter(api_key="sk-test", base_url=sink.url)
    exporter.shutdown()
    span = TracerProvider().get_tracer("app").start_span("chat", attributes=BILLED)
    span.end()
    exporter.export([span])
    assert sink.wait_for_events(1)
