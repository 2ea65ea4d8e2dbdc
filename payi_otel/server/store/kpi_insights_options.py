"""What KPI dashboards can be narrowed down by: versions and properties that instances of a use case have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, select

from payi_otel.server.store.schema import instances
from payi_otel.server.store.schema_instances import instance_sums
from payi_otel.server.store.use_cases import UseCase

_LATEST = 500
# With more values it is an id rather than a kind.
_MOST_VALUES = 30
_MOST_NAMES = 6


def property_values(
    connection: Connection, use_case: int, end: datetime | None = None
) -> dict[str, list[str]]:
    """The values of each property, of the latest instances that began before `end`.

    Properties with very many values are left out, and so are Pay-i's own.
    """
    statement = (
        select(instances.c.properties)
        .join_from(instance_sums, instances, instance_sums.c.instance == instances.c.id)
        .where(instance_sums.c.use_case == use_case)
        .order_by(instance_sums.c.began_at.desc())
        .limit(_LATEST)
    )
    if end is not None:
        statement = statement.where(instance_sums.c.began_at < end)
    found: dict[str, set[str]] = {}
    for properties in connection.execute(statement).scalars():
        for name, value in cast("Mapping[str, str | None]", properties).items():
            if value is not None and not name.startswith("system."):
                found.setdefault(name, set()).add(value)
    few = {name: sorted(values) for name, values in sorted(found.items()) if len(values) <= _MOST_VALUES}
    return dict(list(few.items())[:_MOST_NAMES])


def versions_of(connection: Connection, use_case: UseCase) -> list[int]:
    """The versions that instances have, and the present one."""
    statement = select(instance_sums.c.version).where(instance_sums.c.use_case == use_case.id).distinct()
    return sorted({*connection.execute(statement).scalars(), use_case.type_version})
