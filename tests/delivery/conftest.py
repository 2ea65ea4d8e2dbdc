"""Workers against a loopback Ingest service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from payi_otel.delivery import turns
from payi_otel.delivery.durable import DurableOutbox
from payi_otel.delivery.ledger import Ledger, Status
from payi_otel.delivery.outbox import MemoryOutbox, Outbox
from payi_otel.delivery.worker import DeliveryConfig, DeliveryWorker
from payi_otel.spans.event import IngestEvent
from tests.support.ingest_sink import IngestSink, running_sink


def event(number: int | str, **fields: Any) -> IngestEvent:
    body: Any = {
        "provider_response_id": f"resp_{number}",
        "category": "system.openai",
        "resource": "gpt-4o",
        "units": {"text": {"input": 10, "output": 5}},
        "event_timestamp": datetime.now(timezone.utc),
        **fields,
    }
    return IngestEvent(body)


@dataclass
class Bench:
    """A worker with its parts."""

    worker: DeliveryWorker
    ledger: Ledger

    def submit(self, *numbers: int | str, **fields: Any) -> None:
        for number in numbers:
            self.worker.submit_event(event(number, **fields))

    @property
    def status(self) -> Status:
        return self.ledger.snapshot()


MakeBench = Callable[..., Bench]


class Clock:
    """What callers go by when they let a thread of ours pass; it stands still, and counts who does."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.sleeps = 0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, _: float) -> None:
        self.sleeps += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return clock


@pytest.fixture
def sink() -> Iterator[IngestSink]:
    with running_sink() as sink:
        yield sink


@pytest.fixture(params=["memory", "default", "sync"])
def durability(request: pytest.FixtureRequest) -> Any:
    """Whatever holds of the delivery holds with each of these."""
    return request.param


def outbox_in(folder: Path, config: DeliveryConfig) -> Outbox:
    if config.durability == "memory":
        return MemoryOutbox(config.queue_max_bytes)
    return DurableOutbox(folder, max_bytes=2**29, spill_max_bytes=config.queue_max_bytes)


@pytest.fixture
def make_bench(sink: IngestSink, tmp_path: Path, durability: Any) -> Iterator[MakeBench]:
    benches: list[Bench] = []

    def make(**config: Any) -> Bench:
        settings = {
            "api_key": "sk-test",
            "base_url": sink.url,
            "batch_max_age_s": 0.05,
            "exit_timeout_s": 0.2,
            "durability": durability,
        }
        full = DeliveryConfig(**(settings | config))
        ledger = Ledger()
        bench = Bench(DeliveryWorker(full, outbox_in(tmp_path / "outbox", full), ledger), ledger)
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.worker.shutdown(0.2)
