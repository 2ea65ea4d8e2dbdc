"""What the instances of a use case were worth together, by its value policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from payi_otel.server.store.schema import kpi_scores, kpis
from payi_otel.server.store.schema_instances import instance_sums
from payi_otel.server.store.types import read_sum
from payi_otel.server.store.use_cases import UseCase
from payi_otel.server.store.values import Policy
from payi_otel.server.value import Facts, evaluate

MOST = 20_000
"""Of how many instances, the latest, the value is worked out: each has expressions of its own to evaluate."""


@dataclass(frozen=True, slots=True)
class ValueTotals:
    """Sums over `instances`, which `valued` have a value of. `money` and `cost` in US dollars, `time` in minutes.

    `is_part`: there are more instances than `MOST`; only the latest are counted, in `cost` too.
    """

    instances: int
    valued: int
    money: float
    time: float
    cost: Decimal
    is_part: bool

    @property
    def roi(self) -> float | None:
        """What was gained for each dollar spent: 2.0 for three dollars of value for one."""
        return (self.money - float(self.cost)) / float(self.cost) if self.cost else None


def of_use_case(
    connection: Connection, use_case: UseCase, policy: Policy, start: datetime, end: datetime
) -> ValueTotals:
    """The value of the instances that began from `start` (inclusive) to `end` (exclusive)."""
    c = instance_sums.c
    mine = (c.use_case == use_case.id, c.began_at >= start, c.began_at < end)
    latest = select(instance_sums).where(*mine).order_by(c.began_at.desc(), c.instance.desc())
    rows = connection.execute(latest.limit(MOST + 1)).all()
    scored = (
        select(kpi_scores.c.instance, kpis.c.name, kpi_scores.c.score)
        .join_from(kpi_scores, kpis)
        .join(instance_sums, c.instance == kpi_scores.c.instance)
        .where(*mine)
    )
    is_part = len(rows) > MOST
    if is_part:
        rows = rows[:MOST]
        scored = scored.where(c.began_at >= rows[-1].began_at)
    scores: dict[int, dict[str, float | None]] = {}
    for row in connection.execute(scored):
        scores.setdefault(row.instance, {})[row.name] = row.score
    money = time = 0.0
    valued, cost = 0, Decimal(0)
    for row in rows:
        cost += read_sum(row.cost_whole, row.cost_rest)
        facts = Facts(scores.get(row.instance, {}), _metrics(row))
        worth = _value(policy.money, policy, facts)
        saved = _value(policy.time, policy, facts)
        valued += worth is not None or saved is not None
        money += worth or 0.0
        time += saved or 0.0
    return ValueTotals(len(rows), valued, money, time, cost, is_part)


def _value(expression: str | None, policy: Policy, facts: Facts) -> float | None:
    return None if expression is None else evaluate(expression, policy.constants, facts)


def _metrics(row: Any) -> dict[str, float]:
    return {
        "cost": float(read_sum(row.cost_whole, row.cost_rest)),
        "requests": float(row.calls),
        "failures": float(row.failures),
        "input_tokens": float(row.input_tokens),
        "output_tokens": float(row.output_tokens),
        "latency_ms": float(row.latency_ms),
    }
