"""Figures for charts are those of the stored requests, however these came, changed and were priced anew."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, select

from payi_otel.server.pricing import UnitCount
from payi_otel.server.pricing_custom import UnitPrice
from payi_otel.server.store import insights, reprice, resources
from payi_otel.server.store.engine import Store
from payi_otel.server.store.figures import Figures, top
from payi_otel.server.store.histograms import bucket_of
from payi_otel.server.store.ingest import Event, store_events
from payi_otel.server.store.insights import DIMENSIONS, Scope
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.reprice import Selection
from payi_otel.server.store.rollups import hour_of, is_failure
from payi_otel.server.store.schema import requests

NOW = datetime(2026, 10, 20, 12, 30, tzinfo=timezone.utc)
START = datetime(2026, 10, 10, 5, 0, tzinfo=timezone.utc)
DAYS = 6


@pytest.fixture
def application(store: Store) -> int:
    with store.write() as connection:
        return ensure_application(connection, "insights", NOW).id


def some_event(chance: random.Random, number: int, **columns: Any) -> Event:
    use_case = chance.choice(["chat", "chat", "search", None])
    return Event(
        provider_response_id=f"event-{number}",
        columns={
            "category": chance.choice(["system.openai", "system.anthropic"]),
            "resource": chance.choice(["gpt-4o-mini", "gpt-4o", None]),
            "event_timestamp": START + timedelta(seconds=chance.randrange(DAYS * 86_400)),
            "http_status_code": chance.choice([200, 200, 200, 429, 500, None]),
            "end_to_end_latency_ms": chance.choice([None, chance.randrange(50, 9000)]),
            "time_to_first_token_ms": chance.choice([None, chance.randrange(0, 400)]),
            "user_id": chance.choice([None, "ann", "bo"]),
            "account_name": chance.choice([None, "acme"]),
            "use_case_step": None if use_case is None else chance.choice([None, "plan", "answer"]),
            **columns,
        },
        units={"text": UnitCount(chance.randrange(5000), chance.randrange(800))},
        use_case_name=use_case,
        use_case_id=None if use_case is None else f"instance-{chance.randrange(9)}",
        use_case_version=None if use_case is None else chance.choice([1, 2]),
    )


def send(store: Store, application: int, events: list[Event]) -> None:
    store.transact(lambda connection: store_events(connection, application, events, NOW, upsert=True))


def kept(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(requests)).mappings()]


def of_scope(rows: list[dict[str, Any]], scope: Scope) -> list[dict[str, Any]]:
    return [
        row
        for row in rows
        if hour_of(scope.start.astimezone(timezone.utc))
        <= hour_of(row["event_timestamp"])
        < hour_of(scope.end.astimezone(timezone.utc))
        and (scope.use_case is None or row["use_case_name"] == scope.use_case)
        and (scope.version is None or row["use_case_version"] == scope.version)
    ]


def expected(rows: list[dict[str, Any]], *, latencies: bool = True) -> dict[str, Any]:
    def counted(name: str) -> dict[int, int]:
        return dict(Counter(bucket_of(row[name]) for row in rows if row[name] is not None))

    return {
        "calls": len(rows),
        "failures": sum(is_failure(row) for row in rows),
        "unpriced": sum(bool(row["unknown_units"]) for row in rows),
        "tokens": (sum(row["input_tokens"] for row in rows), sum(row["output_tokens"] for row in rows)),
        "cost": sum((row["input_cost"] + row["output_cost"] for row in rows), Decimal(0)),
        "latency_ms": sum(row["end_to_end_latency_ms"] or 0 for row in rows),
        "latency": counted("end_to_end_latency_ms") if latencies else {},
        "first_token": counted("time_to_first_token_ms") if latencies else {},
    }


def shown(figures: Figures) -> dict[str, Any]:
    return {
        "calls": figures.calls,
        "failures": figures.failures,
        "unpriced": figures.unpriced,
        "tokens": (figures.input_tokens, figures.output_tokens),
        "cost": figures.cost,
        "latency_ms": figures.sums["latency_ms"],
        "latency": figures.latency.counts,
        "first_token": figures.first_token.counts,
    }


def grouped(rows: list[dict[str, Any]], by: str) -> dict[Any, list[dict[str, Any]]]:
    found: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[tuple(row[name] for name in DIMENSIONS[by])].append(row)
    return found


def scopes() -> list[Scope]:
    end = START + timedelta(days=DAYS)
    return [
        Scope(START - timedelta(days=1), end),
        Scope(START.replace(hour=0), end.replace(hour=0)),
        Scope(START + timedelta(hours=3), START + timedelta(hours=9)),
        Scope(START + timedelta(days=1, hours=2), START + timedelta(days=3, hours=11), "chat"),
        Scope(START, end, "chat", 2),
        Scope(end, end + timedelta(days=2)),
        # A zone whose hours begin at other minutes.
        Scope(
            datetime(2026, 10, 12, tzinfo=ZoneInfo("Asia/Kolkata")),
            datetime(2026, 10, 14, tzinfo=ZoneInfo("Asia/Kolkata")),
        ),
    ]


def assert_insights_are_of(connection: Connection, application: int) -> None:
    rows = kept(connection)
    for scope in scopes():
        mine = of_scope(rows, scope)
        assert shown(insights.totals(connection, application, scope)) == expected(mine), scope
        for by in DIMENSIONS:
            has_latencies = by not in {"user", "account", "step", "status"}
            parts = insights.breakdown(connection, application, scope, by, latencies=has_latencies)
            wanted = grouped(mine if by != "step" else [row for row in mine if row["use_case_name"]], by)
            assert {part.key: shown(part.figures) for part in parts} == {
                key: expected(group, latencies=has_latencies) for key, group in wanted.items()
            }, (scope, by)
            assert [part.figures.cost for part in parts] == sorted(
                (part.figures.cost for part in parts), reverse=True
            )


def test_figures_are_those_of_the_requests(store: Store, application: int) -> None:
    chance = random.Random(3)
    send(store, application, [some_event(chance, number) for number in range(300)])
    with store.read() as connection:
        assert_insights_are_of(connection, application)


def test_figures_follow_what_is_sent_again_and_priced_anew(store: Store, application: int) -> None:
    chance = random.Random(4)
    first = [some_event(chance, number) for number in range(120)]
    send(store, application, first)
    send(store, application, [some_event(chance, chance.randrange(120)) for _ in range(100)])
    # The same once more changes nothing.
    again = [some_event(chance, number) for number in range(30)]
    send(store, application, again)
    send(store, application, again)
    with store.read() as connection:
        assert_insights_are_of(connection, application)
    price = {"text": UnitPrice(Decimal("0.001"), Decimal("0.002"))}
    with store.write() as connection:
        start = START - timedelta(days=1)
        resources.add(connection, ("system.anthropic", "gpt-4o-mini"), price, {}, start, NOW)
    step = reprice.step(store, Selection(), 0)
    assert step is not None
    assert step.changed > 0
    with store.read() as connection:
        assert_insights_are_of(connection, application)


def test_many_writers_count_each_call_once(store: Store, application: int) -> None:
    def write(writer: int) -> None:
        chance = random.Random(writer)
        for _ in range(4):
            numbers = chance.sample(range(90), 40)
            send(store, application, [some_event(chance, number) for number in numbers])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    with store.read() as connection:
        assert_insights_are_of(connection, application)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_series_have_a_place_for_every_step(store: Store, application: int, zone: str) -> None:
    chance = random.Random(5)
    send(store, application, [some_event(chance, number) for number in range(150)])
    first = datetime(2026, 10, 9, tzinfo=ZoneInfo(zone))
    begins = [first + timedelta(days=day) for day in range(9)]
    scope = Scope(first, begins[-1] + timedelta(days=1), "chat")
    with store.read() as connection:
        rows = kept(connection)
        found = insights.series(connection, application, scope, begins)
        by_version = insights.series_by(connection, application, scope, "version", begins)
        nothing = insights.series(connection, application, Scope(scope.start, scope.end, "nobody"), begins)
    spans = [Scope(at, at + timedelta(days=1), "chat") for at in begins]
    assert [shown(one) for one in found] == [expected(of_scope(rows, span)) for span in spans]
    assert found[0].calls == 0
    assert [one.calls for one in nothing] == [0] * 9
    assert by_version.keys() == {(1,), (2,)}
    for (version,), figures in by_version.items():
        wanted = [
            [row for row in of_scope(rows, span) if row["use_case_version"] == version] for span in spans
        ]
        assert [shown(one) for one in figures] == [expected(group) for group in wanted]


def test_what_is_not_kept_by_the_hour_says_so(store: Store, application: int) -> None:
    with store.read() as connection, pytest.raises(ValueError, match="by: 'user' is not kept by the hour"):
        insights.series_by(connection, application, Scope(START, NOW), "user", [START])


def test_a_version_needs_its_use_case() -> None:
    with pytest.raises(ValueError, match="version: 2 says nothing without a use case"):
        Scope(START, NOW, version=2)


def test_when_versions_were_first_called(store: Store, application: int) -> None:
    chance = random.Random(6)
    events = [some_event(chance, number) for number in range(80)]
    send(store, application, events)
    with store.read() as connection:
        rows = [row for row in kept(connection) if row["use_case_name"] == "chat"]
        found = insights.first_calls(connection, application, "chat")
    for version in (1, 2):
        times = [row["event_timestamp"] for row in rows if row["use_case_version"] == version]
        assert found[version] == hour_of(min(times))


def test_the_rest_of_a_list_is_added_up(store: Store, application: int) -> None:
    chance = random.Random(8)
    users = [f"user-{number}" for number in range(7)]
    send(
        store,
        application,
        [some_event(chance, number, user_id=users[number % 7]) for number in range(70)],
    )
    with store.read() as connection:
        scope = Scope(START - timedelta(days=1), NOW)
        parts = insights.breakdown(connection, application, scope, "user")
        whole = insights.totals(connection, application, scope)
    first, rest = top(parts, 3)
    assert len(first) == 3
    assert rest is not None
    assert sum(part.figures.calls for part in first) + rest.calls == whole.calls == 70
    assert sum((part.figures.cost for part in first), rest.cost) == whole.cost
    assert top(parts, 7)[1] is None
    failed = whole.failed_share
    assert failed is not None
    assert math.isclose(failed, whole.failures / 70)
