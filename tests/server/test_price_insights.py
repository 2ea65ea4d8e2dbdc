"""What was used without a price, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from payi_otel.server.pricing import UnitCount
from payi_otel.server.pricing_custom import UnitPrice
from payi_otel.server.store import reprice, resources, use_cases
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ingest import Event, store_events
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.price_insights import Unpriced, calls_of, unpriced, used_units
from payi_otel.server.store.reprice import Selection
from payi_otel.server.store.value_preview import latest

NOW = datetime(2026, 10, 20, 12, 30, tzinfo=timezone.utc)


@pytest.fixture
def application(store: Store) -> int:
    """With five calls to a model nobody knows, two of them a month ago, and one to a known one."""
    events = [
        Event(
            provider_response_id=f"event-{number}",
            columns={
                "category": "acme",
                "resource": "m",
                "event_timestamp": NOW - timedelta(days=30 if number < 2 else 0, hours=number),
            },
            units={"text": UnitCount(1000, 500), "page": UnitCount(1, 0)},
            use_case_name="chat",
            use_case_id=f"i{number}",
        )
        for number in range(5)
    ]
    known = {"category": "system.openai", "resource": "gpt-4o-mini", "event_timestamp": NOW}
    events.append(Event(provider_response_id="known", columns=known, units={"text": UnitCount(10, 10)}))
    with store.write() as connection:
        made = ensure_application(connection, "prices", NOW).id
        store_events(connection, made, events, NOW, upsert=False)
    return made


def test_what_has_no_price_until_it_is_priced(store: Store, application: int) -> None:
    long_ago = NOW - timedelta(days=365)
    with store.read() as connection:
        first = (NOW - timedelta(days=30, hours=1)).replace(minute=0)
        assert unpriced(connection, application, long_ago) == [Unpriced("acme", "m", 5, first)]
        (lately,) = unpriced(connection, application, NOW - timedelta(days=7))
        assert lately.calls == 3
        assert used_units(connection, "acme", "m") == ["page", "text"]
        assert (calls_of(connection, "acme", "m"), calls_of(connection, "acme", "other")) == (5, 0)
        assert unpriced(connection, application + 1, long_ago) == []
    with store.write() as connection:
        prices = {"text": UnitPrice(Decimal(1), Decimal(1)), "page": UnitPrice(Decimal(2))}
        resources.add(connection, ("acme", "m"), prices, {}, long_ago, NOW)
    step = reprice.step(store, Selection(category="acme", resource="m"), 0)
    assert step is not None
    assert (step.seen, step.changed, step.difference) == (5, 5, Decimal(7510))
    with store.read() as connection:
        assert unpriced(connection, application, long_ago) == []


def test_the_latest_instances(store: Store, application: int) -> None:
    with store.read() as connection:
        use_case = use_cases.get(connection, application, "chat")
        found = latest(connection, use_case, 3)
    assert [one.use_case_id for one in found] == ["i2", "i3", "i4"]
    assert found[0].began_at == NOW - timedelta(hours=2)
    assert (found[0].facts.metrics["requests"], found[0].facts.metrics["input_tokens"]) == (1.0, 1000.0)
