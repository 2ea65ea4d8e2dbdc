"""Sums of requests by instance, kept in the transaction that stores or changes the requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, delete, select, update

from payi_otel.server.store.engine import upsert
from payi_otel.server.store.rollups import Delta, is_failure
from payi_otel.server.store.schema import instances, kpi_scores, use_cases
from payi_otel.server.store.schema_instances import INSTANCE_SUMS, instance_sums
from payi_otel.server.store.types import split_money

_Identity = tuple[str, str]


@dataclass(slots=True)
class _Sums:
    began_at: datetime
    ended_at: datetime
    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(INSTANCE_SUMS, 0))

    def add(self, delta: Delta) -> None:
        self.began_at = min(self.began_at, delta.values["event_timestamp"])
        self.ended_at = max(self.ended_at, delta.values["event_timestamp"])
        for name, number in _numbers(delta.values).items():
            self.numbers[name] += delta.sign * number


def apply(connection: Connection, application_id: int, deltas: Iterable[Delta]) -> None:
    """Add requests to the sums of their instances, or take them out; those of deleted instances count no more.

    Before a transaction locks instances, limits or roll-ups: all lock in one order, and none waits for another.
    """
    found: dict[_Identity, _Sums] = {}
    for delta in deltas:
        name, use_case_id = delta.values["use_case_name"], delta.values["use_case_id"]
        if name is None or use_case_id is None:
            continue
        at = delta.values["event_timestamp"]
        found.setdefault((name, use_case_id), _Sums(at, at)).add(delta)
    rows: list[dict[str, Any]] = [
        {
            **row,
            "began_at": found[identity].began_at,
            "ended_at": found[identity].ended_at,
            **found[identity].numbers,
        }
        for identity, row in _instances(connection, application_id, found).items()
    ]
    if not rows:
        return
    rows.sort(key=lambda row: row["instance"])
    _increase(connection, rows)
    left = [row["instance"] for row in rows if row["calls"] < 0]
    if left:
        emptied = instance_sums.c.instance.in_(left) & (instance_sums.c.calls == 0)
        connection.execute(delete(instance_sums).where(emptied))
    _date_scores(connection, [row["instance"] for row in rows])


def _numbers(values: Mapping[str, Any]) -> dict[str, int]:
    whole, rest = split_money(values["input_cost"] + values["output_cost"])
    return {
        "calls": 1,
        "failures": int(is_failure(values)),
        "input_tokens": values["input_tokens"],
        "output_tokens": values["output_tokens"],
        "latency_ms": values["end_to_end_latency_ms"] or 0,
        "cost_whole": whole,
        "cost_rest": rest,
    }


def _instances(
    connection: Connection, application_id: int, wanted: Iterable[_Identity]
) -> dict[_Identity, dict[str, Any]]:
    identities = set(wanted)
    if not identities:
        return {}
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
            instances.c.use_case_id.in_({use_case_id for _, use_case_id in identities}),
        )
    )
    return {
        (row.name, row.use_case_id): {
            "instance": row.id,
            "use_case": row.use_case,
            "version": row.type_version,
        }
        for row in connection.execute(statement)
        if (row.name, row.use_case_id) in identities
    }


def _increase(connection: Connection, rows: list[dict[str, Any]]) -> None:
    statement = upsert(connection, instance_sums)
    kept, new = instance_sums.c, statement.excluded
    changes: dict[str, Any] = {name: kept[name] + new[name] for name in INSTANCE_SUMS}
    changes["began_at"] = case((new.began_at < kept.began_at, new.began_at), else_=kept.began_at)
    changes["ended_at"] = case((new.ended_at > kept.ended_at, new.ended_at), else_=kept.ended_at)
    statement = statement.on_conflict_do_update(index_elements=["instance"], set_=changes)
    connection.execute(statement, rows)


def _date_scores(connection: Connection, wanted: list[int]) -> None:
    """Date scores that came before their instance's first event, or before one that is earlier still."""
    late = (
        select(kpi_scores.c.id, instance_sums.c.began_at)
        .join_from(kpi_scores, instance_sums, kpi_scores.c.instance == instance_sums.c.instance)
        .where(kpi_scores.c.instance.in_(wanted), kpi_scores.c.at > instance_sums.c.began_at)
        .order_by(kpi_scores.c.id)
    )
    for row in connection.execute(late).all():
        connection.execute(update(kpi_scores).where(kpi_scores.c.id == row.id).values(at=row.began_at))
