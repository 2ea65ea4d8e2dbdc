"""What dashboards say of KPIs, on SQLite and PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from payi_otel.server.pricing import UnitCount
from payi_otel.server.store import instances, kpi_insights, kpis, use_cases
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ingest import Event, store_events
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.kpi_insights_results import KpiFilter, VersionResult
from payi_otel.server.store.kpis import Kpi
from payi_otel.server.store.rollups import hour_of

START = datetime(2026, 9, 1, tzinfo=timezone.utc)
NOW = START + timedelta(days=60)
# 1000 tokens in and 500 out of gpt-4o-mini.
CALL = Decimal("0.00045")


@dataclass(frozen=True)
class Run:
    """An instance with its score."""

    score: float | None
    day: float = 0.0
    version: int = 1
    calls: int = 1
    properties: Mapping[str, str] | None = None


@pytest.fixture
def application(store: Store) -> int:
    with store.write() as connection:
        return ensure_application(connection, "kpis", NOW).id


Fill = Callable[..., "tuple[Kpi, int]"]


@pytest.fixture
def fill(store: Store, application: int) -> Fill:
    def filled(
        runs: Sequence[Run],
        kpi_type: str = "number",
        goal: float = 1,
        use_case: str = "chat",
        name: str = "k",
    ) -> tuple[Kpi, int]:
        events = [
            Event(
                provider_response_id=f"{use_case}-{number}-{call}",
                columns={
                    "category": "system.openai",
                    "resource": "gpt-4o-mini",
                    "event_timestamp": START + timedelta(days=run.day),
                },
                units={"text": UnitCount(1000, 500)},
                use_case_name=use_case,
                use_case_id=f"i{number}",
                use_case_version=run.version,
                use_case_properties=run.properties or {},
            )
            for number, run in enumerate(runs)
            for call in range(run.calls)
        ]
        with store.write() as connection:
            store_events(connection, application, events, NOW, upsert=False)
            owner = use_cases.ensure(connection, application, use_case, NOW)
            kpi = kpis.define(connection, owner, name, NOW, description="", kpi_type=kpi_type, goal=goal)
            for number, run in enumerate(runs):
                if run.score is not None:
                    instance = instances.ensure(connection, application, owner, f"i{number}", NOW)
                    kpis.set_score(connection, kpi, instance, run.score, NOW)
        return kpi, owner.id

    return filled


def detail(store: Store, kpi: tuple[Kpi, int], wanted: KpiFilter | None = None, **options: Any) -> Any:
    with store.read() as connection:
        found = kpi_insights.detail(connection, *kpi, wanted or KpiFilter(), **options)
        alone = kpi_insights.result(connection, *kpi, wanted or KpiFilter())
    # The same scores, added up in another order.
    assert replace(alone, total=found.result.total) == found.result
    assert alone.total == pytest.approx(found.result.total)
    return found


def test_a_boolean_as_in_the_guide(store: Store, fill: Fill) -> None:
    """5.23 % true against a goal of 5.00 %, in smaller numbers."""
    found = detail(store, fill([Run(float(n < 11)) for n in range(200)], "boolean", 0.05))
    assert found.distribution == [("False", 189), ("True", 11)]
    assert found.result.average == pytest.approx(0.055)
    assert found.result.attainment == pytest.approx(1.1)
    assert found.result.is_met is True
    assert found.result.successes == 11
    assert found.result.cost_per_success == 200 * CALL / 11


def test_money_as_in_the_guide(store: Store, fill: Fill) -> None:
    found = detail(store, fill([Run(score) for score in (12.0, 13.41, 12.0)], goal=10.0), unit="$")
    assert found.result.average == pytest.approx(12.47)
    assert (found.result.is_met, found.result.successes) == (True, 3)
    assert sum(count for _, count in found.distribution) == 3
    assert all(label.startswith("$") for label, _ in found.distribution)


def test_a_likert_scale_as_in_the_guide(store: Store, fill: Fill) -> None:
    found = detail(store, fill([Run(score) for score in (5, 4, 4, 2.4, 3.85)], "likert5", 3.5))
    assert found.result.average == pytest.approx(3.85)
    assert found.distribution == [("1", 0), ("2", 1), ("3", 0), ("4", 3), ("5", 1)]
    assert (found.result.is_met, found.result.successes) == (True, 4)


def test_a_percentage(store: Store, fill: Fill) -> None:
    found = detail(store, fill([Run(score) for score in (0, 9.5, 55, 100, 130)], "percentage", 95))
    counts = dict(found.distribution)
    assert (counts["0-10"], counts["50-60"], counts["90-100"], counts["> 100"]) == (2, 1, 1, 1)
    assert "< 0" not in counts
    assert (found.result.is_met, found.result.successes) == (False, 2)


def test_use_cases_reviewed(store: Store, fill: Fill) -> None:
    """Of nine instances with requests eight have a score; one with a score has no requests."""
    runs = [Run(1.0) for _ in range(8)] + [Run(None), Run(1.0, calls=0)]
    found = detail(store, fill(runs)).result
    assert (found.scores, found.reviewed, found.instances) == (9, 8, 9)
    assert found.reviewed_share == pytest.approx(0.8889, abs=1e-4)


def test_nothing_is_said_of_nothing(store: Store, fill: Fill) -> None:
    for kpi_type in ("boolean", "number", "percentage", "likert7"):
        kpi = fill([Run(None)], kpi_type, use_case=kpi_type)
        found = detail(store, kpi)
        assert (found.result.average, found.result.attainment, found.result.is_met) == (None, None, None)
        assert (found.result.cost_per_success, found.trend, found.slots, found.versions) == (
            None,
            None,
            [],
            [],
        )
        assert sum(count for _, count in found.distribution) == 0
        assert detail(store, kpi, KpiFilter(NOW, NOW + timedelta(days=1))).result.reviewed_share is None


def test_a_goal_of_nothing_has_no_attainment(store: Store, fill: Fill) -> None:
    found = detail(store, fill([Run(2.0)], goal=0)).result
    assert (found.attainment, found.is_met) == (None, True)


def test_a_cleared_score_does_not_count(store: Store, application: int, fill: Fill) -> None:
    kpi = fill([Run(2.0), Run(4.0)])
    with store.write() as connection:
        owner = use_cases.get(connection, application, "chat")
        instance = instances.ensure(connection, application, owner, "i0", NOW)
        kpis.set_score(connection, kpi[0], instance, None, NOW)
    found = detail(store, kpi).result
    assert (found.scores, found.average, found.reviewed, found.instances) == (1, 4.0, 1, 2)


def test_change_over_days(store: Store, fill: Fill) -> None:
    found = detail(store, fill([Run(float(day % 30 + 1), day=day % 30 + 0.5) for day in range(60)]))
    assert [slot.start for slot in found.slots] == [START + timedelta(days=day) for day in range(30)]
    assert [(slot.scores, slot.average) for slot in found.slots[:2]] == [(2, 1.0), (2, 2.0)]
    assert found.trend.direction == "up"
    assert found.trend.slope == pytest.approx(1)


def test_points_of_other_lengths(store: Store, fill: Fill) -> None:
    """In Tokyo the first day began nine hours earlier."""
    kpi = fill([Run(1.0, day=hour / 24) for hour in range(0, 24, 3)])
    hours = detail(store, kpi, bucket=hour_of)
    assert [slot.start for slot in hours.slots] == [START + timedelta(hours=hour) for hour in range(0, 24, 3)]
    tokyo = timezone(timedelta(hours=9))
    days = detail(store, kpi, bucket=lambda at: at.astimezone(tokyo).replace(hour=0))
    assert [(slot.start.isoformat(), slot.scores) for slot in days.slots] == [
        ("2026-09-01T00:00:00+09:00", 5),
        ("2026-09-02T00:00:00+09:00", 3),
    ]


def test_filters(store: Store, fill: Fill) -> None:
    runs = [
        Run(1.0, day=0, version=1, properties={"model": "a", "tier": "x"}),
        Run(2.0, day=10, version=2, properties={"model": "a", "tier": "y", "größe": "ñ"}),
        Run(4.0, day=20, version=2, properties={"model": 'b\'s "own"', "tier": "x", 'the "x" $.y': "z"}),
    ]
    kpi = fill(runs)
    expected = [
        (KpiFilter(), [1.0, 2.0, 4.0]),
        (KpiFilter(version=2), [2.0, 4.0]),
        (KpiFilter(START + timedelta(days=10)), [2.0, 4.0]),
        (KpiFilter(START, START + timedelta(days=10)), [1.0]),
        (KpiFilter(properties={"model": "a"}), [1.0, 2.0]),
        (KpiFilter(properties={"größe": "ñ"}), [2.0]),
        (KpiFilter(properties={"model": "a", "tier": "x"}), [1.0]),
        (KpiFilter(properties={"model": 'b\'s "own"'}), [4.0]),
        (KpiFilter(properties={'the "x" $.y': "z"}), [4.0]),
        (KpiFilter(properties={"other": "a"}), []),
        (KpiFilter(START, NOW, 2, {"tier": "y"}), [2.0]),
    ]
    for wanted, scores in expected:
        found = detail(store, kpi, wanted).result
        assert (found.scores, found.total, found.instances) == (len(scores), sum(scores), len(scores)), wanted
        assert found.spend == CALL * len(scores)


def test_versions(store: Store, fill: Fill) -> None:
    found = detail(store, fill([Run(1.0), Run(3.0), Run(8.0, day=1.01, version=2)], goal=3))
    assert found.versions == [
        VersionResult(1, START, 2, 2.0, 1),
        VersionResult(2, START + timedelta(days=1), 1, 8.0, 1),
    ]


def test_the_list_of_all(store: Store, application: int, fill: Fill) -> None:
    fill([Run(1.0, day=0), Run(0.0, day=3, calls=3)], "boolean", 0.25, "chat", "solved")
    fill([Run(4.0, day=50), Run(None, day=50)], "likert5", 3.5, "ads", "liked")
    fill([], "number", 5, "ads", "nothing yet")

    def listed(connection: Connection, wanted: KpiFilter) -> list[Any]:
        return kpi_insights.overview(connection, application, wanted)

    with store.read() as connection:
        liked, nothing, solved = listed(connection, KpiFilter())
        for one, use_case in ((liked, "ads"), (nothing, "ads"), (solved, "chat")):
            owner = use_cases.get(connection, application, use_case)
            assert one.use_case_name == use_case
            assert one.result == kpi_insights.result(connection, one.kpi, owner.id, KpiFilter())
        assert nothing.result.average is None
        assert [slot.average for slot in solved.slots] == [1.0, 0.0]
        late = listed(connection, KpiFilter(START + timedelta(days=1), NOW))
        assert [one.result.scores for one in late] == [1, 0, 1]
        assert late[2].result.spend == 3 * CALL


@pytest.mark.parametrize("seed", range(3))
def test_as_counted_by_hand(seed: int, store: Store, fill: Fill) -> None:
    """Many runs of all kinds against plain sums."""
    chance = random.Random(seed)
    runs = [
        Run(
            score=chance.choice([None, round(chance.gauss(20, 9), 2)]),
            day=chance.uniform(0, 45),
            version=chance.randint(1, 3),
            calls=chance.randint(0, 2),
            properties={"model": chance.choice("ab")},
        )
        for _ in range(150)
    ]
    # Without a request an instance has neither a version nor a property, and is dated by its score.
    runs = [run if run.calls else Run(run.score, 60, 1, 0) for run in runs]
    kpi = fill(runs, goal=20)
    begin, end = START + timedelta(days=5), START + timedelta(days=40)
    for wanted in (
        KpiFilter(),
        KpiFilter(begin, end),
        KpiFilter(version=2),
        KpiFilter(properties={"model": "b"}),
    ):
        mine = [
            run
            for run in runs
            if (wanted.start is None or 5 <= run.day < 40)
            and wanted.version in (None, run.version)
            and (not wanted.properties or (run.properties or {}).get("model") == "b")
        ]
        scored = [run for run in mine if run.score is not None]
        reviewed = [run for run in scored if run.calls]
        found = detail(store, kpi, wanted)
        assert found.result.scores == len(scored) == sum(count for _, count in found.distribution)
        assert found.result.total == pytest.approx(sum(run.score or 0 for run in scored))
        assert found.result.successes == sum((run.score or 0) >= 20 for run in scored)
        assert found.result.instances == sum(run.calls > 0 for run in mine)
        assert found.result.reviewed == len(reviewed)
        assert found.result.spend == CALL * sum(run.calls for run in reviewed)
        assert sum(slot.scores for slot in found.slots) == len(scored)
        assert sum(version.scores for version in found.versions) == len(scored)
