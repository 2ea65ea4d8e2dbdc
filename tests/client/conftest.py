from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from payi_otel.client import AsyncPayi, Payi
from tests.client.scripted import ScriptedServer, scripted_server

KEY = "sk-payi-app-secret"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAYI_API_KEY", "PAYI_BASE_URL", "PAYI_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def client(service: ScriptedServer) -> Iterator[Payi]:
    with Payi(api_key=KEY, base_url=service.url) as payi:
        yield payi


@pytest.fixture
async def async_client(service: ScriptedServer) -> AsyncIterator[AsyncPayi]:
    async with AsyncPayi(api_key=KEY, base_url=service.url) as payi:
        yield payi
