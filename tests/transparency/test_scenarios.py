"""Each scenario bare and instrumented: the caller sees the same, the vendor gets the same, the event is right."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import payi_otel
from tests.support.ingest_sink import running_sink
from tests.transparency import (  # noqa: F401  (importing registers the scenarios)
    scenarios_anthropic,
    scenarios_anthropic_async,
    scenarios_openai,
    scenarios_openai_async,
    scenarios_openai_streams,
    scenarios_other,
    scenarios_websockets,
)
from tests.transparency.world import REGISTRY, Scenario, look, requests_told_apart

APPLICABLE = {name: chosen for name, chosen in REGISTRY.items() if chosen.needs()}


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> Generator[None, None, None]:
    """Scenarios collect garbage often; what was imported before them need not be looked through each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def ours(spans: Iterable[Any]) -> list[Any]:
    """The spans of billed calls, in the order of their starts."""
    calls = [span for span in spans if "payi.usage_source" in (span.attributes or {})]
    return sorted(calls, key=lambda span: span.start_time)


def told(spans: Iterable[Any]) -> list[tuple[str, str]]:
    """(outcome, usage source) of every call span."""
    return [(span.attributes["payi.outcome"], span.attributes["payi.usage_source"]) for span in ours(spans)]


def agrees(got: list[tuple[str, str]], chosen: Scenario) -> bool:
    return len(got) == len(chosen.expected) and all(
        re.fullmatch(pattern, value)
        for pair, wanted in zip(got, chosen.expected, strict=True)
        for value, pattern in zip(pair, wanted, strict=True)
    )


@pytest.mark.parametrize("name", APPLICABLE)
def test_the_caller_sees_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = APPLICABLE[name]
    monkeypatch.setenv("PAYI_OUTBOX_DIR", str(tmp_path))
    bare = look(chosen)
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with running_sink() as sink:
        payi_otel.payi_instrument(
            api_key="k",
            base_url=sink.url,
            tracer_provider=provider,
            config={"use_case_name": "transparency", "exit_timeout_s": 5.0},
        )
        try:
            instrumented = look(chosen)
            # Abandoned streams are reported from the worker's thread.
            deadline = time.monotonic() + 10
            while (
                len(told(exporter.get_finished_spans())) < len(chosen.expected)
                and time.monotonic() < deadline
            ):
                assert payi_otel.force_flush(timeout_s=10)
            assert payi_otel.force_flush(timeout_s=10)
        finally:
            payi_otel.uninstrument()
        delivered = set(sink.events)
    assert instrumented.result == bare.result
    assert instrumented.warned == bare.warned
    assert not requests_told_apart(bare.requests, instrumented.requests, chosen.extra_requests)
    spans = told(exporter.get_finished_spans())
    assert agrees(spans, chosen), f"events {spans}, expected {chosen.expected}"
    assert delivered == {span.attributes["payi.event_id"] for span in ours(exporter.get_finished_spans())}


def test_how_many_scenarios_apply(capsys: pytest.CaptureFixture[str]) -> None:
    missing = sorted(REGISTRY.keys() - APPLICABLE.keys())
    with capsys.disabled():
        print(
            f"\ntransparency: {len(REGISTRY)} scenarios, {len(APPLICABLE)} apply; not in this SDK: {missing}"
        )
    assert len(APPLICABLE) >= 0.85 * len(REGISTRY), missing
