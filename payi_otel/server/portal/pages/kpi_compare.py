"""Comparing KPIs: across use cases, of a time with the time before, and of a version with another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from payi_otel.server.portal import kpi_charts, kpi_words
from payi_otel.server.portal.charts import Chart, bars, time_series
from payi_otel.server.portal.filters import Filters, FiltersOf
from payi_otel.server.portal.formats import NOTHING, change, count, day, money, percent
from payi_otel.server.portal.pages.kpis import kpi_filter
from payi_otel.server.portal.rendering import page
from payi_otel.server.portal.viewer import StoreOf, Viewer, ViewerOf
from payi_otel.server.store import kpi_insights, use_cases
from payi_otel.server.store.kpi_insights_options import versions_of
from payi_otel.server.store.kpi_insights_results import KpiDetail, KpiFilter, KpiOverview, KpiResult
from payi_otel.server.store.kpis import Kpi
from payi_otel.server.store.use_cases import UseCase

router = APIRouter()

_MOST_LINES = 6
Version = Annotated[int | None, Query(ge=1)]


@dataclass(frozen=True, slots=True)
class Side:
    """One of two sides: what it is called and all about it."""

    name: str
    detail: KpiDetail


@dataclass(frozen=True, slots=True)
class Row:
    """A number of both sides, and how they differ."""

    name: str
    before: str
    after: str
    difference: str


@router.get("/kpis/compare")
def compare(
    request: Request,
    viewer: ViewerOf,
    store: StoreOf,
    filters: FiltersOf,
    by: Literal["use_cases", "periods", "versions"] = "use_cases",
    name: str = "",
    kpi: str = "",
    before: Version = None,
    after: Version = None,
) -> Response:
    """The comparison that the address asks for.

    `name` is that of KPIs of several use cases; `kpi` is a use case and its KPI, with a slash between; `before` and
    `after` are versions.
    """
    with store.read() as connection:
        wanted = replace(kpi_filter(filters), version=None)
        choices = {
            f"{use_case_name}/{one.name}": (use_case_name, one)
            for _, use_case_name, one in kpi_insights.defined(connection, viewer.application_id)
        }
        if by == "use_cases" or not choices:
            found = kpi_insights.overview(connection, viewer.application_id, wanted, filters.bucket)
            return _use_cases(request, viewer, filters, found, name)
        # Names of use cases have no slash.
        chosen = kpi if kpi in choices else next(iter(choices))
        use_case_name, measured = choices[chosen]
        use_case = use_cases.get(connection, viewer.application_id, use_case_name)
        versions = versions_of(connection, use_case)
        if by == "periods":
            sides = _periods(connection, filters, measured, use_case)
        else:
            sides = _versions(connection, filters, measured, use_case, versions, before, after)
    return page(
        request,
        "kpi_compare.html",
        viewer,
        filters=filters,
        by=by,
        name=name,
        choices=[(key, f"{one.name} · {owner}") for key, (owner, one) in choices.items()],
        chosen=chosen,
        kpi=measured,
        use_case=use_case,
        versions=versions,
        sides=sides,
        rows=_rows(measured, *(side.detail.result for side in sides)) if sides else [],
        charts=_charts(by, filters, measured, sides) if sides else [],
        success=kpi_words.success(measured),
    )


def _use_cases(
    request: Request, viewer: Viewer, filters: Filters, found: Sequence[KpiOverview], name: str
) -> Response:
    names = sorted({one.kpi.name for one in found})
    shown = [one for one in found if not name or one.kpi.name == name]
    scored = [one for one in shown if one.result.scores]
    of_one_type = name != "" and len({one.kpi.kpi_type for one in scored}) == 1
    charts = [kpi_charts.attainment(scored)]
    if of_one_type:
        charts += _averages(filters, scored)
    return page(
        request,
        "kpi_compare.html",
        viewer,
        filters=filters,
        by="use_cases",
        name=name,
        names=names,
        sides=(),
        found=[
            (one, kpi_words.score(one.kpi, one.result.average), kpi_words.score(one.kpi, one.kpi.goal))
            for one in shown
        ],
        charts=charts,
    )


def _averages(filters: Filters, found: Sequence[KpiOverview]) -> list[Chart]:
    """The averages of KPIs of one name and type."""
    times = filters.buckets()
    shown = found[:_MOST_LINES]
    unit = kpi_words.unit(found[0].kpi)
    title = "Average over time" + (f", of the first {len(shown)}" if len(found) > len(shown) else "")
    series = {one.use_case_name: kpi_charts.averages(one.slots, times) for one in shown}
    known = {one.use_case_name: one.result.average for one in found}
    return [
        bars("Average", known, unit, of="use case"),
        time_series(title, times, series, unit, step=filters.step),
    ]


def _periods(connection: Connection, filters: Filters, kpi: Kpi, use_case: UseCase) -> tuple[Side, Side]:
    earlier = filters.previous
    return (
        Side(_days(earlier), _detail(connection, earlier, kpi, use_case, kpi_filter(earlier))),
        Side(_days(filters), _detail(connection, filters, kpi, use_case, kpi_filter(filters))),
    )


def _versions(
    connection: Connection,
    filters: Filters,
    kpi: Kpi,
    use_case: UseCase,
    known: Sequence[int],
    before: int | None,
    after: int | None,
) -> tuple[Side, Side] | None:
    """The last two of the known versions unless others are named; None while there is only one."""
    if len(known) < 2:
        return None
    last = after if after is not None and after in known else known[-1]
    first = (
        before
        if before is not None and before in known
        else max((one for one in known if one < last), default=known[0])
    )
    older, newer = (
        Side(
            f"Version {version}",
            _detail(connection, filters, kpi, use_case, replace(kpi_filter(filters), version=version)),
        )
        for version in (first, last)
    )
    return older, newer


def _detail(
    connection: Connection, filters: Filters, kpi: Kpi, use_case: UseCase, wanted: KpiFilter
) -> KpiDetail:
    unit = kpi_words.currency(kpi)
    return kpi_insights.detail(connection, kpi, use_case.id, wanted, bucket=filters.bucket, unit=unit)


def _rows(kpi: Kpi, before: KpiResult, after: KpiResult) -> list[Row]:
    def shares(first: float | None, second: float | None) -> str:
        if first is None or second is None:
            return NOTHING
        points = round((second - first) * 100, 2)
        return f"{points:+g} points" if points else "±0 points"

    return [
        Row(
            "Average",
            kpi_words.score(kpi, before.average),
            kpi_words.score(kpi, after.average),
            kpi_words.difference(kpi, before.average, after.average),
        ),
        Row(
            "Goal met",
            percent(before.attainment),
            percent(after.attainment),
            shares(before.attainment, after.attainment),
        ),
        Row(
            "Use cases reviewed",
            percent(before.reviewed_share),
            percent(after.reviewed_share),
            shares(before.reviewed_share, after.reviewed_share),
        ),
        _counted("Scores", before.scores, after.scores),
        _counted("Successes", before.successes, after.successes),
        Row(
            "Spend of reviewed instances",
            money(before.spend),
            money(after.spend),
            change(before.spend, after.spend) or NOTHING,
        ),
        Row(
            "Cost per success",
            money(before.cost_per_success),
            money(after.cost_per_success),
            change(before.cost_per_success, after.cost_per_success) or NOTHING,
        ),
    ]


def _counted(name: str, before: int, after: int) -> Row:
    return Row(name, count(before), count(after), change(before, after) or NOTHING)


def _charts(by: str, filters: Filters, kpi: Kpi, sides: Sequence[Side]) -> list[Chart]:
    before, after = sides
    known = {side.name: side.detail.result.average for side in sides}
    found = [bars("Average", known, kpi_words.unit(kpi), of="time" if by == "periods" else "version")]
    times, title = filters.buckets(), "Average over time"
    if by == "periods":
        title += ", both from their first day on"
        past = kpi_charts.averages(before.detail.slots, filters.previous.buckets())[: len(times)]
        series = {
            before.name: past + [None] * (len(times) - len(past)),
            after.name: kpi_charts.averages(after.detail.slots, times),
        }
    else:
        series = {side.name: kpi_charts.averages(side.detail.slots, times) for side in sides}
    unit = kpi_words.unit(kpi)
    found.append(time_series(title, times, series, unit, step=filters.step, goal=kpi.goal))
    found += [
        kpi_charts.distribution(kpi, side.detail, f"Distribution, {side.name}")
        for side in sides
        if side.detail.result.scores
    ]
    return found


def _days(filters: Filters) -> str:
    return f"{day(filters.first_day)} to {day(filters.last_day)}"
