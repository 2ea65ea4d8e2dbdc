"""What is summed up of each instance follows its requests, and dates its scores."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, select

from payi_otel.server.pricing import UnitCount
from payi_otel.server.pricing_custom import UnitPrice
from payi_otel.server.store import instances, kpis, reprice, resources, use_cases
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ingest import Event, store_events
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.reprice import Selection
from payi_otel.server.store.schema import kpi_scores
from payi_otel.server.store.schema_instances import INSTANCE_SUMS, instance_sums
from payi_otel.server.store.types import read_sum
from payi_otel.server.store.values import facts

NOW = datetime(2026, 10, 20, 12, 30, tzinfo=timezone.utc)
EARLIER, LATER = NOW - timedelta(days=20), NOW - timedelta(days=3)


@pytest.fixture
def application(store: Store) -> int:
    with store.write() as connection:
        return ensure_application(connection, "sums", NOW).id


def event(number: int, at: datetime = LATER, **changes: Any) -> Event:
    made = Event(
        provider_response_id=f"event-{number}",
        columns={
            "category": "system.openai",
            "resource": "gpt-4o-mini",
            "event_timestamp": at,
            "http_status_code": 200,
            "end_to_end_latency_ms": 100,
        },
        units={"text": UnitCount(1000, 500)},
        use_case_name="chat",
        use_case_id="one",
    )
    return made._replace(**changes)


def send(store: Store, application: int, *events: Event, upsert: bool = True) -> None:
    store.transact(lambda connection: store_events(connection, application, events, NOW, upsert=upsert))


def sums(connection: Connection) -> dict[str, Any]:
    statement = select(instance_sums, instances.table.c.use_case_id).join_from(instance_sums, instances.table)
    return {row["use_case_id"]: dict(row) for row in connection.execute(statement).mappings()}


def cost(row: dict[str, Any]) -> Decimal:
    return read_sum(row["cost_whole"], row["cost_rest"])


def test_sums_follow_requests(store: Store, application: int) -> None:
    failed = {**event(2).columns, "http_status_code": 500, "event_timestamp": EARLIER}
    send(
        store, application, event(1), event(2, columns=failed), event(3, use_case_name=None, use_case_id=None)
    )
    with store.read() as connection:
        (row,) = sums(connection).values()
    assert (row["began_at"], row["ended_at"]) == (EARLIER, LATER)
    assert [row[name] for name in INSTANCE_SUMS[:5]] == [2, 1, 2000, 1000, 200]
    assert cost(row) == Decimal("0.0009")
    # The same again changes nothing; with more units it costs more.
    send(store, application, event(1))
    send(store, application, event(1), upsert=False)
    send(store, application, event(1, units={"text": UnitCount(2000, 500)}))
    with store.read() as connection:
        (row,) = sums(connection).values()
    assert (row["calls"], row["input_tokens"], cost(row)) == (2, 3000, Decimal("0.00105"))


def test_a_request_that_moves_takes_its_sums_along(store: Store, application: int) -> None:
    send(store, application, event(1))
    send(store, application, event(1, use_case_id="other"))
    with store.read() as connection:
        (row,) = sums(connection).values()
        assert (row["use_case_id"], row["calls"]) == ("other", 1)


def test_prices_change_what_an_instance_cost(store: Store, application: int) -> None:
    send(store, application, event(1))
    with store.write() as connection:
        prices = {"text": UnitPrice(Decimal("0.001"), Decimal("0.002"))}
        resources.add(connection, ("system.openai", "gpt-4o-mini"), prices, {}, EARLIER, NOW)
    assert reprice.step(store, Selection(), 0) is not None
    with store.read() as connection:
        (row,) = sums(connection).values()
    assert (row["calls"], cost(row)) == (1, Decimal(2))


def test_a_deleted_instance_has_none(store: Store, application: int) -> None:
    send(store, application, event(1))
    with store.write() as connection:
        use_case = use_cases.get(connection, application, "chat")
        found = instances.find(connection, use_case, "one")
        assert found is not None
        instances.remove(connection, found)
    with store.read() as connection:
        assert sums(connection) == {}
    # What becomes of its requests later does not count for anybody else.
    with store.write() as connection:
        prices = {"text": UnitPrice(Decimal("0.001"))}
        resources.add(connection, ("system.openai", "gpt-4o-mini"), prices, {}, EARLIER, NOW)
    reprice.step(store, Selection(), 0)
    with store.read() as connection:
        assert sums(connection) == {}


@pytest.mark.parametrize("score_first", [True, False])
def test_a_score_is_dated_by_its_instance(score_first: bool, store: Store, application: int) -> None:
    def score() -> None:
        with store.write() as connection:
            use_case = use_cases.ensure(connection, application, "chat", NOW)
            kpi = kpis.define(connection, use_case, "k", NOW, description="", kpi_type="number", goal=1)
            instance = instances.ensure(connection, application, use_case, "one", NOW, version=3)
            kpis.set_score(connection, kpi, instance, 1.0, NOW)

    if score_first:
        score()
        send(store, application, event(1))
    else:
        send(store, application, event(1, use_case_version=3))
        score()
    with store.read() as connection:
        (row,) = connection.execute(select(kpi_scores)).mappings().all()
    assert (row["at"], row["version"]) == (LATER, 3)
    send(store, application, event(2, at=EARLIER))
    send(store, application, event(3, at=LATER))
    with store.read() as connection:
        assert connection.execute(select(kpi_scores.c.at)).scalar_one() == EARLIER


def test_a_score_without_requests_is_dated_by_itself(store: Store, application: int) -> None:
    with store.write() as connection:
        use_case = use_cases.ensure(connection, application, "chat", NOW)
        kpi = kpis.define(connection, use_case, "k", NOW, description="", kpi_type="number", goal=1)
        instance = instances.ensure(connection, application, use_case, "one", NOW)
        kpis.set_score(connection, kpi, instance, 1.0, NOW)
    with store.read() as connection:
        assert connection.execute(select(kpi_scores.c.at)).scalar_one() == NOW


def test_many_writers_of_the_same_instances(store: Store, application: int) -> None:
    """The sums are those of the stored requests, whoever wrote them in whatever order."""

    def write(writer: int) -> None:
        order = random.Random(writer)
        for round_ in range(4):
            batch = [
                event(
                    number,
                    use_case_id=f"instance-{(number + round_) % 13}",
                    units={"text": UnitCount(number + writer, 1)},
                    use_case_properties={f"p{writer}": "set"},
                )
                for number in order.sample(range(60), 40)
            ]
            send(store, application, *batch)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    with store.read() as connection:
        kept = sums(connection)
        use_case = use_cases.get(connection, application, "chat")
        asked = facts(connection, application, use_case)
    for use_case_id, row in kept.items():
        metrics = asked[use_case_id].metrics
        assert [row["calls"], row["input_tokens"]] == [metrics["requests"], metrics["input_tokens"]]
        assert float(cost(row)) == pytest.approx(metrics["cost"])
    assert sum(row["calls"] for row in kept.values()) == 60
