"""Which resources were used that have units without a price, and which units they used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from payi_otel.server.store.schema_rollups import rollup_units, rollups


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A resource some of whose `calls` cost more than is known, the first of them in the hour from `since`."""

    category: str
    resource: str | None
    calls: int
    since: datetime


def unpriced(connection: Connection, application_id: int, since: datetime) -> list[Unpriced]:
    """All resources with units that have no price, used since then; those with most calls first."""
    number = func.sum(rollups.c.unpriced)
    statement = (
        select(
            rollups.c.category,
            rollups.c.resource,
            number.label("calls"),
            func.min(rollups.c.hour).label("since"),
        )
        .where(
            rollups.c.application_id == application_id,
            rollups.c.is_detailed.is_(False),
            rollups.c.hour >= since,
            rollups.c.unpriced > 0,
        )
        .group_by(rollups.c.category, rollups.c.resource)
        .order_by(number.desc(), rollups.c.category, rollups.c.resource)
    )
    return [
        Unpriced(row.category, row.resource, int(row.calls), row.since)
        for row in connection.execute(statement)
    ]


def used_units(connection: Connection, category: str, resource: str) -> Sequence[str]:
    """The units that calls to a resource had, of all applications: prices belong to all of them."""
    statement = (
        select(rollup_units.c.unit)
        .join_from(rollups, rollup_units, rollups.c.key == rollup_units.c.key)
        .where(rollups.c.category == category, rollups.c.resource == resource)
        .where((rollup_units.c.input > 0) | (rollup_units.c.output > 0))
        .distinct()
        .order_by(rollup_units.c.unit)
    )
    return list(connection.execute(statement).scalars())


def calls_of(connection: Connection, category: str, resource: str) -> int:
    """How many calls to a resource there were, of all applications."""
    statement = select(func.coalesce(func.sum(rollups.c.calls), 0)).where(
        rollups.c.is_detailed.is_(False), rollups.c.category == category, rollups.c.resource == resource
    )
    return int(connection.execute(statement).scalar_one())
