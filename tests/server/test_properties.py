"""Whatever is sent, in whatever order and however often: roll-ups and limits are the sums of the requests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from payi_otel.server.pricing import UnitCount
from payi_otel.server.store import limits
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ingest import Event, store_events
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.limits import NewLimit
from payi_otel.server.store.schema_limits import STATES, limit_periods
from payi_otel.server.store.schema_rollups import rollups
from payi_otel.server.store.summary import summarize
from payi_otel.server.store.types import read_sum

NOW = datetime(2026, 10, 20, 12, 30, tzinfo=timezone.utc)
# gpt-4o-mini: 0.15 dollars a million in, 0.60 out.
INPUT, OUTPUT = Decimal("0.00000015"), Decimal("0.0000006")
LIMITS = ("a", "b")
_applications = itertools.count()


@dataclass(frozen=True)
class Sent:
    """One event as it is sent."""

    number: int
    input: int
    output: int
    limit_ids: tuple[str, ...]
    use_case: str
    hour: int

    @property
    def cost(self) -> Decimal:
        return self.input * INPUT + self.output * OUTPUT


counts = st.integers(0, 2**31 - 1)
events = st.builds(
    Sent,
    st.integers(0, 4),
    counts,
    counts,
    st.lists(st.sampled_from([*LIMITS, "unknown"]), unique=True).map(tuple),
    st.sampled_from(["one", "two"]),
    st.integers(0, 3),
)
batches = st.lists(st.tuples(st.lists(events, max_size=6), st.booleans(), st.booleans()), max_size=5)


@pytest.fixture(scope="module")
def store(database: str) -> Iterator[Store]:
    opened = Store(database)
    yield opened
    opened.close()


def to_event(sent: Sent) -> Event:
    return Event(
        provider_response_id=f"event-{sent.number}",
        columns={
            "category": "system.openai",
            "resource": "gpt-4o-mini",
            "event_timestamp": NOW - timedelta(hours=sent.hour),
            "limit_ids": list(sent.limit_ids),
        },
        units={"text": UnitCount(sent.input, sent.output)},
        use_case_name=sent.use_case,
        use_case_id="id",
    )


@given(batches)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_totals_are_the_sums_of_the_requests(
    store: Store, sequence: list[tuple[list[Sent], bool, bool]]
) -> None:
    with store.write() as connection:
        application = ensure_application(connection, f"application-{next(_applications)}", NOW).id
        for name in LIMITS:
            limits.create(connection, application, NewLimit(name, Decimal(1), limit_id=name), NOW)
    known: dict[int, Sent] = {}
    for batch, upsert, reset in sequence:
        items = [to_event(sent) for sent in batch]
        store.transact(
            lambda connection, items=items, upsert=upsert: store_events(
                connection, application, items, NOW, upsert=upsert
            )
        )
        for sent in batch:
            if upsert or sent.number not in known:
                known[sent.number] = sent
        if reset:
            with store.write() as connection:
                limits.reset(connection, application, "a", NOW)
    with store.read() as connection:
        found = {one.name: one for one in summarize(connection, application) if one.totals.calls}
        for name in ("one", "two"):
            mine = [sent for sent in known.values() if sent.use_case == name]
            totals = found[name].totals if mine else None
            assert (totals is None) == (name not in found)
            if totals is not None:
                assert (totals.calls, totals.cost) == (len(mine), sum(sent.cost for sent in mine))
                units = found[name].units.get("text", UnitCount())
                assert units.input == sum(sent.input for sent in mine)
        by_hour = _calls_by_hour(connection, application)
        hours = [NOW.replace(minute=0) - timedelta(hours=sent.hour) for sent in known.values()]
        assert by_hour == {hour: hours.count(hour) for hour in set(hours)}
        for name in LIMITS:
            mine = [sent for sent in known.values() if name in sent.limit_ids]
            assert _spent(connection, application, name) == (len(mine), sum(sent.cost for sent in mine))


def _calls_by_hour(connection: Any, application: int) -> dict[datetime, int]:
    statement = (
        select(rollups.c.hour, func.sum(rollups.c.calls).label("calls"))
        .where(rollups.c.application_id == application, rollups.c.is_detailed.is_(True))
        .group_by(rollups.c.hour)
    )
    return {row.hour: int(row.calls) for row in connection.execute(statement) if row.calls}


def _spent(connection: Any, application: int, limit_id: str) -> tuple[int, Decimal]:
    """What went through a limit in all its periods together."""
    limit = limits.get(connection, application, limit_id)
    rows = connection.execute(select(limit_periods).where(limit_periods.c.limit == limit.id)).all()
    counted = sum(getattr(row, state) for row in rows for state in STATES)
    assert all(getattr(row, state) >= 0 for row in rows for state in STATES)
    parts = [(row.input_whole + row.output_whole, row.input_rest + row.output_rest) for row in rows]
    return counted, sum((read_sum(*part) for part in parts), Decimal(0))
