from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import payi_otel
from payi_otel import Payi
from tests.product.documents import FOLDER


@pytest.fixture(scope="session", autouse=True)
def documents() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"the product documents are not at {FOLDER}")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Payi]:
    """A client of a fresh self-hosted server, which the environment names as the samples expect it."""
    # Here, so that without the server only these tests fail, not the collection of all.
    from payi_otel.server.main import background_server

    with background_server() as server:
        monkeypatch.setenv("PAYI_OUTBOX_DIR", str(tmp_path))
        monkeypatch.setenv("PAYI_BASE_URL", server.url)
        monkeypatch.setenv("PAYI_API_KEY", server.api_key)
        with Payi() as payi:
            yield payi
        payi_otel.uninstrument()
