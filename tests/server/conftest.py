"""A real server on loopback, on SQLite and on PostgreSQL, and plain HTTP against it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from payi_otel.server.main import background_server
from payi_otel.server.store.engine import Store
from tests.support.postgresql import Cluster, NoPostgreSQL, running_cluster

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(running_cluster())
        except NoPostgreSQL as missing:
            pytest.skip(str(missing))
        yield running


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return str(tmp_path_factory.mktemp("server") / "payi.db")
    return request.getfixturevalue("cluster").new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind for one test alone."""
    if request.param == "sqlite":
        return str(tmp_path / "payi.db")
    return request.getfixturevalue("cluster").new_database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Its tables alone, without a server."""
    opened = Store(url)
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def server(database: str) -> Iterator[Any]:
    with background_server(database) as running:
        yield running


@pytest.fixture
def http(server: Any) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, headers={"xProxy-api-key": server.api_key}) as client:
        yield client


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Names nobody used before, so that tests may share one server."""
    return lambda prefix: f"{prefix}-{next(_numbers)}"


def event(**changes: Any) -> dict[str, Any]:
    """A small event of gpt-4o-mini: 1000 tokens in at 0.15 and 500 out at 0.60 dollars a million."""
    return {
        "category": "system.openai",
        "resource": "gpt-4o-mini",
        "units": {"text": {"input": 1000, "output": 500}},
        **changes,
    }


def stored(http: httpx2.Client, use_case_name: str) -> list[dict[str, Any]]:
    """What the server keeps of a use case."""
    answer = http.get("/api/v1/local/events", params={"use_case_name": use_case_name, "limit": 1000})
    assert answer.status_code == 200
    return answer.json()["items"]


def summary(http: httpx2.Client, use_case_name: str) -> dict[str, Any]:
    """The summary of a use case."""
    entries = http.get("/api/v1/local/summary").json()["use_cases"]
    (found,) = [entry for entry in entries if entry["use_case_name"] == use_case_name]
    return found


def code(answer: httpx2.Response) -> str | None:
    """The error code of an ApiError, whose shape is checked."""
    body = answer.json()
    assert body["statusCode"] == answer.status_code
    assert isinstance(body["message"], str)
    assert answer.headers["x-should-retry"] == "false"
    return body["xproxy_error"]["code"]


def deadlocks(store: Store) -> int:
    """How many PostgreSQL has resolved: the store would have tried again, and nobody had noticed."""
    if store.is_sqlite:
        return 0
    # A connection tells what it has counted when it ends.
    store.engine.dispose()
    with store.read() as connection:
        statement = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return connection.execute(statement).scalar_one()
