"""What each use case cost and earned, summed up by the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Text, case, cast, func, or_, select

from payi_otel.server.store.schema import instances, kpi_scores, kpis, requests, use_cases


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over requests. `unpriced` counts those with units that have no price."""

    calls: int = 0
    failures: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class KpiAverage:
    """The average score of a KPI against its goal; None without any score."""

    name: str
    kpi_type: str
    goal: float
    scores: int
    average: float | None


@dataclass(frozen=True, slots=True)
class UseCaseSummary:
    """One use case. `name` is None for the requests of none."""

    name: str | None
    instances: int
    totals: Totals
    kpis: Sequence[KpiAverage]


def summarize(connection: Connection, application_id: int) -> list[UseCaseSummary]:
    """All use cases by name, then those that were deleted, then the requests without a use case."""
    totals = _totals(connection, application_id)
    averages = _averages(connection, application_id)
    counted = (
        select(use_cases.c.id, use_cases.c.name, func.count(instances.c.id).label("instances"))
        .join_from(use_cases, instances, isouter=True)
        .where(use_cases.c.application_id == application_id)
        .group_by(use_cases.c.id, use_cases.c.name)
        .order_by(use_cases.c.name)
    )
    found = [
        UseCaseSummary(row.name, row.instances, totals.pop(row.name, Totals()), averages[row.id])
        for row in connection.execute(counted)
    ]
    rest = sorted(totals.items(), key=lambda item: (item[0] is None, item[0] or ""))
    return found + [UseCaseSummary(name, 0, sums, ()) for name, sums in rest]


def _totals(connection: Connection, application_id: int) -> dict[str | None, Totals]:
    status = requests.c.http_status_code
    statement = (
        select(
            requests.c.use_case_name,
            func.count().label("calls"),
            _count(or_(status >= 400, status == 299)).label("failures"),
            _count(cast(requests.c.unknown_units, Text) != "{}").label("unpriced"),
            func.sum(requests.c.input_tokens).label("input_tokens"),
            func.sum(requests.c.output_tokens).label("output_tokens"),
            func.sum(requests.c.input_cost).label("input_cost"),
            func.sum(requests.c.output_cost).label("output_cost"),
        )
        .where(requests.c.application_id == application_id)
        .group_by(requests.c.use_case_name)
    )
    return {
        row.use_case_name: Totals(
            calls=row.calls,
            failures=row.failures,
            unpriced=row.unpriced,
            input_tokens=int(row.input_tokens),
            output_tokens=int(row.output_tokens),
            cost=row.input_cost + row.output_cost,
        )
        for row in connection.execute(statement)
    }


def _averages(connection: Connection, application_id: int) -> dict[int, list[KpiAverage]]:
    statement = (
        select(
            kpis.c.use_case,
            kpis.c.name,
            kpis.c.kpi_type,
            kpis.c.goal,
            func.count(kpi_scores.c.score).label("scores"),
            func.avg(kpi_scores.c.score).label("average"),
        )
        .select_from(kpis.join(use_cases).join(kpi_scores, isouter=True))
        .where(use_cases.c.application_id == application_id)
        .group_by(kpis.c.id, kpis.c.use_case, kpis.c.name, kpis.c.kpi_type, kpis.c.goal)
        .order_by(kpis.c.id)
    )
    found: defaultdict[int, list[KpiAverage]] = defaultdict(list)
    for row in connection.execute(statement):
        found[row.use_case].append(KpiAverage(row.name, row.kpi_type, row.goal, row.scores, row.average))
    return found


def _count(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return cast(func.sum(case((condition, 1), else_=0)), Integer)
