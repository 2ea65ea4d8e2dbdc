"""What each use case cost and earned, summed up from the roll-ups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import Connection, func, select

from payi_otel.server.pricing import UnitCount
from payi_otel.server.store.schema import instances, kpi_scores, kpis, use_cases
from payi_otel.server.store.schema_rollups import SUMS, rollup_units, rollups
from payi_otel.server.store.types import read_sum


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over requests. `unpriced` counts those with units that have no price.

    `estimated` counts those whose units the sender worked out because the provider did not tell them.
    """

    calls: int = 0
    failures: int = 0
    estimated: int = 0
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
    units: Mapping[str, UnitCount] = field(default_factory=dict[str, UnitCount])


def summarize(connection: Connection, application_id: int) -> list[UseCaseSummary]:
    """All use cases by name, then those that were deleted, then the requests without a use case."""
    totals = _totals(connection, application_id)
    averages = _averages(connection, application_id)
    units = _units(connection, application_id)
    counted = (
        select(use_cases.c.id, use_cases.c.name, func.count(instances.c.id).label("instances"))
        .join_from(use_cases, instances, isouter=True)
        .where(use_cases.c.application_id == application_id)
        .group_by(use_cases.c.id, use_cases.c.name)
        .order_by(use_cases.c.name)
    )
    found = [
        UseCaseSummary(
            row.name, row.instances, totals.pop(row.name, Totals()), averages[row.id], units[row.name]
        )
        for row in connection.execute(counted)
    ]
    rest = sorted(totals.items(), key=lambda item: (item[0] is None, item[0] or ""))
    return found + [UseCaseSummary(name, 0, sums, (), units[name]) for name, sums in rest]


def _totals(connection: Connection, application_id: int) -> dict[str | None, Totals]:
    sums = [func.sum(rollups.c[name]).label(name) for name in SUMS]
    statement = (
        select(rollups.c.use_case_name, *sums)
        .where(rollups.c.application_id == application_id, rollups.c.is_detailed.is_(False))
        .group_by(rollups.c.use_case_name)
        # A roll-up whose requests have all moved to others stays, with nothing in it.
        .having(func.sum(rollups.c.calls) > 0)
    )
    return {
        row.use_case_name: Totals(
            calls=int(row.calls),
            failures=int(row.failures),
            estimated=int(row.estimated),
            unpriced=int(row.unpriced),
            input_tokens=int(row.input_tokens),
            output_tokens=int(row.output_tokens),
            cost=read_sum(row.input_whole, row.input_rest) + read_sum(row.output_whole, row.output_rest),
        )
        for row in connection.execute(statement)
    }


def _units(connection: Connection, application_id: int) -> defaultdict[str | None, dict[str, UnitCount]]:
    statement = (
        select(
            rollups.c.use_case_name,
            rollup_units.c.unit,
            func.sum(rollup_units.c.input).label("input"),
            func.sum(rollup_units.c.output).label("output"),
        )
        .join_from(rollups, rollup_units, rollups.c.key == rollup_units.c.key)
        .where(rollups.c.application_id == application_id, rollups.c.is_detailed.is_(False))
        .group_by(rollups.c.use_case_name, rollup_units.c.unit)
    )
    found: defaultdict[str | None, dict[str, UnitCount]] = defaultdict(dict)
    for row in connection.execute(statement):
        count = UnitCount(int(row.input), int(row.output))
        if count != UnitCount():
            found[row.use_case_name][row.unit] = count
    return found


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
