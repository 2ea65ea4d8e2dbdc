"""How the KPIs of use cases did: averages against goals, distributions, changes over time, cost of success."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, select, type_coerce

from payi_otel.server.store.has_property import has_properties
from payi_otel.server.store.kpi_insights_bins import Bins, Spread, bins_of
from payi_otel.server.store.kpi_insights_results import (
    HOUR_S,
    Bucket,
    KpiDetail,
    KpiFilter,
    KpiOverview,
    KpiResult,
    VersionResult,
    instant_of,
    slots_of,
    trend_over,
    utc_day,
)
from payi_otel.server.store.kpis import Kpi
from payi_otel.server.store.schema import instances, kpi_scores, kpis, use_cases
from payi_otel.server.store.schema_instances import instance_sums
from payi_otel.server.store.types import RowId, read_sum

_AT = type_coerce(kpi_scores.c.at, RowId)


def detail(
    connection: Connection,
    kpi: Kpi,
    use_case: int,
    wanted: KpiFilter,
    *,
    bucket: Bucket = utc_day,
    unit: str = "",
) -> KpiDetail:
    """All about one KPI of the use case with this row id.

    `bucket` says what a point of the time series stands for; `unit` stands before numbers, such as "$".
    """
    bins = bins_of(kpi.kpi_type, _spread(connection, kpi, wanted), unit)
    counts = {row.bin: row.scores for row in connection.execute(_counts(kpi, wanted, bins))}
    hours: list[tuple[int, int, float]] = []
    versions: dict[int, list[float]] = {}
    first: dict[int, int] = {}
    for row in connection.execute(_hours(kpi, wanted)):
        hours.append((row.hour, row.scores, row.total))
        sums = versions.setdefault(row.version, [0, 0.0, 0])
        sums[0] += row.scores
        sums[1] += row.total
        sums[2] += int(row.successes)
        first[row.version] = min(row.hour, first.get(row.version, row.hour))
    scores, total, successes = (sum(sums[part] for sums in versions.values()) for part in range(3))
    slots = slots_of(hours, bucket)
    return KpiDetail(
        result=_result(connection, kpi, use_case, wanted, int(scores), total, int(successes)),
        slots=slots,
        trend=trend_over(slots),
        bins=bins,
        distribution=bins.counted(counts),
        versions=[
            VersionResult(version, instant_of(first[version]), int(sums[0]), sums[1] / sums[0], int(sums[2]))
            for version, sums in sorted(versions.items())
        ],
    )


def result(connection: Connection, kpi: Kpi, use_case: int, wanted: KpiFilter) -> KpiResult:
    """What came of one KPI of the use case with this row id."""
    statement = _scored(
        _select(
            func.count(kpi_scores.c.score).label("scores"),
            func.coalesce(func.sum(kpi_scores.c.score), 0.0).label("total"),
            func.coalesce(func.sum(_success(kpi)), 0).label("successes"),
        ),
        wanted,
    ).where(kpi_scores.c.kpi == kpi.id)
    row = connection.execute(statement).one()
    return _result(connection, kpi, use_case, wanted, row.scores, row.total, int(row.successes))


def defined(connection: Connection, application_id: int) -> list[tuple[int, str, Kpi]]:
    """The row id and the name of the use case, and the KPI, of all KPIs, by use case and name."""
    statement = (
        select(kpis, use_cases.c.name.label("use_case_name"))
        .join_from(kpis, use_cases)
        .where(use_cases.c.application_id == application_id)
        .order_by(use_cases.c.name, kpis.c.name)
    )
    return [
        (
            row.use_case,
            row.use_case_name,
            Kpi(row.id, row.name, row.description, row.kpi_type, row.goal, row.created_at, row.updated_at),
        )
        for row in connection.execute(statement)
    ]


def overview(
    connection: Connection, application_id: int, wanted: KpiFilter, bucket: Bucket = utc_day
) -> list[KpiOverview]:
    """All KPIs of all use cases, by use case and name. Of `wanted` only the time counts."""
    time = KpiFilter(wanted.start, wanted.end)
    hours = _all_hours(connection, application_id, time)
    begun = _all_instances(connection, application_id, time)
    found: list[KpiOverview] = []
    for use_case, use_case_name, kpi in defined(connection, application_id):
        mine = hours.get(kpi.id, [])
        outcome = KpiResult(
            scores=sum(one.scores for one in mine),
            total=sum(one.total for one in mine),
            successes=sum(int(one.successes) for one in mine),
            instances=begun.get(use_case, 0),
            reviewed=sum(one.reviewed for one in mine),
            spend=sum((read_sum(one.whole, one.rest) for one in mine), Decimal(0)),
            goal=kpi.goal,
        )
        slots = slots_of(((one.hour, one.scores, one.total) for one in mine), bucket)
        found.append(KpiOverview(use_case_name, kpi, outcome, slots, trend_over(slots)))
    return found


def _counts(kpi: Kpi, wanted: KpiFilter, bins: Bins) -> Select[Any]:
    score = kpi_scores.c.score
    place = case(*((score < edge, number) for number, edge in enumerate(bins.edges)), else_=len(bins.edges))
    statement = _select(place.label("bin"), func.count().label("scores"))
    # By name: bound again, the parameters of the same expression would be others to PostgreSQL.
    return _scored(statement, wanted).where(kpi_scores.c.kpi == kpi.id).group_by("bin")


def _hours(kpi: Kpi, wanted: KpiFilter) -> Select[Any]:
    statement = _select(
        (_AT // HOUR_S).label("hour"),
        kpi_scores.c.version,
        func.count().label("scores"),
        func.sum(kpi_scores.c.score).label("total"),
        func.sum(_success(kpi)).label("successes"),
    )
    return _scored(statement, wanted).where(kpi_scores.c.kpi == kpi.id).group_by("hour", kpi_scores.c.version)


def _spread(connection: Connection, kpi: Kpi, wanted: KpiFilter) -> Spread | None:
    """How the scores lie; None without any, and for types whose ranges do not depend on it."""
    if kpi.kpi_type != "number":
        return None
    score = kpi_scores.c.score
    statement = _select(
        func.min(score).label("low"),
        func.max(score).label("high"),
        func.avg(score).label("mean"),
        func.avg(score * score).label("squares"),
        func.sum(case((score == func.round(score), 0), else_=1)).label("fractions"),
    )
    row = connection.execute(_scored(statement, wanted).where(kpi_scores.c.kpi == kpi.id)).one()
    if row.low is None:
        return None
    deviation = math.sqrt(max(row.squares - row.mean**2, 0.0))
    return Spread(row.low, row.high, row.mean, deviation, row.fractions == 0)


def _result(
    connection: Connection,
    kpi: Kpi,
    use_case: int,
    wanted: KpiFilter,
    scores: int,
    total: float,
    successes: int,
) -> KpiResult:
    spent = _select(
        func.count().label("reviewed"),
        func.coalesce(func.sum(instance_sums.c.cost_whole), 0).label("whole"),
        func.coalesce(func.sum(instance_sums.c.cost_rest), 0).label("rest"),
    ).join_from(kpi_scores, instance_sums, kpi_scores.c.instance == instance_sums.c.instance)
    row = connection.execute(_scored(spent, wanted).where(kpi_scores.c.kpi == kpi.id)).one()
    return KpiResult(
        scores=scores,
        total=total,
        successes=successes,
        instances=_instances(connection, use_case, wanted),
        reviewed=row.reviewed,
        spend=read_sum(row.whole, row.rest),
        goal=kpi.goal,
    )


def _instances(connection: Connection, use_case: int, wanted: KpiFilter) -> int:
    """How many instances with requests there are."""
    statement = select(func.count()).select_from(instance_sums).where(instance_sums.c.use_case == use_case)
    statement = _between(statement, instance_sums.c.began_at, wanted)
    if wanted.version is not None:
        statement = statement.where(instance_sums.c.version == wanted.version)
    if wanted.properties:
        statement = statement.join(instances, instance_sums.c.instance == instances.c.id).where(
            has_properties(instances.c.properties, wanted.properties)
        )
    return connection.execute(statement).scalar_one()


def _all_hours(connection: Connection, application_id: int, wanted: KpiFilter) -> dict[int, list[Any]]:
    reached = case(
        (kpis.c.kpi_type == "boolean", kpi_scores.c.score),
        (kpi_scores.c.score >= kpis.c.goal, 1.0),
        else_=0.0,
    )
    statement = (
        _select(
            kpi_scores.c.kpi,
            (_AT // HOUR_S).label("hour"),
            func.count().label("scores"),
            func.sum(kpi_scores.c.score).label("total"),
            func.sum(reached).label("successes"),
            func.count(instance_sums.c.instance).label("reviewed"),
            func.coalesce(func.sum(instance_sums.c.cost_whole), 0).label("whole"),
            func.coalesce(func.sum(instance_sums.c.cost_rest), 0).label("rest"),
        )
        .select_from(
            kpis.join(use_cases)
            .join(kpi_scores)
            .join(instance_sums, kpi_scores.c.instance == instance_sums.c.instance, isouter=True)
        )
        .where(use_cases.c.application_id == application_id)
    )
    found: dict[int, list[Any]] = {}
    for row in connection.execute(_scored(statement, wanted).group_by(kpi_scores.c.kpi, "hour")):
        found.setdefault(row.kpi, []).append(row)
    return found


def _all_instances(connection: Connection, application_id: int, wanted: KpiFilter) -> dict[int, int]:
    statement = (
        _select(instance_sums.c.use_case, func.count().label("instances"))
        .join_from(use_cases, instance_sums, use_cases.c.id == instance_sums.c.use_case)
        .where(use_cases.c.application_id == application_id)
        .group_by(instance_sums.c.use_case)
    )
    rows = connection.execute(_between(statement, instance_sums.c.began_at, wanted))
    return {row.use_case: row.instances for row in rows}


def _select(*columns: ColumnElement[Any]) -> Select[Any]:
    return select(*columns)


def _scored(statement: Select[Any], wanted: KpiFilter) -> Select[Any]:
    """Over the scores that were not cleared and that `wanted` lets count."""
    statement = _between(statement.where(kpi_scores.c.score.is_not(None)), kpi_scores.c.at, wanted)
    if wanted.version is not None:
        statement = statement.where(kpi_scores.c.version == wanted.version)
    if wanted.properties:
        statement = statement.join(instances, kpi_scores.c.instance == instances.c.id).where(
            has_properties(instances.c.properties, wanted.properties)
        )
    return statement


def _between(statement: Select[Any], column: ColumnElement[datetime], wanted: KpiFilter) -> Select[Any]:
    if wanted.start is not None:
        statement = statement.where(column >= wanted.start)
    return statement if wanted.end is None else statement.where(column < wanted.end)


def _success(kpi: Kpi) -> ColumnElement[int]:
    least = 1.0 if kpi.kpi_type == "boolean" else kpi.goal
    return case((kpi_scores.c.score >= least, 1), else_=0)
