"""The calls of calls.json as our own instrumentation sees them: what every record is compared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import payi_otel
from payi_otel.demo.provider import running_provider
from payi_otel.spans.neutral import SpanData, SpanEvent
from tests.foreign.calls import caller, calls
from tests.support.ingest_sink import running_sink

RECORDED = Path(__file__).parent / "recorded"


def records() -> dict[str, list[dict[str, Any]]]:
    """The recorded calls of every instrumentation."""
    return {path.stem: json.loads(path.read_text())["calls"] for path in sorted(RECORDED.glob("*.json"))}


def span_of(record: dict[str, Any], **changes: Any) -> SpanData:
    """A recorded span."""
    events = tuple(SpanEvent(**event) for event in record["events"])
    return SpanData(**{**record, "resource": {}, "events": events, **changes})


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The event of each call by its label, as our instrumentation sent it."""
    seen: dict[str, dict[str, Any]] = {}
    with (
        pytest.MonkeyPatch.context() as environment,
        running_provider() as provider,
        running_sink() as sink,
    ):
        environment.setenv("PAYI_OUTBOX_DIR", str(tmp_path_factory.mktemp("outbox")))
        payi_otel.payi_instrument(api_key="k", base_url=sink.url)
        try:
            make = caller(provider.openai_base_url, provider.anthropic_base_url)
            for call in calls("openai", "anthropic"):
                before = set(sink.events)
                make(call)
                assert payi_otel.force_flush(30)
                (new,) = sink.events.keys() - before
                seen[call["label"]] = sink.events[new]
        finally:
            payi_otel.uninstrument()
    return seen
