"""What is known of the latest instances of a use case: on these a value policy is tried out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from payi_otel.server.store.schema import instances, kpi_scores, kpis
from payi_otel.server.store.schema_instances import instance_sums
from payi_otel.server.store.types import read_sum
from payi_otel.server.store.use_cases import UseCase
from payi_otel.server.value import Facts


@dataclass(frozen=True, slots=True)
class LatestInstance:
    """An instance and what is known of it."""

    use_case_id: str
    began_at: datetime
    facts: Facts


def latest(connection: Connection, use_case: UseCase, most: int) -> list[LatestInstance]:
    """The instances that began last, the newest first."""
    sums = instance_sums.c
    statement = (
        select(instance_sums, instances.c.use_case_id)
        .join_from(instance_sums, instances, sums.instance == instances.c.id)
        .where(sums.use_case == use_case.id)
        .order_by(sums.began_at.desc(), sums.instance.desc())
        .limit(most)
    )
    rows = connection.execute(statement).all()
    scored = (
        select(kpi_scores.c.instance, kpis.c.name, kpi_scores.c.score)
        .join_from(kpi_scores, kpis)
        .where(kpi_scores.c.instance.in_([row.instance for row in rows]))
    )
    scores: dict[int, dict[str, float | None]] = {}
    for row in connection.execute(scored):
        scores.setdefault(row.instance, {})[row.name] = row.score
    return [
        LatestInstance(
            row.use_case_id,
            row.began_at,
            Facts(
                scores.get(row.instance, {}),
                {
                    "cost": float(read_sum(row.cost_whole, row.cost_rest)),
                    "requests": float(row.calls),
                    "failures": float(row.failures),
                    "input_tokens": float(row.input_tokens),
                    "output_tokens": float(row.output_tokens),
                    "latency_ms": float(row.latency_ms),
                },
            ),
        )
        for row in rows
    ]
