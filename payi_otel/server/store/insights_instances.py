"""Instances of a use case as the portal lists them: what each cost, by when they began and by their properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from payi_otel.server.errors import ApiError
from payi_otel.server.store.pages import Page
from payi_otel.server.store.schema import instances, use_cases
from payi_otel.server.store.schema_instances import instance_sums
from payi_otel.server.store.types import read_sum


@dataclass(frozen=True, slots=True)
class InstanceFilter:
    """Instances that began from `start` (inclusive) to `end` (exclusive); `q` is a part of their ids."""

    start: datetime
    end: datetime
    version: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict[str, str])
    q: str = ""


@dataclass(frozen=True, slots=True)
class InstanceLine:
    """An instance and its sums; `cost` in US dollars, the times those of its first and last request."""

    id: int
    use_case_id: str
    version: int
    properties: Mapping[str, str | None]
    began_at: datetime
    ended_at: datetime
    calls: int
    failures: int
    tokens: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class PropertyPart:
    """The instances with one value of a property, None for those without it."""

    value: str | None
    instances: int
    calls: int
    failures: int
    cost: Decimal


def page(
    connection: Connection, use_case: int, wanted: InstanceFilter, cursor: str | None, limit: int
) -> Page[InstanceLine]:
    """The instances of a use case, by row id, the last begun first. Raises `ApiError` for a cursor that is none."""
    c = instance_sums.c
    statement: Select[Any] = select(instance_sums, instances.c.use_case_id, instances.c.properties).join_from(
        instance_sums, instances
    )
    statement = statement.where(*_where(use_case, wanted)).order_by(c.began_at.desc(), c.instance.desc())
    if cursor:
        began_at, instance = _decoded(cursor)
        statement = statement.where(c.began_at <= began_at, or_(c.began_at < began_at, c.instance < instance))
    rows = connection.execute(statement.limit(limit + 1)).all()
    lines = [_read(row) for row in rows[:limit]]
    after = f"{lines[-1].began_at.timestamp():.0f}-{lines[-1].id}" if len(rows) > limit else None
    return Page(lines, after)


def find(connection: Connection, instance: int) -> InstanceLine | None:
    """The sums of one instance, by row id; None before its first request."""
    statement = select(instance_sums, instances.c.use_case_id, instances.c.properties).join_from(
        instance_sums, instances
    )
    row = connection.execute(statement.where(instance_sums.c.instance == instance)).first()
    return None if row is None else _read(row)


def counts(connection: Connection, application_id: int, start: datetime, end: datetime) -> dict[str, int]:
    """How many instances of each use case began in a time, by its name."""
    c = instance_sums.c
    ids = {
        row.id: row.name
        for row in connection.execute(
            select(use_cases.c.id, use_cases.c.name).where(use_cases.c.application_id == application_id)
        )
    }
    statement = (
        select(c.use_case, func.count().label("number"))
        .where(c.use_case.in_(list(ids)), c.began_at >= start, c.began_at < end)
        .group_by(c.use_case)
    )
    return {ids[row.use_case]: row.number for row in connection.execute(statement)}


def count(connection: Connection, use_case: int, wanted: InstanceFilter) -> int:
    """How many instances there are, whatever their ids and properties."""
    plain = InstanceFilter(wanted.start, wanted.end, wanted.version)
    statement = select(func.count()).select_from(instance_sums).where(*_where(use_case, plain))
    return connection.execute(statement).scalar_one()


def by_property(
    connection: Connection, use_case: int, wanted: InstanceFilter, name: str
) -> list[PropertyPart]:
    """The instances by the value of a property, what cost most first."""
    value = _property(name)
    sums = [
        func.sum(instance_sums.c[one]).label(one) for one in ("calls", "failures", "cost_whole", "cost_rest")
    ]
    statement = (
        select(value.label("value"), func.count().label("instances"), *sums)
        .join_from(instance_sums, instances)
        .where(*_where(use_case, wanted))
        .group_by(value)
    )
    parts = [
        PropertyPart(
            row.value,
            row.instances,
            int(row.calls),
            int(row.failures),
            read_sum(row.cost_whole, row.cost_rest),
        )
        for row in connection.execute(statement)
    ]
    return sorted(parts, key=lambda part: (-part.cost, -part.instances, part.value or ""))


def _where(use_case: int, wanted: InstanceFilter) -> list[ColumnElement[bool]]:
    c = instance_sums.c
    found = [c.use_case == use_case, c.began_at >= wanted.start, c.began_at < wanted.end]
    if wanted.version is not None:
        found.append(c.version == wanted.version)
    if wanted.q:
        found.append(instances.c.use_case_id.icontains(wanted.q, autoescape=True))
    found += [_property(name) == value for name, value in wanted.properties.items()]
    return found


def _property(name: str) -> ColumnElement[Any]:
    return instances.c.properties[name].as_string()


def _decoded(cursor: str) -> tuple[datetime, int]:
    began_at, _, instance = cursor.partition("-")
    try:
        return datetime.fromtimestamp(int(began_at), timezone.utc), int(instance)
    except (ValueError, OverflowError, OSError):
        message = f"cursor: {cursor[:80]!r} is none; give the one of the previous page"
        raise ApiError(400, "invalid_filter", message) from None


def _read(row: Any) -> InstanceLine:
    return InstanceLine(
        id=row.instance,
        use_case_id=row.use_case_id,
        version=row.version,
        properties=row.properties,
        began_at=row.began_at,
        ended_at=row.ended_at,
        calls=row.calls,
        failures=row.failures,
        tokens=row.input_tokens + row.output_tokens,
        cost=read_sum(row.cost_whole, row.cost_rest),
    )
