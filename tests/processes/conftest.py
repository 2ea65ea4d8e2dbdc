"""One provider and one server for all tests here; each test is an application of its own to both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from payi_otel.demo.provider import FakeProvider, running_provider
from payi_otel.server.main import RunningServer, background_server
from tests.processes.world import Run


@pytest.fixture(scope="session")
def provider() -> Iterator[FakeProvider]:
    with running_provider() as running:
        yield running


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    with background_server() as running:
        yield running


@pytest.fixture
def run(provider: FakeProvider, server: RunningServer, tmp_path: Path) -> Iterator[Run]:
    application = Run(f"ends_{uuid4().hex[:12]}", provider, server, tmp_path / "outbox")
    yield application
    application.kill_what_is_left()
