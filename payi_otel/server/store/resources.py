"""Resources that operators define: versions with prices, each from its start on."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from payi_otel.server.errors import ApiError
from payi_otel.server.pricing_custom import CustomPrices, UnitPrice
from payi_otel.server.store.one_of import one_of_given
from payi_otel.server.store.schema_catalog import resource_versions

Key = tuple[str, str]
"""Category and resource."""

# Made once: to make a statement takes longer than to execute it. The newest start first; of two versions with one
# start that which was made later counts.
_ORDER = (resource_versions.c.start_timestamp.desc(), resource_versions.c.id.desc())
_OF_KEYS = (
    select(resource_versions)
    .where(
        one_of_given(resource_versions.c.category, "categories"),
        one_of_given(resource_versions.c.resource, "resources"),
    )
    .order_by(*_ORDER)
)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a resource. It holds until `end`, the start of the next one; None while it is the last."""

    id: int
    resource_id: str
    category: str
    resource: str
    units: Mapping[str, UnitPrice]
    maxima: Mapping[str, int | None]
    start: datetime
    end: datetime | None = None

    def active_at(self, at: datetime) -> bool:
        """Whether its prices hold."""
        return self.start <= at and (self.end is None or at < self.end)


class PriceBook:
    """The operator's prices of some resources."""

    def __init__(self, versions: Iterable[Version] = ()) -> None:
        self._versions: dict[Key, list[Version]] = {}
        for version in versions:
            self._versions.setdefault((version.category, version.resource), []).append(version)

    def prices(self, category: str, resource: str | None, at: datetime) -> CustomPrices | None:
        """The prices of a resource at the time of an event, None where the operator has defined none."""
        for version in self._versions.get((category, resource or ""), ()):
            if version.active_at(at):
                return CustomPrices(version.resource_id, version.units)
        return None


def price_book(connection: Connection, keys: Iterable[Key]) -> PriceBook:
    """The prices of these resources, at least."""
    wanted = set(keys)
    if not wanted:
        return PriceBook()
    given = {
        "categories": list({category for category, _ in wanted}),
        "resources": list({resource for _, resource in wanted}),
    }
    return PriceBook(_read_all(connection.execute(_OF_KEYS, given)))


def add(
    connection: Connection,
    key: Key,
    units: Mapping[str, UnitPrice],
    maxima: Mapping[str, int | None],
    start: datetime,
    now: datetime,
) -> Version:
    """Make a resource, or the next version of it."""
    resource_id = str(uuid.uuid4())
    prices = {
        name: {
            "input": None if price.input is None else str(price.input),
            "output": None if price.output is None else str(price.output),
        }
        for name, price in units.items()
    }
    values: dict[str, Any] = {
        **maxima,
        "resource_id": resource_id,
        "category": key[0],
        "resource": key[1],
        "units": prices,
        "start_timestamp": start,
        "created_at": now,
    }
    connection.execute(insert(resource_versions).values(**values))
    return get(connection, key, resource_id)


def get(connection: Connection, key: Key, resource_id: str) -> Version:
    """One version; raises `ApiError` 404 without it."""
    for version in versions_of(connection, *key):
        if version.resource_id == resource_id:
            return version
    message = f"resource_id: {resource_id!r} is no version of {key[1]!r} in {key[0]!r}; list its versions"
    raise ApiError(404, "category_resource_not_found", message)


def versions_of(connection: Connection, category: str, resource: str | None = None) -> list[Version]:
    """All versions of a resource, or of all resources of a category."""
    statement = select(resource_versions).where(resource_versions.c.category == category)
    if resource is not None:
        statement = statement.where(resource_versions.c.resource == resource)
    return _read_all(connection.execute(statement.order_by(*_ORDER)))


def categories(connection: Connection) -> list[str]:
    """The categories that have resources, by name."""
    column = resource_versions.c.category
    return list(connection.execute(select(column).distinct().order_by(column)).scalars())


def remove(connection: Connection, versions: Sequence[Version]) -> None:
    """Delete versions; what requests cost by them stays."""
    wanted = [version.id for version in versions]
    connection.execute(delete(resource_versions).where(resource_versions.c.id.in_(wanted)))


def _read_all(rows: Iterable[Row[Any]]) -> list[Version]:
    """Versions from rows in `_ORDER`."""
    found: list[Version] = []
    next_start: dict[Key, datetime] = {}
    for row in rows:
        key = (row.category, row.resource)
        found.append(_read(row, next_start.get(key)))
        next_start[key] = row.start_timestamp
    return found


def _read(row: Row[Any], end: datetime | None) -> Version:
    def price(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return Version(
        id=row.id,
        resource_id=row.resource_id,
        category=row.category,
        resource=row.resource,
        units={name: UnitPrice(price(one["input"]), price(one["output"])) for name, one in row.units.items()},
        maxima={
            name: getattr(row, name) for name in ("max_input_units", "max_output_units", "max_total_units")
        },
        start=row.start_timestamp,
        end=end,
    )
