"""Limits: what may be spent, what was, and the periods that resets have closed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from payi_otel.server.errors import ApiError
from payi_otel.server.store.engine import insert_new
from payi_otel.server.store.limit_counts import state_of
from payi_otel.server.store.one_of import one_of
from payi_otel.server.store.pages import Page, PageRequest, fetch_page
from payi_otel.server.store.schema_limits import STATES, limit_periods, limits
from payi_otel.server.store.types import read_sum

_ZEROES = dict.fromkeys(("input_whole", "input_rest", "output_whole", "output_rest", *STATES), 0)
LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class Totals:
    """What went through a limit in one period, in US dollars, and how many requests ended in which state."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    requests: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))

    @property
    def total(self) -> Decimal:
        """The whole cost."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit and its current period. Without `threshold` it counts as exceeded at `max`."""

    id: int
    limit_id: str
    limit_name: str
    limit_type: str
    max: Decimal
    threshold: float | None
    properties: Mapping[str, str | None]
    period: int
    created_at: datetime
    updated_at: datetime
    totals: Totals

    @property
    def share(self) -> float | None:
        """Which share of `max` is spent; None for a limit of 0 of which nothing is."""
        if self.max > 0:
            return float(self.totals.total / self.max)
        return float("inf") if self.totals.total > 0 else None

    @property
    def state(self) -> str:
        """Where it stands now: `ok`, `exceeded` or `overrun`."""
        return state_of(self.totals.total, self.max, self.threshold)


@dataclass(frozen=True, slots=True)
class Period:
    """A period of a limit; `reset_at` is None for the current one."""

    number: int
    started_at: datetime
    reset_at: datetime | None
    totals: Totals


@dataclass(frozen=True, slots=True)
class NewLimit:
    """What to make a limit from."""

    limit_name: str
    max: Decimal
    limit_id: str | None = None
    limit_type: str = "allow"
    threshold: float | None = None
    properties: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])


def checked_id(limit_id: str) -> str:
    """`limit_id` if a limit may have it; raises `ApiError`. Requests name limits in a comma list."""
    if not 0 < len(limit_id) <= LONGEST_ID or "," in limit_id or limit_id != limit_id.strip():
        fix = f"give 1 to {LONGEST_ID} characters without commas and without spaces at the ends"
        raise ApiError(400, "invalid_limit_id", f"limit_id: {limit_id!r}: {fix}")
    return limit_id


def create(
    connection: Connection, application_id: int, wanted: NewLimit, now: datetime
) -> tuple[Limit, bool]:
    """Create a limit; says whether it is new. With an id that exists and the same amounts it gives that one.

    Raises `ApiError` where the id exists with other amounts, or the name with another id.
    """
    chosen = checked_id(wanted.limit_id or str(uuid.uuid4()))
    existing = find(connection, application_id, chosen)
    if existing is None:
        _check_name(connection, application_id, wanted.limit_name, chosen)
        row_id = _insert(connection, application_id, chosen, wanted, now)
        made = find(connection, application_id, chosen)
        if made is None:
            # Another limit of this name was made at the same time.
            raise _name_taken(wanted.limit_name)
        if row_id is not None:
            return made, True
        existing = made
    if (existing.max, existing.threshold) != (wanted.max, wanted.threshold):
        message = f"limit_id: {chosen!r} exists with another max or threshold; update it, or give another id"
        raise ApiError(400, "duplicate_limit_id", message)
    return existing, False


def make_automatic(
    connection: Connection,
    application_id: int,
    use_case_name: str,
    config: Mapping[str, Any],
    new: Mapping[str, str],
    now: datetime,
) -> None:
    """The limits that a use case's configuration gives its new instances, whose ids are by `new` limit id."""
    for limit_id, use_case_id in sorted(new.items()):
        wanted = NewLimit(
            # With its id, for an instance may be deleted and made again, and its limit stays.
            limit_name=f"{use_case_name}/{use_case_id}/{limit_id}",
            max=Decimal(str(config["max"])),
            limit_type=config.get("limit_type") or "allow",
            threshold=config.get("threshold"),
            properties=config.get("properties") or {},
        )
        _insert(connection, application_id, limit_id, wanted, now)


def find(connection: Connection, application_id: int, limit_id: str) -> Limit | None:
    """A limit by its id."""
    row = connection.execute(select_current(application_id).where(limits.c.limit_id == limit_id)).first()
    return None if row is None else read_limit(row)


def get(connection: Connection, application_id: int, limit_id: str, *, lock: bool = False) -> Limit:
    """A limit by its id; raises `ApiError` 404 without one. `lock` keeps it as it is until the transaction ends."""
    if lock:
        where = (limits.c.application_id == application_id) & (limits.c.limit_id == limit_id)
        connection.execute(select(limits.c.id).where(where).with_for_update())
    found = find(connection, application_id, limit_id)
    if found is None:
        raise ApiError(404, "limit_not_found", f"limit_id: {limit_id!r} is not known; create it first")
    return found


def page(
    connection: Connection,
    application_id: int,
    wanted: PageRequest,
    name: str | None = None,
    *,
    part_of_name: str = "",
) -> Page[Limit]:
    """Limits, optionally the one called `name`, or those whose names have a part, in whatever case."""
    statement = select_current(application_id)
    if name:
        statement = statement.where(limits.c.limit_name == name)
    if part_of_name:
        statement = statement.where(limits.c.limit_name.icontains(part_of_name, autoescape=True))
    return fetch_page(connection, statement, limits.c.id, wanted, read_limit)


