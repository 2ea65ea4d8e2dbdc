"""What the portal's first page shows: sums over time, and who and what they were for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Float, cast, func, select

from payi_otel.server.store.limits import Limit, read_limit, select_current
from payi_otel.server.store.schema import requests
from payi_otel.server.store.schema_limits import limit_periods, limits
from payi_otel.server.store.schema_rollups import DETAILS, SUMS, rollups
from payi_otel.server.store.types import read_sum

_RECENT = 10_000
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over requests; money in US dollars. `latency_calls` are those whose latency is known."""

    calls: int = 0
    failures: int = 0
    estimated: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: int = 0
    latency_calls: int = 0
    cost: Decimal = Decimal(0)

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            *(getattr(self, name) + getattr(other, name) for name in _NUMBERS), cost=self.cost + other.cost
        )

    @property
    def average_latency_ms(self) -> float | None:
        """From the request to the end of its answer; None where no request tells."""
        return self.latency_ms / self.latency_calls if self.latency_calls else None

    @property
    def failure_share(self) -> float | None:
        """Which share of the calls failed."""
        return self.failures / self.calls if self.calls else None


_NUMBERS = (
    "calls",
    "failures",
    "estimated",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "latency_ms",
    "latency_calls",
)


@dataclass(frozen=True, slots=True)
class Top:
    """One of the names that cost most; None is the requests without one."""

    name: str | None
    sums: Sums


@dataclass(frozen=True, slots=True)
class Warned:
    """A request that the server had something to say about."""

    request_id: str
    at: datetime
    category: str
    resource: str | None
    warnings: Sequence[str]


def by_hour(
    connection: Connection, application_id: int, start: datetime, end: datetime
) -> list[tuple[datetime, Sums]]:
    """The sums of each hour that has any, from `start` (inclusive) to `end` (exclusive)."""
    statement = (
        select(rollups.c.hour, *_sums())
        .where(*_where(application_id, start, end, detailed=False))
        .group_by(rollups.c.hour)
        .order_by(rollups.c.hour)
    )
    return [(row.hour, _read(row)) for row in connection.execute(statement)]


def top(
    connection: Connection,
    application_id: int,
    start: datetime,
    end: datetime,
    dimension: str,
    *,
    most: int = 5,
) -> list[Top]:
    """The values of a roll-up's `dimension` that cost most, `use_case_name` for example."""
    column = rollups.c[dimension]
    cost = func.sum(rollups.c.input_whole + rollups.c.output_whole)
    statement = (
        select(column.label("name"), *_sums())
        .where(*_where(application_id, start, end, detailed=dimension in DETAILS))
        .group_by(column)
        .having(func.sum(rollups.c.calls) > 0)
        .order_by(cost.desc(), func.sum(rollups.c.calls).desc(), column)
        .limit(most)
    )
    return [Top(row.name, _read(row)) for row in connection.execute(statement)]


def unpriced(
    connection: Connection, application_id: int, start: datetime, end: datetime, *, most: int = 5
) -> list[tuple[str, str | None, int]]:
    """Category, resource and number of the requests with units that have no price, most requests first."""
    number = func.sum(rollups.c.unpriced)
    statement = (
        select(rollups.c.category, rollups.c.resource, number.label("number"))
        .where(*_where(application_id, start, end, detailed=False))
        .group_by(rollups.c.category, rollups.c.resource)
        .having(number > 0)
        .order_by(number.desc(), rollups.c.category, rollups.c.resource)
        .limit(most)
    )
    return [(row.category, row.resource, int(row.number)) for row in connection.execute(statement)]


def warned(connection: Connection, application_id: int, *, most: int = 5) -> list[Warned]:
    """The last requests with warnings, among the newest ten thousand."""
    newest = connection.execute(select(func.max(requests.c.id))).scalar()
    statement = (
        select(
            requests.c.request_id,
            requests.c.event_timestamp,
            requests.c.category,
            requests.c.resource,
            requests.c.warnings,
        )
        .where(requests.c.id > (newest or 0) - _RECENT, requests.c.application_id == application_id)
        .order_by(requests.c.id.desc())
    )
    found: list[Warned] = []
    for row in connection.execution_options(yield_per=500).execute(statement):
        if row.warnings:
            found.append(
                Warned(row.request_id, row.event_timestamp, row.category, row.resource, row.warnings)
            )
            if len(found) == most:
                break
    return found


def nearly_spent(
    connection: Connection, application_id: int, *, share: float = 0.75, most: int = 5
) -> list[Limit]:
    """Limits of which at least `share` is spent, the fullest first."""
    spent = cast(
        limit_periods.c.input_whole + limit_periods.c.output_whole,
        Float,
    )
    full = cast(limits.c.max, Float) * _MICRO
    # Divided in Python only: a limit of 0 is full from its first cent on.
    statement = select_current(application_id).where(spent >= full * share, spent > 0)
    found = [
        read_limit(row) for row in connection.execute(statement.order_by((spent - full).desc()).limit(100))
    ]
    return sorted(found, key=lambda one: one.share or 0, reverse=True)[:most]


def _sums() -> list[Any]:
    return [func.sum(rollups.c[name]).label(name) for name in SUMS]


def _where(application_id: int, start: datetime, end: datetime, *, detailed: bool) -> list[Any]:
    return [
        rollups.c.application_id == application_id,
        rollups.c.is_detailed.is_(detailed),
        rollups.c.hour >= start,
        rollups.c.hour < end,
    ]


def _read(row: Any) -> Sums:
    cost = read_sum(row.input_whole, row.input_rest) + read_sum(row.output_whole, row.output_rest)
    return Sums(*(int(getattr(row, name)) for name in _NUMBERS), cost=cost)
