"""What the Collector's tests share; without a Collector they are skipped and say why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector.build import why_not

pytest.importorskip("fastapi", reason="the server extra is not installed")
pytest.importorskip("grpc", reason="the gateway extra is not installed")

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    reason = why_not()
    if reason is not None:
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def payi(tmp_path):
    """The self-hosted server."""
    from payi_otel.server.main import background_server

    with background_server(tmp_path / "payi.db") as server:
        yield server