def change(
    connection: Connection,
    application_id: int,
    limit_id: str,
    now: datetime,
    *,
    name: str | None = None,
    max: Decimal | None = None,
) -> Limit:
    """Set name or maximum; raises `ApiError` for a maximum below what is spent and a name that is taken."""
    found = get(connection, application_id, limit_id, lock=True)
    values: dict[str, Any] = {"updated_at": now}
    if name is not None:
        _check_name(connection, application_id, name, limit_id)
        values["limit_name"] = name
    if max is not None:
        if max < found.totals.total:
            message = (
                f"max: {max} is below what is spent, {found.totals.total}; give more, or reset the limit"
            )
            raise ApiError(400, "invalid_max_limit_update", message)
        values["max"] = max
    connection.execute(update(limits).where(limits.c.id == found.id).values(**values))
    return get(connection, application_id, limit_id)


def merge_properties(
    connection: Connection, application_id: int, limit_id: str, properties: Mapping[str, str | None]
) -> Limit:
    """Set properties; the others stay."""
    found = get(connection, application_id, limit_id, lock=True)
    merged = {**found.properties, **properties}
    connection.execute(update(limits).where(limits.c.id == found.id).values(properties=merged))
    return get(connection, application_id, limit_id)


def remove(connection: Connection, application_id: int, limit_id: str) -> None:
    """Delete a limit with its periods; requests keep its id."""
    found = get(connection, application_id, limit_id, lock=True)
    connection.execute(delete(limits).where(limits.c.id == found.id))


def reset(connection: Connection, application_id: int, limit_id: str, at: datetime) -> Limit:
    """Begin a new period. The answer is the limit with the one that is closed."""
    found = get(connection, application_id, limit_id, lock=True)
    closing = (limit_periods.c.limit == found.id) & (limit_periods.c.period == found.period)
    connection.execute(update(limit_periods).where(closing).values(reset_at=at))
    connection.execute(
        update(limits).where(limits.c.id == found.id).values(period=found.period + 1, updated_at=at)
    )
    _begin_period(connection, found.id, found.period + 1, at)
    return found


def periods(connection: Connection, row_id: int, *, most: int = 100) -> list[Period]:
    """The periods of a limit, the current one first."""
    statement = (
        select(limit_periods)
        .where(limit_periods.c.limit == row_id)
        .order_by(limit_periods.c.period.desc())
        .limit(most)
    )
    return [
        Period(row.period, row.started_at, row.reset_at, read_totals(row))
        for row in connection.execute(statement)
    ]


def types_of(connection: Connection, application_id: int, limit_ids: Iterable[str]) -> dict[str, str]:
    """Which of these limits exist, and of what type they are."""
    wanted = sorted(set(limit_ids))
    if not wanted:
        return {}
    statement = select(limits.c.limit_id, limits.c.limit_type).where(
        limits.c.application_id == application_id, one_of(limits.c.limit_id, wanted)
    )
    return {row.limit_id: row.limit_type for row in connection.execute(statement)}


def read_totals(row: Any) -> Totals:
    """The sums of a row of `limit_periods`."""
    return Totals(
        read_sum(row.input_whole, row.input_rest),
        read_sum(row.output_whole, row.output_rest),
        {state: getattr(row, state) for state in STATES},
    )


def _insert(
    connection: Connection, application_id: int, limit_id: str, wanted: NewLimit, now: datetime
) -> int | None:
    values = {
        "application_id": application_id,
        "limit_id": limit_id,
        "limit_name": wanted.limit_name,
        "limit_type": wanted.limit_type,
        "max": wanted.max,
        "threshold": wanted.threshold,
        "properties": dict(wanted.properties),
        "period": 1,
        "created_at": now,
        "updated_at": now,
    }
    row_id = insert_new(connection, limits, values, ())
    if row_id is not None:
        _begin_period(connection, row_id, 1, now)
    return row_id


def _begin_period(connection: Connection, row_id: int, period: int, at: datetime) -> None:
    connection.execute(insert(limit_periods).values(limit=row_id, period=period, started_at=at, **_ZEROES))


def _check_name(connection: Connection, application_id: int, name: str, limit_id: str) -> None:
    other = connection.execute(
        select(limits.c.id).where(
            limits.c.application_id == application_id,
            limits.c.limit_name == name,
            limits.c.limit_id != limit_id,
        )
    ).first()
    if other is not None:
        raise _name_taken(name)


def _name_taken(name: str) -> ApiError:
    return ApiError(
        400, "limit_name_already_exist", f"limit_name: {name!r} is another limit's; give a new name"
    )


def select_current(application_id: int) -> Select[Any]:
    """The limits of an application, each with its current period: rows for `read_limit`."""
    sums = [limit_periods.c[name] for name in _ZEROES]
    joined = (limit_periods.c.limit == limits.c.id) & (limit_periods.c.period == limits.c.period)
    return (
        select(limits, *sums)
        .join_from(limits, limit_periods, joined)
        .where(limits.c.application_id == application_id)
    )


def read_limit(row: Row[Any]) -> Limit:
    """A row of `select_current`."""
    return Limit(
        id=row.id,
        limit_id=row.limit_id,
        limit_name=row.limit_name,
        limit_type=row.limit_type,
        max=row.max,
        threshold=row.threshold,
        properties=row.properties,
        period=row.period,
        created_at=row.created_at,
        updated_at=row.updated_at,
        totals=read_totals(row),
    )
