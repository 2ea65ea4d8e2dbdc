"""Opening databases: migrations, what they refuse, and many writers at once."""

from __future__ import annotations

import itertools
import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from payi_otel.server.main import background_server
from payi_otel.server.pricing import UnitCount
from payi_otel.server.store import rollups
from payi_otel.server.store.engine import Overtaken, Store, database_url
from payi_otel.server.store.ingest import Event, store_events
from payi_otel.server.store.keys import ensure_application, list_applications
from payi_otel.server.store.schema import instances, requests
from payi_otel.server.store.schema_all import metadata
from payi_otel.server.store.schema_rollups import rollup_units
from payi_otel.server.store.types import read_sum
from tests.server.conftest import deadlocks, event, stored, summary
from tests.support.postgresql import Cluster

NOW = datetime(2026, 10, 20, 12, 30, tzinfo=timezone.utc)


def test_the_migrations_make_the_tables_of_the_schema(store: Store) -> None:
    with store.write() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


def test_opening_at_once_and_again(url: str) -> None:
    def opened(_: int) -> int:
        store = Store(url)
        try:
            with store.read() as connection:
                return connection.execute(select(func.count()).select_from(requests)).scalar_one()
        finally:
            store.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(opened, range(4))) == [0] * 4


def test_a_database_without_migrations_is_refused(tmp_path: Path) -> None:
    older = sqlite3.connect(tmp_path / "old.db")
    older.execute("CREATE TABLE requests (id INTEGER)")
    older.commit()
    older.close()
    with pytest.raises(RuntimeError, match="move it away"):
        Store(tmp_path / "old.db")


@pytest.mark.parametrize("wrong", ["mysql://a/b", "postgresql+asyncpg://a/b", "http://x"])
def test_another_database_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"database: cannot use .*postgresql://"):
        database_url(wrong)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in database_url("postgresql://me:secret@db/payi").render_as_string()


def test_reading_cannot_write(cluster: Cluster) -> None:
    store = Store(cluster.new_database())
    try:
        with pytest.raises(DBAPIError, match="read-only"), store.read() as connection:
            ensure_application(connection, "any", NOW)
    finally:
        store.close()


def _event(number: int, generation: int) -> Event:
    """An event of one of a few use cases, users and instances; its count is different in each generation."""
    return Event(
        provider_response_id=f"event-{number}",
        columns={
            "category": "system.openai",
            "resource": "gpt-4o-mini",
            "event_timestamp": NOW,
            "user_id": f"user-{number % 5}",
            "http_status_code": 500 if number % 7 == 0 else 200,
        },
        units={"text": UnitCount(number + generation, 1)},
        use_case_name=f"case-{number % 3}",
        use_case_id=f"instance-{number % 11}",
        use_case_properties={f"property-{generation}": "set"},
    )


@pytest.mark.parametrize("upsert", [False, True])
def test_eight_writers_of_the_same_and_of_different_events(store: Store, upsert: bool) -> None:
    """Totals are exact and nobody is refused: no deadlock, no lost update."""
    events = 120
    with store.write() as connection:
        application = ensure_application(connection, "busy", NOW).id

    def write(writer: int) -> None:
        order = random.Random(writer)
        for round_ in range(4):
            numbers = order.sample(range(events), 60)
            batch = [_event(number, writer * 4 + round_) for number in numbers]
            store.transact(
                lambda connection, batch=batch: store_events(
                    connection, application, batch, NOW, upsert=upsert
                )
            )
        rest = [_event(number, 99) for number in order.sample(range(events), events)]
        store.transact(lambda connection: store_events(connection, application, rest, NOW, upsert=upsert))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with store.read() as connection:
        rows = connection.execute(select(requests)).mappings().all()
        assert len(rows) == len({row["provider_response_id"] for row in rows}) == events
        if upsert:
            assert {row["units"]["text"]["input"] - int(row["provider_response_id"][6:]) for row in rows} == {
                99
            }
        _assert_rollups_are_the_sums(connection, rows)
        kept = connection.execute(select(instances)).mappings().all()
        assert len(kept) == len({(row["use_case"], row["use_case_id"]) for row in kept}) == 33
        assert upsert is False or all("property-99" in row["properties"] for row in kept)
    assert deadlocks(store) == 0


def _assert_rollups_are_the_sums(connection: Any, rows: Any) -> None:
    table = rollups.rollups
    money = [f"{side}_{part}" for side in ("input", "output") for part in ("whole", "rest")]
    names = ("calls", "failures", "input_tokens", *money)
    for is_detailed in (True, False):
        statement = select(*(func.sum(table.c[name]) for name in names))
        sums = [
            int(number)
            for number in connection.execute(statement.where(table.c.is_detailed.is_(is_detailed))).one()
        ]
        assert sums[:3] == [
            len(rows),
            sum(row["http_status_code"] == 500 for row in rows),
            sum(row["units"]["text"]["input"] for row in rows),
        ]
        cost = read_sum(sums[3], sums[4]) + read_sum(sums[5], sums[6])
        assert cost == sum((row["input_cost"] + row["output_cost"] for row in rows), Decimal(0))
    units = connection.execute(select(func.sum(rollup_units.c.input))).scalar_one()
    assert int(units) == sum(row["units"]["text"]["input"] for row in rows)


def test_a_transaction_that_was_overtaken_begins_anew(store: Store) -> None:

    attempts = itertools.count(1)

    def work(connection: Any) -> int:
        ensure_application(connection, f"attempt-{(attempt := next(attempts))}", NOW)
        if attempt < 3:
            raise Overtaken
        return attempt

    assert store.transact(work) == 3

    with store.read() as connection:
        assert [one.name for one in list_applications(connection)] == ["attempt-3"]


def test_two_servers_share_one_database(cluster: Cluster) -> None:
    """The same events to both at once, and a key made at one: stored once, counted once, known to both."""
    url, key = cluster.new_database(), "sk-shared"
    items: list[Any] = [
        event(provider_response_id=f"shared-{number}", use_case_name="shared", limit_ids=["shared"])
        for number in range(60)
    ]
    with background_server(url, api_key=key) as one, background_server(url) as other:

        def post(worker: int) -> int:
            server = (one, other)[worker % 2]
            with httpx2.Client(base_url=server.url, headers={"xProxy-api-key": key}, timeout=60) as http:
                mine = items[worker * 7 :] + items[: worker * 7]
                return http.post("/api/v1/ingest/bulk-upsert", json=mine).status_code

        with httpx2.Client(base_url=other.url, headers={"xProxy-api-key": key}, timeout=60) as http:
            http.post("/api/v1/limits", json={"limit_name": "shared", "limit_id": "shared", "max": 1})
            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(post, range(8))) == {200}
            assert len(stored(http, "shared")) == 60
            assert summary(http, "shared")["calls"] == 60
            totals = http.get("/api/v1/limits/shared").json()["limit"]["totals"]
    assert (totals["requests"]["total"], totals["cost"]["total"]["base"]) == (60, 0.027)
