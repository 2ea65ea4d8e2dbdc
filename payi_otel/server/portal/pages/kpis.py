"""KPI dashboards: all KPIs with how much of their goals they reach, and one with everything about it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from payi_otel.server.api.context import Segment
from payi_otel.server.portal import kpi_charts, kpi_words
from payi_otel.server.portal.filters import Filters, FiltersOf
from payi_otel.server.portal.formats import change
from payi_otel.server.portal.navigation import NavItem
from payi_otel.server.portal.rendering import page
from payi_otel.server.portal.viewer import StoreOf, ViewerOf
from payi_otel.server.store import kpi_insights, kpis, use_cases
from payi_otel.server.store.kpi_insights_options import property_values, versions_of
from payi_otel.server.store.kpi_insights_results import KpiFilter, KpiOverview

router = APIRouter()
NAV = NavItem("/kpis", "KPIs")

_MOST_BARS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A KPI of the list, with its numbers as texts."""

    found: KpiOverview
    average: str
    goal: str
    trend: str
    trend_note: str


def kpi_filter(filters: Filters) -> KpiFilter:
    """The instances that a page's address asks for."""
    return KpiFilter(filters.start, filters.end, filters.version, filters.properties)


@router.get("/kpis")
def show_all(request: Request, viewer: ViewerOf, filters: FiltersOf) -> Response:
    """The page of all KPIs; its numbers follow."""
    return page(request, "kpis.html", viewer, filters=filters)


@router.get("/kpis/list")
def show_list(request: Request, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """All KPIs of all use cases; `q` finds names of both."""
    with store.read() as connection:
        found = kpi_insights.overview(connection, viewer.application_id, kpi_filter(filters), filters.bucket)
    wanted = filters.q.casefold()
    shown = [one for one in found if wanted in f"{one.kpi.name} {one.use_case_name}".casefold()]
    scored = [one for one in shown if one.result.scores]
    return page(
        request,
        "kpis_list.html",
        viewer,
        filters=filters,
        any_defined=bool(found),
        lines=[_line(one) for one in shown],
        types=kpi_words.TYPE_NAMES,
        met=sum(one.result.is_met is True for one in shown),
        scored=len(scored),
        rising=sum(one.trend is not None and one.trend.direction == "up" for one in shown),
        falling=sum(one.trend is not None and one.trend.direction == "down" for one in shown),
        chart=kpi_charts.attainment(scored[:_MOST_BARS]),
    )


@router.get("/kpis/{use_case_name}/{kpi_name}")
def show(
    request: Request,
    use_case_name: Segment,
    kpi_name: Segment,
    viewer: ViewerOf,
    store: StoreOf,
    filters: FiltersOf,
) -> Response:
    """The dashboard of one KPI; its numbers follow."""
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, use_case_name)
        kpi = kpis.get(connection, use_case.id, kpi_name)
        properties = property_values(connection, use_case.id, filters.end)
        versions = versions_of(connection, use_case)
    for name, value in filters.properties.items():
        values = properties.setdefault(name, [])
        if value not in values:
            values.append(value)
    return page(
        request,
        "kpi.html",
        viewer,
        filters=filters,
        use_case=use_case,
        kpi=kpi,
        type_name=kpi_words.TYPE_NAMES[kpi.kpi_type],
        goal=kpi_words.score(kpi, kpi.goal),
        properties=properties,
        versions=sorted({*versions, *([filters.version] if filters.version else [])}),
    )


@router.get("/kpis/{use_case_name}/{kpi_name}/figures")
def show_figures(
    request: Request,
    use_case_name: Segment,
    kpi_name: Segment,
    viewer: ViewerOf,
    store: StoreOf,
    filters: FiltersOf,
) -> Response:
    """Numbers and charts of one KPI."""
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, use_case_name)
        kpi = kpis.get(connection, use_case.id, kpi_name)
        detail = kpi_insights.detail(
            connection,
            kpi,
            use_case.id,
            kpi_filter(filters),
            bucket=filters.bucket,
            unit=kpi_words.currency(kpi),
        )
        before = kpi_insights.result(connection, kpi, use_case.id, kpi_filter(filters.previous))
    word, note = kpi_words.trend(kpi, detail.trend)
    return page(
        request,
        "kpi_figures.html",
        viewer,
        filters=filters,
        use_case=use_case,
        kpi=kpi,
        result=detail.result,
        average=kpi_words.score(kpi, detail.result.average),
        average_change=change(before.average, detail.result.average),
        goal=kpi_words.score(kpi, kpi.goal),
        success=kpi_words.success(kpi),
        trend=word,
        trend_note=note,
        versions=[(one, kpi_words.score(kpi, one.average)) for one in detail.versions],
        over_time=kpi_charts.over_time(kpi, filters, detail),
        distribution=kpi_charts.distribution(kpi, detail),
    )


def _line(found: KpiOverview) -> Line:
    word, note = kpi_words.trend(found.kpi, found.trend)
    return Line(
        found=found,
        average=kpi_words.score(found.kpi, found.result.average),
        goal=kpi_words.score(found.kpi, found.kpi.goal),
        trend=word,
        trend_note=note,
    )
