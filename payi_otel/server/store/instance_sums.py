"""Sums of requests by instance, kept in the transaction that stores or changes the requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection, delete, select, update

from payi_otel.server.store.bulk import add_all
from payi_otel.server.store.groups import Sums, total
from payi_otel.server.store.instances import Instance
from payi_otel.server.store.one_of import one_of
from payi_otel.server.store.rollups import Delta
from payi_otel.server.store.schema import instances, kpi_scores, use_cases
from payi_otel.server.store.schema_instances import INSTANCE_SUMS, instance_sums
from payi_otel.server.store.schema_rollups import SUMS

_Identity = tuple[str, str]
_Owner = tuple[int, int, int]
"""An instance's row, its use case's, and its version."""

_NONE: Mapping[_Identity, Instance] = {}
_NAMES = ("instance", "use_case", "version", "began_at", "ended_at", *INSTANCE_SUMS)
_CALLS = _NAMES.index("calls")
_counted = cast("Callable[[Sums], Sums]", itemgetter(*map(SUMS.index, INSTANCE_SUMS[:-2])))
_money = cast(
    "Callable[[Sums], Sums]",
    itemgetter(*map(SUMS.index, ("input_whole", "output_whole", "input_rest", "output_rest"))),
)
_TIMES = {
    "began_at": "CASE WHEN excluded.began_at < kept.began_at THEN excluded.began_at ELSE kept.began_at END",
    "ended_at": "CASE WHEN excluded.ended_at > kept.ended_at THEN excluded.ended_at ELSE kept.ended_at END",
}


def apply(
    connection: Connection,
    application_id: int,
    deltas: Iterable[Delta],
    made: Mapping[_Identity, Instance] = _NONE,
) -> None:
    """Add requests to the sums of their instances, or take them out; those of deleted instances count no more.

    `made` are instances that this transaction has made: they need neither be looked for, nor can they have scores.
    Before a transaction locks instances, limits or roll-ups: all lock in one order, and none waits for another.
    """
    found: dict[_Identity, list[Delta]] = {}
    for delta in deltas:
        name, use_case_id = delta.values["use_case_name"], delta.values["use_case_id"]
        if name is not None and use_case_id is not None:
            found.setdefault((name, use_case_id), []).append(delta)
    owners = _instances(connection, application_id, found, made)
    rows = sorted([_row(owner, found[identity]) for identity, owner in owners.items()])
    if not rows:
        return
    add_all(connection, instance_sums, _NAMES, rows, ("instance",), INSTANCE_SUMS, _TIMES)
    left = [row[0] for row in rows if row[_CALLS] < 0]
    if left:
        emptied = instance_sums.c.instance.in_(left) & (instance_sums.c.calls == 0)
        connection.execute(delete(instance_sums).where(emptied))
    new = {instance.id for instance in made.values()}
    _date_scores(connection, [row[0] for row in rows if row[0] not in new])


def _row(owner: _Owner, deltas: Sequence[Delta]) -> tuple[Any, ...]:
    """The values of `_NAMES`."""
    if len(deltas) == 1:
        # A run of one call: nothing to add up.
        sums = deltas[0].sums
        began_at = ended_at = deltas[0].values["event_timestamp"]
    else:
        sums = total([delta.sums for delta in deltas])
        times = [delta.values["event_timestamp"] for delta in deltas]
        began_at, ended_at = min(times), max(times)
    input_whole, output_whole, input_rest, output_rest = _money(sums)
    return (
        *owner, began_at, ended_at, *_counted(sums), input_whole + output_whole, input_rest + output_rest
    )  # fmt: skip


def _instances(
    connection: Connection,
    application_id: int,
    wanted: Iterable[_Identity],
    made: Mapping[_Identity, Instance],
) -> dict[_Identity, _Owner]:
    found: dict[_Identity, _Owner] = {}
    identities: set[_Identity] = set()
    for identity in wanted:
        new = made.get(identity)
        if new is None:
            identities.add(identity)
        else:
            found[identity] = new.id, new.use_case, new.type_version
    if not identities:
        return found
    # By their ids alone, which an index leads to, and not one use case after the other.
    statement = (
        select(
            instances.c.id,
            instances.c.use_case,
            instances.c.use_case_id,
            instances.c.type_version,
            use_cases.c.name,
        )
        .join_from(instances, use_cases)
        .where(
            instances.c.application_id == application_id,
            one_of(instances.c.use_case_id, {use_case_id for _, use_case_id in identities}),
        )
    )
    for row in connection.execute(statement):
        if (row.name, row.use_case_id) in identities:
            found[row.name, row.use_case_id] = row.id, row.use_case, row.type_version
    return found


def _date_scores(connection: Connection, wanted: list[int]) -> None:
    """Date scores that came before their instance's first event, or before one that is earlier still."""
    late = (
        select(kpi_scores.c.id, instance_sums.c.began_at)
        .join_from(kpi_scores, instance_sums, kpi_scores.c.instance == instance_sums.c.instance)
        .where(kpi_scores.c.instance.in_(wanted), kpi_scores.c.at > instance_sums.c.began_at)
        .order_by(kpi_scores.c.id)
    )
    for row in connection.execute(late).all() if wanted else ():
        connection.execute(update(kpi_scores).where(kpi_scores.c.id == row.id).values(at=row.began_at))
