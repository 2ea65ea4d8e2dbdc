"""The use case in a Celery task's headers and in Kafka-style message headers: the examples' code."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

import payi_otel
from payi_otel import get_context, track_context
from payi_otel.demo.provider import running_provider
from tests.examples.world import EXAMPLES
from tests.support.ingest_sink import running_sink


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / "services" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_kafka_style_headers():
    kafka = example("kafka_headers")
    with track_context(use_case_name="claims", use_case_id="7", user_id="jane"):
        headers = kafka.with_use_case([("content-type", b"application/json")])
    assert headers[0] == ("content-type", b"application/json")
    with kafka.use_case_of(headers):
        assert get_context() == {"use_case_name": "claims", "use_case_id": "7"}
    with kafka.use_case_of([("baggage", b"\xff\xfe"), ("other", b"x")]):
        assert get_context() == {}


def test_celery_tasks_belong_to_the_use_case_they_were_sent_from(tmp_path, monkeypatch):
    pytest.importorskip("celery", reason="celery is not installed")
    from celery.contrib.testing.worker import start_worker

    monkeypatch.setenv("PAYI_OUTBOX_DIR", str(tmp_path))
    tasks = example("celery_tasks")
    tasks.app.conf.update(
        broker_url="memory://", result_backend="cache+memory://", worker_hijack_root_logger=False
    )
    with running_provider() as provider, running_sink() as sink:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.openai_base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        payi_otel.payi_instrument(api_key="k", base_url=sink.url)
        try:
            with start_worker(tasks.app, perform_ping_check=False, pool="threads", concurrency=2):
                sent = []
                for number in range(4):
                    with track_context(use_case_name="claims", use_case_id=str(number), user_id="jane"):
                        sent.append(tasks.summarise.delay(f"document {number}"))
                sent.append(tasks.summarise.delay("of nobody"))
                for result in sent:
                    assert result.get(timeout=60)
            assert payi_otel.force_flush(30)
        finally:
            payi_otel.uninstrument()
        owners = sorted(
            (e.get("use_case_name") or "", e.get("use_case_id") or "") for e in sink.events.values()
        )
        claims = [owner for owner in owners if owner[0] == "claims"]
        assert claims == [("claims", str(number)) for number in range(4)]
        assert len(owners) == 5
        assert all(event.get("user_id") is None for event in sink.events.values())
        assert tasks.scopes == {}
