"""Limits that many writers count at the same time: nothing is lost, and nobody waits in a circle."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from payi_otel.server.pricing import UnitCount
from payi_otel.server.store import limits
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ingest import Event, store_events
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.limits import NewLimit
from payi_otel.server.store.schema_limits import STATES, limit_periods
from payi_otel.server.store.types import read_sum
from tests.server.conftest import deadlocks

NOW = datetime(2026, 10, 20, 12, 30, tzinfo=timezone.utc)
NAMES = ("a", "b", "c", "d")
WRITERS, BATCHES, SIZE = 8, 12, 5
# 7 cached tokens at 0.075 dollars a million.
COST = 7 * Decimal("0.000000075")


def _event(number: str, order: random.Random) -> Event:
    """One of a user of its own, so that writers meet at the limits and not before."""
    return Event(
        provider_response_id=number,
        columns={
            "category": "system.openai",
            "resource": "gpt-4o-mini",
            "event_timestamp": NOW,
            "user_id": number,
            "limit_ids": order.sample(NAMES, 2),
        },
        units={"text_cache_read": UnitCount(7)},
    )


def test_eight_writers_of_different_events(store: Store) -> None:
    """And one who resets a limit and raises its maximum meanwhile."""
    with store.write() as connection:
        application = ensure_application(connection, "busy", NOW).id
        for name in NAMES:
            limits.create(connection, application, NewLimit(name, Decimal(1), limit_id=name), NOW)
    done = threading.Event()

    def write(writer: int) -> list[Event]:
        order = random.Random(writer)
        sent: list[Event] = []
        for batch in range(BATCHES):
            events = [_event(f"{writer}-{batch}-{number}", order) for number in range(SIZE)]
            sent += events
            store.transact(
                lambda connection, events=events: store_events(
                    connection, application, events, NOW, upsert=False
                )
            )
        return sent

    def manage() -> None:
        maximum = Decimal(1)
        while not done.wait(0.02):
            maximum += 1
            with store.write() as connection:
                limits.change(connection, application, "a", NOW, max=maximum)
            with store.write() as connection:
                limits.reset(connection, application, "b", NOW)

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        managing = pool.submit(manage)
        sent = [event for events in pool.map(write, range(WRITERS)) for event in events]
        done.set()
        managing.result()
    with store.read() as connection:
        for name in NAMES:
            wanted = sum(name in event.columns["limit_ids"] for event in sent)
            assert _counted(connection, application, name) == (wanted, wanted * COST)
    assert deadlocks(store) == 0


def _counted(connection: Any, application: int, name: str) -> tuple[int, Decimal]:
    """The requests and their cost of all periods of a limit."""
    limit = limits.get(connection, application, name)
    rows = connection.execute(select(limit_periods).where(limit_periods.c.limit == limit.id)).all()
    requests = sum(getattr(row, state) for row in rows for state in STATES)
    cost = sum((read_sum(row.input_whole, row.input_rest) for row in rows), Decimal(0))
    return requests, cost
