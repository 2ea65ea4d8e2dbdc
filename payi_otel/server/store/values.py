"""Value policies of use cases, and what they need to know of each instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, delete, func, or_, select, type_coerce, update

from payi_otel.server.store.engine import insert_new
from payi_otel.server.store.schema import instances, kpi_scores, kpis, requests
from payi_otel.server.store.schema_catalog import value_policies
from payi_otel.server.store.types import RowId, read_sum
from payi_otel.server.store.use_cases import UseCase
from payi_otel.server.value import METRICS, Facts

_MICRO = 10**6


@dataclass(frozen=True, slots=True)
class Policy:
    """The expressions of a use case: Value Generated in money, Time Saved; None where there is none."""

    money: str | None
    time: str | None
    constants: Mapping[str, float]


def find(connection: Connection, use_case: UseCase) -> Policy | None:
    """The policy of a use case."""
    row = connection.execute(select(value_policies).where(value_policies.c.use_case == use_case.id)).first()
    return None if row is None else Policy(row.money, row.time, row.constants)


def put(connection: Connection, use_case: UseCase, policy: Policy, now: datetime) -> None:
    """Set the policy of a use case."""
    values = {
        "money": policy.money,
        "time": policy.time,
        "constants": dict(policy.constants),
        "updated_at": now,
    }
    if insert_new(connection, value_policies, {"use_case": use_case.id, **values}, ("use_case",)) is None:
        connection.execute(
            update(value_policies).where(value_policies.c.use_case == use_case.id).values(**values)
        )


def remove(connection: Connection, use_case: UseCase) -> None:
    """Leave a use case without a policy."""
    connection.execute(delete(value_policies).where(value_policies.c.use_case == use_case.id))


def facts(
    connection: Connection, application_id: int, use_case: UseCase, use_case_id: str | None = None
) -> dict[str, Facts]:
    """What is known of each instance of a use case, or of one of them, by id."""
    metrics = _metrics(connection, application_id, use_case, use_case_id)
    statement = select(instances.c.id, instances.c.use_case_id).where(instances.c.use_case == use_case.id)
    scored = (
        select(instances.c.use_case_id, kpis.c.name, kpi_scores.c.score)
        .join_from(kpi_scores, instances, kpi_scores.c.instance == instances.c.id)
        .join(kpis, kpi_scores.c.kpi == kpis.c.id)
        .where(instances.c.use_case == use_case.id)
    )
    if use_case_id is not None:
        statement = statement.where(instances.c.use_case_id == use_case_id)
        scored = scored.where(instances.c.use_case_id == use_case_id)
    scores: dict[str, dict[str, float | None]] = {}
    for row in connection.execute(scored):
        scores.setdefault(row.use_case_id, {})[row.name] = row.score
    nothing = dict.fromkeys(METRICS, 0.0)
    return {
        row.use_case_id: Facts(scores.get(row.use_case_id, {}), metrics.get(row.use_case_id, nothing))
        for row in connection.execute(statement)
    }


def _metrics(
    connection: Connection, application_id: int, use_case: UseCase, use_case_id: str | None
) -> dict[str, dict[str, float]]:
    status = requests.c.http_status_code
    failed = or_(
        status >= 400, status == 299, requests.c.properties["system.failure"].as_string().is_not(None)
    )
    picos = type_coerce(requests.c.input_cost, RowId) + type_coerce(requests.c.output_cost, RowId)
    statement = (
        select(
            requests.c.use_case_id,
            func.sum(picos // _MICRO).label("whole"),
            func.sum(picos % _MICRO).label("rest"),
            func.count().label("requests"),
            func.sum(case((failed, 1), else_=0)).label("failures"),
            func.sum(requests.c.input_tokens).label("input_tokens"),
            func.sum(requests.c.output_tokens).label("output_tokens"),
            func.coalesce(func.sum(requests.c.end_to_end_latency_ms), 0).label("latency_ms"),
        )
        .where(requests.c.application_id == application_id, requests.c.use_case_name == use_case.name)
        .group_by(requests.c.use_case_id)
    )
    if use_case_id is not None:
        statement = statement.where(requests.c.use_case_id == use_case_id)
    return {row.use_case_id: _read(row) for row in connection.execute(statement)}


def _read(row: Any) -> dict[str, float]:
    names = ("requests", "failures", "input_tokens", "output_tokens", "latency_ms")
    cost = read_sum(row.whole, row.rest)
    return {"cost": float(cost), **{name: float(getattr(row, name)) for name in names}}
