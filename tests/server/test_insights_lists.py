"""Lists of instances and requests, what instances were worth, and all of a KPI changed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from payi_otel.server.errors import ApiError
from payi_otel.server.pricing import UnitCount
from payi_otel.server.pricing_custom import UnitPrice
from payi_otel.server.store import (
    insights_instances,
    insights_requests,
    instances,
    kpi_changes,
    kpis,
    resources,
    use_cases,
    value_totals,
)
from payi_otel.server.store.costing import price_key, single_prices
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ingest import Event, store_events
from payi_otel.server.store.insights_instances import InstanceFilter
from payi_otel.server.store.insights_requests import RequestFilter
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.kpis import Kpi
from payi_otel.server.store.use_cases import UseCase
from payi_otel.server.store.values import Policy

NOW = datetime(2026, 10, 20, 12, 30, tzinfo=timezone.utc)
START, END = NOW - timedelta(days=10), NOW + timedelta(days=1)
INSTANCES = 7
OF_EACH = 3


@pytest.fixture
def application(store: Store) -> int:
    """Seven instances of a use case, a day apart, each of three requests at one time."""
    with store.write() as connection:
        application = ensure_application(connection, "lists", NOW).id
        price = {"text": UnitPrice(Decimal("0.001"), Decimal("0.002"))}
        resources.add(connection, ("acme", "model"), price, {}, START, NOW)
    events = [_event(number, place) for number in range(INSTANCES) for place in range(OF_EACH)]
    store.transact(lambda connection: store_events(connection, application, events, NOW, upsert=True))
    return application


def _event(number: int, place: int) -> Event:
    return Event(
        provider_response_id=f"event-{number}-{place}",
        columns={
            "category": "acme",
            "resource": "model",
            "event_timestamp": NOW - timedelta(days=number),
            "http_status_code": 500 if number == 2 else 200,
            "end_to_end_latency_ms": 100,
            "user_id": f"user-{number}",
        },
        units={"text": UnitCount(10, 5), "strange": UnitCount(1, 0)},
        use_case_name="chat",
        use_case_id=f"run/{number}%_",
        use_case_version=2 if number < 3 else 1,
        use_case_properties={"tier": "gold" if number % 2 else "silver", "run": str(number)},
    )


def chat(connection: Connection, application: int) -> UseCase:
    return use_cases.get(connection, application, "chat")


def pages(read: Any) -> list[Any]:
    """All items, page by page."""
    found: list[Any] = []
    cursor = None
    while True:
        page = read(cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


def test_instances_are_listed_once_the_latest_first(store: Store, application: int) -> None:
    with store.read() as connection:
        use_case = chat(connection, application)
        wanted = InstanceFilter(START, END)
        found = pages(lambda cursor: insights_instances.page(connection, use_case.id, wanted, cursor, 2))
        assert [one.use_case_id for one in found] == [f"run/{number}%_" for number in range(INSTANCES)]
        assert insights_instances.count(connection, use_case.id, wanted) == INSTANCES
        assert insights_instances.counts(connection, application, START, END) == {"chat": INSTANCES}
        first = found[0]
        assert (first.calls, first.failures, first.tokens, first.version) == (OF_EACH, 0, 45, 2)
        assert first.cost == Decimal("0.06")
        assert insights_instances.find(connection, first.id) == first


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": 1}, [3, 4, 5, 6]),
        ({"properties": {"tier": "gold"}}, [1, 3, 5]),
        ({"properties": {"tier": "gold", "run": "3"}}, [3]),
        ({"properties": {"nothing": "x"}}, []),
        ({"q": "RUN/4"}, [4]),
        ({"q": "5%_"}, [5]),
        ({"q": "_%"}, []),
        ({"start": NOW - timedelta(days=1, hours=1)}, [0, 1]),
        ({"end": NOW - timedelta(days=4)}, [5, 6]),
    ],
)
def test_instances_are_found(
    store: Store, application: int, changes: dict[str, Any], expected: list[int]
) -> None:
    wanted = InstanceFilter(**{"start": START, "end": END, **changes})
    with store.read() as connection:
        found = insights_instances.page(connection, chat(connection, application).id, wanted, None, 50)
    assert [one.use_case_id for one in found.items] == [f"run/{number}%_" for number in expected]


def test_spend_by_a_property(store: Store, application: int) -> None:
    with store.read() as connection:
        use_case = chat(connection, application)
        parts = insights_instances.by_property(connection, use_case.id, InstanceFilter(START, END), "tier")
        assert [(part.value, part.instances, part.calls, part.failures) for part in parts] == [
            ("silver", 4, 12, 3),
            ("gold", 3, 9, 0),
        ]
        assert [part.cost for part in parts] == [Decimal("0.24"), Decimal("0.18")]
        missing = insights_instances.by_property(connection, use_case.id, InstanceFilter(START, END), "no")
        assert [(part.value, part.instances) for part in missing] == [(None, INSTANCES)]


def test_requests_of_one_time_are_listed_once(store: Store, application: int) -> None:
    with store.read() as connection:
        wanted = RequestFilter(START, END)
        found = pages(
            lambda cursor: insights_requests.page(connection, application, "chat", wanted, cursor, 2)
        )
        assert len({one.id for one in found}) == len(found) == INSTANCES * OF_EACH
        assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)
        known = insights_requests.find(connection, application, found[0].request_id)
        assert known is not None
        assert known.cost == Decimal("0.02")
        assert insights_requests.find(connection, application + 1, found[0].request_id) is None
        calls = insights_requests.of_instance(connection, application, "chat", "run/3%_", 2)
        assert [one.values["user_id"] for one in calls] == ["user-3", "user-3"]


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"failed_only": True}, 3),
        ({"version": 2}, 9),
        ({"q": "user-4"}, 3),
        ({"q": "run/4%_"}, 3),
        ({"q": "event-4-1"}, 1),
        ({"q": "model"}, 21),
        ({"q": "mod"}, 0),
    ],
)
def test_requests_are_found(store: Store, application: int, changes: dict[str, Any], number: int) -> None:
    with store.read() as connection:
        wanted = RequestFilter(START, END, **changes)
        found = insights_requests.page(connection, application, "chat", wanted, None, 50)
    assert len(found.items) == number


def test_a_search_goes_on_where_it_stopped(
    store: Store, application: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insights_requests, "MOST_SEARCHED", 4)
    with store.read() as connection:
        for wanted, number in (
            (RequestFilter(START, END, q="user-5"), 3),
            (RequestFilter(START, END, failed_only=True), 3),
            (RequestFilter(START, END, q="model"), 21),
        ):
            found = pages(
                lambda cursor, wanted=wanted: insights_requests.page(
                    connection, application, "chat", wanted, cursor, 2
                )
            )
            assert len({one.id for one in found}) == len(found) == number


@pytest.mark.parametrize("cursor", ["x", "1", "-", "99999999999999999999-1", "2026-01-01T00:00:00.x"])
def test_a_cursor_of_nobody_is_refused(store: Store, application: int, cursor: str) -> None:
    with store.read() as connection:
        with pytest.raises(ApiError, match="cursor: "):
            insights_instances.page(connection, 1, InstanceFilter(START, END), cursor, 2)
        with pytest.raises(ApiError, match="cursor: "):
            insights_requests.page(connection, application, "chat", RequestFilter(START, END), cursor, 2)


def test_prices_of_single_units(store: Store, application: int) -> None:
    with store.read() as connection:
        (call,) = insights_requests.of_instance(connection, application, "chat", "run/1%_", 1)
        book = resources.price_book(connection, [price_key(call.values)])
        assert single_prices(call.values, book) == {
            "text": (Decimal("0.001"), Decimal("0.002")),
            "strange": (None, None),
        }
        managed = {**call.values, "category": "system.openai", "resource": "gpt-4o-mini"}
        book = resources.price_book(connection, [price_key(managed)])
        prices = single_prices(managed, book)
        assert prices["text"] == (Decimal("0.15") / 1_000_000, Decimal("0.60") / 1_000_000)
        assert prices["strange"] == (None, None)
        unknown = {**call.values, "category": "nobody", "resource": "nothing"}
        assert single_prices(unknown, resources.price_book(connection, [price_key(unknown)])) == {
            "text": (None, None),
            "strange": (None, None),
        }


def _kpi(connection: Connection, use_case: UseCase, name: str = "solved", kpi_type: str = "boolean") -> Kpi:
    return kpis.define(connection, use_case, name, NOW, description="", kpi_type=kpi_type, goal=0.5)


def _score(connection: Connection, use_case: UseCase, kpi: Kpi, number: int, score: float) -> None:
    instance = instances.find(connection, use_case, f"run/{number}%_")
    assert instance is not None
    kpis.set_score(connection, kpi, instance, score, NOW)


def test_what_instances_were_worth(store: Store, application: int) -> None:
    policy = Policy("kpis['solved'] * wage - cost", "3 if kpis['solved'] else 0", {"wage": 2.0})
    with store.write() as connection:
        use_case = chat(connection, application)
        kpi = _kpi(connection, use_case)
        for number, score in ((0, 1.0), (1, 0.0), (2, 1.0)):
            _score(connection, use_case, kpi, number, score)
    with store.read() as connection:
        found = value_totals.of_use_case(connection, use_case, policy, START, END)
        assert (found.instances, found.valued, found.time, found.is_part) == (INSTANCES, 3, 6.0, False)
        assert found.money == pytest.approx(2 * 2.0 - 3 * 0.06)
        assert found.cost == Decimal("0.42")
        assert found.roi == pytest.approx((3.82 - 0.42) / 0.42)
        later = value_totals.of_use_case(connection, use_case, policy, NOW - timedelta(hours=1), END)
        assert (later.instances, later.valued) == (1, 1)
        nothing = value_totals.of_use_case(connection, use_case, policy, END, END + timedelta(days=1))
        assert (nothing.instances, nothing.roi) == (0, None)


def test_of_very_many_instances_the_latest_count(
    store: Store, application: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(value_totals, "MOST", 2)
    policy = Policy("kpis['solved'] * 1", None, {})
    with store.write() as connection:
        use_case = chat(connection, application)
        kpi = _kpi(connection, use_case)
        for number in range(INSTANCES):
            _score(connection, use_case, kpi, number, 1.0)
        found = value_totals.of_use_case(connection, use_case, policy, START, END)
    assert (found.instances, found.money, found.is_part) == (2, 2.0, True)
    assert found.cost == Decimal("0.12")


@pytest.mark.parametrize(
    ("kpi_type", "goal", "fits"),
    [
        ("boolean", 0.0, True),
        ("boolean", 1.0, True),
        ("boolean", 1.01, False),
        ("percentage", 100.0, True),
        ("percentage", -1.0, False),
        ("likert5", 1.0, True),
        ("likert5", 0.9, False),
        ("likert7", 7.1, False),
        ("likert10", 10.0, True),
        ("number", -1e9, True),
    ],
)
def test_goals_of_types(kpi_type: str, goal: float, fits: bool) -> None:
    if fits:
        assert kpi_changes.checked_goal(kpi_type, goal) == goal
    else:
        with pytest.raises(ApiError, match="goal: give"):
            kpi_changes.checked_goal(kpi_type, goal)


@pytest.mark.parametrize(
    ("scores", "new_type", "fits"),
    [
        ((), "likert5", True),
        ((0.0, 1.0), "number", True),
        ((0.0, 1.0), "percentage", True),
        ((0.0, 1.0), "likert5", False),
        ((1.0,), "likert5", True),
    ],
)
def test_a_new_type_must_fit_the_scores(
    store: Store, application: int, scores: tuple[float, ...], new_type: str, fits: bool
) -> None:
    def change(connection: Connection) -> None:
        kpi_changes.redefine(
            connection, use_case, kpi, NOW, name="speed", description="x", kpi_type=new_type, goal=1.0
        )

    with store.write() as connection:
        use_case = chat(connection, application)
        kpi = _kpi(connection, use_case)
        for number, score in enumerate(scores):
            _score(connection, use_case, kpi, number, score)
        if fits:
            change(connection)
            changed = kpi_changes.get_by_id(connection, use_case, kpi.id)
            assert (changed.name, changed.kpi_type, changed.goal) == ("speed", new_type, 1.0)
        else:
            with pytest.raises(ApiError, match="kpi_type: it has scores from"):
                change(connection)


def test_fractions_are_neither_true_nor_false(store: Store, application: int) -> None:
    with store.write() as connection:
        use_case = chat(connection, application)
        kpi = _kpi(connection, use_case, "share", "number")
        for number, score in enumerate((0.0, 0.5, 1.0)):
            _score(connection, use_case, kpi, number, score)
        with pytest.raises(ApiError, match="kpi_type: it has scores from 0 to 1"):
            kpi_changes.redefine(
                connection, use_case, kpi, NOW, name="share", description="", kpi_type="boolean", goal=0.5
            )


def test_a_name_belongs_to_one_kpi(store: Store, application: int) -> None:
    with store.write() as connection:
        use_case = chat(connection, application)
        kpi, other = _kpi(connection, use_case), _kpi(connection, use_case, "other")
        with pytest.raises(ApiError, match="name: other is another KPI's"):
            kpi_changes.redefine(
                connection, use_case, kpi, NOW, name=other.name, description="", kpi_type="boolean", goal=0.5
            )
        with pytest.raises(ApiError, match="not there any more"):
            kpi_changes.get_by_id(connection, use_case, other.id + 100)
