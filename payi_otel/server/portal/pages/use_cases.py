"""The list of use cases: what each cost, whether it worked, how its KPIs do and what it was worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from payi_otel.server.api.context import now
from payi_otel.server.errors import ApiError
from payi_otel.server.portal import kpi_words
from payi_otel.server.portal.filters import Filters, FiltersOf
from payi_otel.server.portal.forms import Form, FormModel, read_form
from payi_otel.server.portal.navigation import NavItem
from payi_otel.server.portal.rendering import page, redirect
from payi_otel.server.portal.viewer import AdminOf, FormOf, StoreOf, ViewerOf
from payi_otel.server.store import (
    insights,
    insights_instances,
    kpi_insights,
    use_cases,
    value_totals,
    values,
)
from payi_otel.server.store.figures import Figures
from payi_otel.server.store.insights import Scope
from payi_otel.server.store.kpi_insights_results import KpiFilter, KpiOverview
from payi_otel.server.store.pages import LARGEST_LIMIT, PageRequest
from payi_otel.server.store.use_cases import UseCase
from payi_otel.server.store.value_totals import ValueTotals

router = APIRouter()
NAV = NavItem("/use-cases", "Use cases")

SORTS: Mapping[str, str] = {
    "spend": "Spend",
    "calls": "Calls",
    "failures": "Failures",
    "instances": "Instances",
    "value": "Value",
    "name": "Name",
}
"""What the list can be sorted by."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A KPI of the list, in words."""

    name: str
    average: str
    goal: str
    is_met: bool | None


@dataclass(frozen=True, slots=True)
class Line:
    """A use case of the list. `use_case` is None for one that was deleted, `name` for the calls of none."""

    name: str | None
    use_case: UseCase | None
    figures: Figures
    instances: int
    kpis: Sequence[Goal]
    value: ValueTotals | None


class NewUseCaseForm(FormModel):
    """What the dialog of a new use case asks for."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: Annotated[str, Field(max_length=2000)] = ""


@router.get("/use-cases")
def show_all(request: Request, viewer: ViewerOf, filters: FiltersOf) -> Response:
    """The page; its list follows."""
    return page(request, "use_cases.html", viewer, filters=filters, sorts=SORTS, sort=_sort(request))


@router.get("/use-case-list")
def show_list(request: Request, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """The list; `q` finds names and descriptions."""
    application = viewer.application_id
    with store.read() as connection:
        defined = use_cases.page(connection, application, PageRequest(limit=LARGEST_LIMIT)).items
        parts = insights.breakdown(connection, application, Scope(filters.start, filters.end), "use_case")
        counts = insights_instances.counts(connection, application, filters.start, filters.end)
        scored = kpi_insights.overview(
            connection, application, KpiFilter(filters.start, filters.end), filters.bucket
        )
        worth: dict[str, ValueTotals] = {}
        for use_case in defined:
            policy = values.find(connection, use_case)
            if policy is not None:
                worth[use_case.name] = value_totals.of_use_case(
                    connection, use_case, policy, filters.start, filters.end
                )
    figures = {part.key[0]: part.figures for part in parts}
    known = {use_case.name: use_case for use_case in defined}
    names: list[str | None] = [*known, *(name for name in figures if name not in known)]
    lines = [
        Line(
            name,
            known.get(name or ""),
            figures.get(name, Figures()),
            counts.get(name or "", 0),
            [_goal(one) for one in scored if one.use_case_name == name],
            worth.get(name or ""),
        )
        for name in names
    ]
    sort = _sort(request)
    return page(
        request,
        "use_cases_list.html",
        viewer,
        filters=filters,
        any_known=bool(lines),
        lines=sorted((line for line in lines if _matches(line, filters)), key=_ORDER[sort]),
    )


@router.get("/new-use-case")
def new(request: Request, viewer: ViewerOf) -> Response:
    """The dialog that defines one."""
    form: Form[NewUseCaseForm] = Form()
    return page(request, "use_case_new.html", viewer, form=form)


@router.post("/use-cases")
def create(request: Request, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Define a use case."""
    sent = read_form(NewUseCaseForm, form)
    if sent.model is None:
        return page(request, "use_case_new.html", viewer, status=422, form=sent)
    try:
        with store.write() as connection:
            made, is_new = use_cases.define(
                connection,
                viewer.application_id,
                sent.model.name,
                now(),
                description=sent.model.description,
                logging_enabled=False,
                limit_config=None,
            )
            if not is_new:
                raise ApiError(400, None, f"name: {made.name} is there already; give another name")
    except ApiError as error:
        return page(request, "use_case_new.html", viewer, status=422, form=sent.refused(error))
    return redirect(
        request, f"/use-cases/{made.name}/configuration", notice=f"Use case {made.name} is created."
    )


def _goal(found: KpiOverview) -> Goal:
    kpi, result = found.kpi, found.result
    return Goal(kpi.name, kpi_words.score(kpi, result.average), kpi_words.score(kpi, kpi.goal), result.is_met)


def _sort(request: Request) -> str:
    wanted = request.query_params.get("sort", "")
    return wanted if wanted in SORTS else "spend"


def _matches(line: Line, filters: Filters) -> bool:
    description = line.use_case.description if line.use_case else ""
    return filters.q.casefold() in f"{line.name or ''} {description}".casefold()


def _by(number: Callable[[Line], Any]) -> Callable[[Line], Any]:
    return lambda line: (-number(line), line.name is None, line.name or "")


_ORDER: Mapping[str, Callable[[Line], Any]] = {
    "spend": _by(lambda line: line.figures.cost),
    "calls": _by(lambda line: line.figures.calls),
    "failures": _by(lambda line: line.figures.failures),
    "instances": _by(lambda line: line.instances),
    "value": _by(lambda line: line.value.money if line.value else float("-inf")),
    "name": lambda line: (line.name is None, (line.name or "").casefold()),
}
