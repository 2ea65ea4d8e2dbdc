"""Counting requests against limits, in the transaction that stores or changes the requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, or_, select, update

from payi_otel.server.store.bulk import insert_all
from payi_otel.server.store.one_of import one_of
from payi_otel.server.store.schema_limits import STATES, limit_periods, limits, request_limits
from payi_otel.server.store.types import read_sum, split_money

States = Mapping[str, str]
"""By limit id, what the limit said to a request."""

_NOTHING = (Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Change:
    """A request that is new, or whose cost or limits have changed. Costs are input and output in US dollars.

    `states` are those a proxy has decided before: the others follow from what is spent.
    """

    request: int
    limit_ids: Sequence[str]
    cost: tuple[Decimal, Decimal]
    before: tuple[Decimal, Decimal] | None = None
    failed: bool = False
    states: States = field(default_factory=dict[str, str])


def state_of(spent: Decimal, max: Decimal, threshold: float | None, *, failed: bool = False) -> str:
    """What a limit says to a request after which `spent` is spent.

    >>> state_of(Decimal(8), Decimal(10), 0.75), state_of(Decimal(11), Decimal(10), None)
    ('exceeded', 'overrun')
    """
    if failed:
        return "failed"
    if spent > max:
        return "overrun"
    return "exceeded" if spent >= max * Decimal(str(threshold or 1)) else "ok"


def count(connection: Connection, application_id: int, changes: Sequence[Change]) -> dict[int, States]:
    """Count requests, in this order. Says what the limits said to each request.

    Limits are locked until the transaction ends, in one order everywhere; ids that no limit has are left out.
    """
    wanted = {limit_id for change in changes for limit_id in change.limit_ids}
    counted = _counted(connection, [change.request for change in changes if change.before is not None])
    if not wanted and not counted:
        return {}
    earlier = {limit for entries in counted.values() for limit in entries}
    statement = select(limits).where(
        or_(
            (limits.c.application_id == application_id) & one_of(limits.c.limit_id, sorted(wanted)),
            limits.c.id.in_(sorted(earlier)),
        )
    )
    locked = connection.execute(statement.order_by(limits.c.id).with_for_update()).all()
    # One that was deleted since counts nothing any more.
    there = {row.id for row in locked}
    counted = {
        request: {row_id: entry for row_id, entry in entries.items() if row_id in there}
        for request, entries in counted.items()
    }
    ledger = _Ledger(connection, locked, counted)
    for change in changes:
        ledger.take(change, counted.get(change.request, {}))
    ledger.save()
    return ledger.states


def states(connection: Connection, requests: Iterable[int]) -> dict[int, States]:
    """What the limits said to stored requests, by row id."""
    wanted = sorted(requests)
    if not wanted:
        return {}
    statement = (
        select(request_limits.c.request, limits.c.limit_id, request_limits.c.state)
        .join_from(request_limits, limits)
        .where(request_limits.c.request.in_(wanted))
        .order_by(limits.c.id)
    )
    found: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for row in connection.execute(statement):
        found[row.request][row.limit_id] = row.state
    return dict(found)


def _counted(connection: Connection, requests: Sequence[int]) -> dict[int, dict[int, Any]]:
    found: dict[int, dict[int, Any]] = {}
    if requests:
        statement = select(request_limits).where(request_limits.c.request.in_(requests))
        for row in connection.execute(statement):
            found.setdefault(row.request, {})[row.limit] = row
    return found


class _Ledger:
    """The periods of the limits that are locked, changed in memory and saved once."""

    def __init__(
        self, connection: Connection, locked: Sequence[Any], counted: Mapping[int, Mapping[int, Any]]
    ) -> None:
        self.states: dict[int, States] = {}
        self._connection = connection
        self._limits = {row.limit_id: row for row in locked}
        self._names = {row.id: row.limit_id for row in locked}
        self._new: list[dict[str, Any]] = []
        self._gone: list[tuple[int, int]] = []
        keys = {(row.id, row.period) for row in locked}
        keys |= {(row.limit, row.period) for entries in counted.values() for row in entries.values()}
        # One list for each column, as the index is: SQLite would walk through the whole table for pairs.
        statement = select(limit_periods).where(
            limit_periods.c.limit.in_({limit for limit, _ in keys}),
            limit_periods.c.period.in_({period for _, period in keys}),
        )
        rows = connection.execute(statement).mappings()
        self._periods = {(row["limit"], row["period"]): dict(row) for row in rows}
        self._touched: set[tuple[int, int]] = set()

    def take(self, change: Change, counted: Mapping[int, Any]) -> None:
        said: dict[str, str] = {}
        for limit_id in change.limit_ids:
            limit = self._limits.get(limit_id)
            if limit is None or limit_id in said:
                continue
            entry = counted.get(limit.id)
            if entry is None:
                said[limit_id] = self._count(change, limit)
            else:
                self._add((entry.limit, entry.period), change.cost, change.before or _NOTHING)
                said[limit_id] = entry.state
        for row_id, entry in counted.items():
            if self._names.get(row_id) not in said:
                self._add((entry.limit, entry.period), _NOTHING, change.before or _NOTHING)
                self._periods[entry.limit, entry.period][entry.state] -= 1
                self._gone.append((change.request, row_id))
        if said:
            self.states[change.request] = said

    def save(self) -> None:
        if self._new:
            names = ("request", "limit", "period", "state")
            insert_all(self._connection, request_limits, names, self._new)
        for request, limit in self._gone:
            here = (request_limits.c.request == request) & (request_limits.c.limit == limit)
            self._connection.execute(delete(request_limits).where(here))
        for key in sorted(self._touched):
            row = self._periods[key]
            names = ("input_whole", "input_rest", "output_whole", "output_rest", *STATES)
            self._connection.execute(
                update(limit_periods)
                .where(limit_periods.c.id == row["id"])
                .values({name: row[name] for name in names})
            )

    def _count(self, change: Change, limit: Any) -> str:
        key = (limit.id, limit.period)
        self._add(key, change.cost, _NOTHING)
        state = change.states.get(limit.limit_id)
        if state is None:
            row = self._periods[key]
            spent = read_sum(row["input_whole"], row["input_rest"]) + read_sum(
                row["output_whole"], row["output_rest"]
            )
            state = state_of(spent, limit.max, limit.threshold, failed=change.failed)
        self._periods[key][state] += 1
        self._new.append(
            {"request": change.request, "limit": limit.id, "period": limit.period, "state": state}
        )
        return state

    def _add(
        self, key: tuple[int, int], after: tuple[Decimal, Decimal], before: tuple[Decimal, Decimal]
    ) -> None:
        self._touched.add(key)
        row = self._periods[key]
        for side, number in (("input", after[0] - before[0]), ("output", after[1] - before[1])):
            whole, rest = split_money(number)
            row[f"{side}_whole"] += whole
            row[f"{side}_rest"] += rest
