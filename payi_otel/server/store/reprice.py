"""Pricing stored requests anew, after a price was corrected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from payi_otel.server.pricing import UnitCount
from payi_otel.server.store import instance_sums, limit_counts, resources, rollups
from payi_otel.server.store.costing import price_key, priced
from payi_otel.server.store.engine import Store
from payi_otel.server.store.limit_counts import Change
from payi_otel.server.store.schema import requests

_AT_ONCE = 500
# What pricing says itself; it says it anew.
_PRICING_WARNINGS = ("unknown_", "implausible_cost", "tier_unpriced", "speed_unpriced", "scope_unpriced")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which requests: of a time from `start` (inclusive) to `end` (exclusive), of a category, of a resource."""

    start: datetime | None = None
    end: datetime | None = None
    category: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction has done: requests looked at and changed, by how much, and where to go on after."""

    seen: int
    changed: int
    difference: Decimal
    last_id: int


def count(store: Store, selection: Selection) -> int:
    """How many requests there are to price anew."""
    with store.read() as connection:
        return connection.execute(_chosen(select(func.count(requests.c.id)), selection)).scalar_one()


def step(store: Store, selection: Selection, after: int, *, dry_run: bool = False) -> Step | None:
    """Price the next requests after a row id anew, in one transaction; None when there are no more.

    Limits and roll-ups follow. With `dry_run` nothing is changed.
    """
    return store.transact(lambda connection: _step(connection, selection, after, dry_run))


def _step(connection: Connection, selection: Selection, after: int, dry_run: bool) -> Step | None:
    statement = _chosen(select(requests), selection).where(requests.c.id > after)
    statement = statement.order_by(requests.c.id).limit(_AT_ONCE).with_for_update()
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    if not rows:
        return None
    book = resources.price_book(connection, (price_key(row) for row in rows))
    changed: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for row in rows:
        units = {name: UnitCount(**count) for name, count in row["units"].items()}
        kept = [one for one in row["warnings"] if not one.startswith(_PRICING_WARNINGS)]
        after_row = row | priced(units, row, kept, book)
        if after_row != row:
            changed.append((row, after_row))
    if not dry_run:
        _save(connection, changed)
    difference = sum((_cost(new) - _cost(old) for old, new in changed), Decimal(0))
    return Step(len(rows), len(changed), difference, rows[-1]["id"])


def _save(connection: Connection, changed: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    for old, new in changed:
        values = {name: value for name, value in new.items() if value != old[name]}
        connection.execute(update(requests).where(requests.c.id == new["id"]).values(**values))
    for application_id in sorted({old["application_id"] for old, _ in changed}):
        mine = [pair for pair in changed if pair[0]["application_id"] == application_id]
        # Not those it names: a limit of that id that was made later has never counted it.
        counted = limit_counts.states(connection, (old["id"] for old, _ in mine))
        changes = [
            Change(
                request=new["id"],
                limit_ids=list(counted.get(new["id"], ())),
                cost=(new["input_cost"], new["output_cost"]),
                before=(old["input_cost"], old["output_cost"]),
            )
            for old, new in mine
        ]
        deltas = [delta for old, new in mine for delta in (rollups.Delta(old, -1), rollups.Delta(new))]
        instance_sums.apply(connection, application_id, deltas)
        limit_counts.count(connection, application_id, changes)
        rollups.apply(connection, application_id, deltas)


def _chosen(statement: Select[Any], selection: Selection) -> Select[Any]:
    if selection.start is not None:
        statement = statement.where(requests.c.event_timestamp >= selection.start)
    if selection.end is not None:
        statement = statement.where(requests.c.event_timestamp < selection.end)
    for column, wanted in (
        (func.coalesce(requests.c.price_as_category, requests.c.category), selection.category),
        (func.coalesce(requests.c.price_as_resource, requests.c.resource), selection.resource),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return statement


def _cost(row: dict[str, Any]) -> Decimal:
    return row["input_cost"] + row["output_cost"]
