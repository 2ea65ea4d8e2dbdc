"""What requests cost, how many failed and how long they took: over time, and by what they have in common.

All of it is read from facets and roll-ups, never from the requests: how long that takes depends on how many hours,
use cases and users there are, not on how many requests. An hour belongs to the time in which it begins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from payi_otel.server.store.figures import Adder, Figures, Part
from payi_otel.server.store.rollups import hour_of
from payi_otel.server.store.schema_facets import (
    ACCOUNT,
    HISTOGRAMS,
    RESOURCE,
    TOTAL,
    USE_CASE,
    USE_CASE_ACCOUNT,
    USE_CASE_RESOURCE,
    USE_CASE_STEP,
    USE_CASE_USER,
    USER,
    Facet,
    facets,
)
from payi_otel.server.store.schema_rollups import SUMS, rollups

DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "use_case": ("use_case_name",),
    "version": ("use_case_version",),
    "step": ("use_case_step",),
    "category": ("category",),
    "resource": ("category", "resource"),
    "user": ("user_id",),
    "account": ("account_name",),
    "status": ("http_status_code",),
}
"""What `breakdown` can go by, and the columns that a part's key has then."""

_HOURLY = {"use_case": USE_CASE, "version": USE_CASE, "category": RESOURCE, "resource": RESOURCE}
_DAILY = {"user": USER, "account": ACCOUNT, "step": USE_CASE_STEP}
_OF_USE_CASE = {
    "use_case": USE_CASE,
    "version": USE_CASE,
    "category": USE_CASE_RESOURCE,
    "resource": USE_CASE_RESOURCE,
    "user": USE_CASE_USER,
    "account": USE_CASE_ACCOUNT,
    "step": USE_CASE_STEP,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests: from `start` (inclusive) to `end` (exclusive), of a use case, of a version of it."""

    start: datetime
    end: datetime
    use_case: str | None = None
    version: int | None = None

    def __post_init__(self) -> None:
        if self.version is not None and self.use_case is None:
            raise ValueError(
                f"version: {self.version} says nothing without a use case; give use_case as well"
            )


def totals(connection: Connection, application_id: int, scope: Scope, *, latencies: bool = True) -> Figures:
    """The figures of all requests of a scope, with their histograms if `latencies` are asked for.

    >>> totals(connection, 1, Scope(start, end)).latency.quantile(0.95)  # doctest: +SKIP
    1843.2
    """
    query = _Query(application_id, scope, TOTAL if scope.use_case is None else USE_CASE)
    return _grouped(connection, query, (), latencies=latencies).get((), Figures())


def series(
    connection: Connection, application_id: int, scope: Scope, begins: Sequence[datetime]
) -> list[Figures]:
    """The figures from each of `begins` (ascending) to the next, with latencies; zeroes where nothing happened.

    >>> [one.calls for one in series(connection, 1, Scope(start, end), [start, noon])]  # doctest: +SKIP
    [12, 0]
    """
    query = _Query(application_id, scope, TOTAL if scope.use_case is None else USE_CASE)
    return _over_time(connection, query, (), begins).get((), [Figures()] * len(begins))


def series_by(
    connection: Connection, application_id: int, scope: Scope, by: str, begins: Sequence[datetime]
) -> dict[tuple[Any, ...], list[Figures]]:
    """`series` for each use case, version, category or resource, by a part's key.

    Raises `ValueError` for another `by`: what has many values is not kept by the hour.
    """
    if by not in _HOURLY:
        raise ValueError(f"by: {by!r} is not kept by the hour; give one of {', '.join(_HOURLY)}")
    facet = (_HOURLY if scope.use_case is None else _OF_USE_CASE)[by]
    return _over_time(connection, _Query(application_id, scope, facet), DIMENSIONS[by], begins)


def breakdown(
    connection: Connection, application_id: int, scope: Scope, by: str, *, latencies: bool = False
) -> list[Part]:
    """The figures by one of `DIMENSIONS`, what cost most first.

    `latencies` fills the histograms too; users, accounts, steps and statuses have none.

    >>> breakdown(connection, 1, Scope(start, end), "resource")[0].key  # doctest: +SKIP
    ('system.openai', 'gpt-5')
    """
    columns = DIMENSIONS[by]
    if by == "status":
        whole = (_hour(scope.start), _hour(scope.end))
        found = _figures(_rollup_rows(connection, application_id, scope, by, whole), columns)
    elif by in _DAILY:
        found = _figures(_daily_rows(connection, application_id, scope, by), columns)
    else:
        facet = (_HOURLY if scope.use_case is None else _OF_USE_CASE)[by]
        found = _grouped(connection, _Query(application_id, scope, facet), columns, latencies=latencies)
    parts = [Part(key, figures) for key, figures in found.items()]
    return sorted(parts, key=lambda part: (-part.figures.cost, -part.figures.calls, str(part.key)))


def first_calls(connection: Connection, application_id: int, use_case: str) -> dict[int, datetime]:
    """The hour of the first request of each version of a use case, by version."""
    c = facets.c
    statement = (
        select(c.use_case_version, func.min(c.at, type_=c.at.type).label("at"))
        .where(c.application_id == application_id, c.facet == USE_CASE.name, c.use_case_name == use_case)
        .where(c.calls > 0, c.use_case_version.is_not(None))
        .group_by(c.use_case_version)
        .order_by(c.use_case_version)
    )
    return {row.use_case_version: row.at for row in connection.execute(statement)}


@dataclass(frozen=True, slots=True)
class _Query:
    application_id: int
    scope: Scope
    facet: Facet

    def where(self, statement: Select[Any]) -> Select[Any]:
        return self.between(statement, _hour(self.scope.start), _hour(self.scope.end))

    def between(self, statement: Select[Any], start: datetime, end: datetime) -> Select[Any]:
        c = facets.c
        mine = (
            c.application_id == self.application_id,
            c.facet == self.facet.name,
            c.at >= start,
            c.at < end,
        )
        return _of_use_case(statement.where(*mine), c, self.scope)


def _grouped(
    connection: Connection, query: _Query, columns: Sequence[str], *, latencies: bool
) -> dict[tuple[Any, ...], Figures]:
    keys = [facets.c[name] for name in columns]
    summed = query.where(select(*keys, *_sums(facets))).group_by(*keys).having(func.sum(facets.c.calls) > 0)
    adders: defaultdict[tuple[Any, ...], Adder] = defaultdict(Adder)
    for row in connection.execute(summed).mappings():
        adders[tuple(row[name] for name in columns)].add_sums(dict(row))
    if latencies:
        counted = query.where(select(*keys, *(facets.c[name] for name in HISTOGRAMS)))
        for row in connection.execute(counted).mappings():
            _add_histograms(adders, tuple(row[name] for name in columns), row)
    return {key: adder.figures() for key, adder in adders.items()}


def _over_time(
    connection: Connection, query: _Query, columns: Sequence[str], begins: Sequence[datetime]
) -> dict[tuple[Any, ...], list[Figures]]:
    hours = [_hour(at) for at in begins]
    keys = [facets.c.at, *(facets.c[name] for name in columns)]
    adders: defaultdict[tuple[Any, ...], Adder] = defaultdict(Adder)
    for row in connection.execute(query.where(select(*keys, *_sums(facets))).group_by(*keys)).mappings():
        place = bisect_right(hours, row["at"]) - 1
        if place >= 0 and row["calls"] > 0:
            adders[(place, *(row[name] for name in columns))].add_sums(dict(row))
    for row in connection.execute(
        query.where(select(*keys, *(facets.c[name] for name in HISTOGRAMS)))
    ).mappings():
        place = bisect_right(hours, row["at"]) - 1
        _add_histograms(adders, (place, *(row[name] for name in columns)), row)
    found: defaultdict[tuple[Any, ...], list[Figures]] = defaultdict(lambda: [Figures()] * len(begins))
    for (place, *key), adder in adders.items():
        found[tuple(key)][place] = adder.figures()
    return dict(found)


def _add_histograms(adders: Mapping[tuple[Any, ...], Adder], key: tuple[Any, ...], row: Any) -> None:
    if key in adders:
        for name in HISTOGRAMS:
            adders[key].add_histogram(name, row[name])


def _daily_rows(connection: Connection, application_id: int, scope: Scope, by: str) -> Iterator[Any]:
    """Rows of the whole days, and roll-ups by the hour of what is left of the first and the last day."""
    start, end = _hour(scope.start), _hour(scope.end)
    first, last = start.replace(hour=0), end.replace(hour=0)
    if first < start:
        first += timedelta(days=1)
    if first >= last:
        yield from _rollup_rows(connection, application_id, scope, by, (start, end))
        return
    query = _Query(application_id, scope, (_DAILY if scope.use_case is None else _OF_USE_CASE)[by])
    keys = [facets.c[name] for name in DIMENSIONS[by]]
    summed: Select[Any] = select(*keys, *_sums(facets)).group_by(*keys)
    days = query.between(summed, first, last)
    yield from connection.execute(days.having(func.sum(facets.c.calls) > 0)).mappings()
    for rest in ((start, first), (last, end)):
        if rest[0] < rest[1]:
            yield from _rollup_rows(connection, application_id, scope, by, rest)


def _rollup_rows(
    connection: Connection, application_id: int, scope: Scope, by: str, between: tuple[datetime, datetime]
) -> Iterator[Any]:
    c = rollups.c
    keys = [c[name] for name in DIMENSIONS[by]]
    statement: Select[Any] = (
        select(*keys, *_sums(rollups))
        .where(c.application_id == application_id, c.is_detailed.is_(by in _DAILY))
        .where(c.hour >= between[0], c.hour < between[1])
        .group_by(*keys)
        .having(func.sum(c.calls) > 0)
    )
    if by == "step":
        # Its facet has those of use cases only.
        statement = statement.where(c.use_case_name.is_not(None))
    yield from connection.execute(_of_use_case(statement, c, scope)).mappings()


def _figures(rows: Iterator[Any], columns: Sequence[str]) -> dict[tuple[Any, ...], Figures]:
    adders: defaultdict[tuple[Any, ...], Adder] = defaultdict(Adder)
    for row in rows:
        adders[tuple(row[name] for name in columns)].add_sums(dict(row))
    return {key: adder.figures() for key, adder in adders.items()}


def _of_use_case(statement: Select[Any], columns: Any, scope: Scope) -> Select[Any]:
    if scope.use_case is not None:
        statement = statement.where(columns.use_case_name == scope.use_case)
    if scope.version is not None:
        statement = statement.where(columns.use_case_version == scope.version)
    return statement


def _sums(table: Table) -> list[ColumnElement[Any]]:
    return [func.sum(table.c[name]).label(name) for name in SUMS]


def _hour(at: datetime) -> datetime:
    # In UTC first: there are zones whose hours begin at other minutes.
    return hour_of(at.astimezone(timezone.utc))
