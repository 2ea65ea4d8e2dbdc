"""A gateway in this process: real servers, the real outbox on disk, and a stand-in for Pay-i."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc", reason="the gateway extra is not installed")

from payi_otel.delivery.durable import DurableOutbox
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.worker import DeliveryConfig, DeliveryWorker
from payi_otel.gateway.config import GatewayConfig
from payi_otel.gateway.main import Gateway
from payi_otel.gateway.outbox import DeliveryOutbox
from tests.support.ingest_sink import IngestSink, running_sink

KEY = "gateway-key-1"
MAX_BODY_BYTES = 4_000_000


@dataclass
class Running:
    """A gateway and what is behind it."""

    gateway: Gateway
    worker: DeliveryWorker
    sink: IngestSink
    folder: Path

    @property
    def url(self) -> str:
        return self.gateway.http_url

    @property
    def target(self) -> str:
        assert self.gateway.grpc_address is not None
        return self.gateway.grpc_address


@pytest.fixture
def sink() -> Iterator[IngestSink]:
    with running_sink() as running:
        yield running


MakeGateway = Callable[..., Running]


@pytest.fixture
def make_gateway(sink: IngestSink, tmp_path: Path) -> Iterator[MakeGateway]:
    """Start a gateway; arguments are `GatewayConfig`'s, `outbox_max_bytes`, and `api_key` (None delivers nothing)."""
    started: list[Running] = []

    def make(outbox_max_bytes: int = 2**26, api_key: str | None = "k", **settings: Any) -> Running:
        folder = tmp_path / "outbox"
        outbox = DurableOutbox(folder, max_bytes=outbox_max_bytes, spill_max_bytes=2**20)
        ledger = Ledger()
        worker = DeliveryWorker(
            DeliveryConfig(api_key=api_key, base_url=sink.url, batch_max_age_s=0.05), outbox, ledger
        )
        config = replace(
            GatewayConfig(http_port=0, grpc_port=0, keys=(KEY,), max_body_bytes=MAX_BODY_BYTES), **settings
        )
        gateway = Gateway(config, DeliveryOutbox(worker, ledger, min(1_000, outbox_max_bytes)))
        gateway.start()
        started.append(Running(gateway, worker, sink, folder))
        return started[-1]

    yield make
    for running in started:
        running.gateway.stop()
        running.worker.shutdown(1.0)


@pytest.fixture
def gateway(make_gateway: MakeGateway) -> Running:
    return make_gateway()
