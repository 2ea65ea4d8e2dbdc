"""The dialogs that create, change and delete the KPIs of a use case."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from payi_otel.server.api.context import Segment, now
from payi_otel.server.errors import ApiError
from payi_otel.server.portal import kpi_words
from payi_otel.server.portal.forms import Form, FormModel, read_form
from payi_otel.server.portal.rendering import page, redirect
from payi_otel.server.portal.viewer import AdminOf, FormOf, StoreOf, Viewer, ViewerOf
from payi_otel.server.store import kpi_changes, kpis, use_cases
from payi_otel.server.store.kpis import Kpi

router = APIRouter()

KpiType = Literal["boolean", "number", "percentage", "likert5", "likert7", "likert10"]
GOAL_HINTS = {
    "boolean": "The share of true to reach, 0 to 1: 0.25 for 25 %.",
    "number": "The average to reach; any number.",
    "percentage": "The average percentage to reach, 0 to 100.",
    "likert5": "The average to reach, 1 to 5.",
    "likert7": "The average to reach, 1 to 7.",
    "likert10": "The average to reach, 1 to 10.",
}


class KpiForm(FormModel):
    """A KPI as the dialogs ask for it."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=2000)] = ""
    kpi_type: KpiType
    goal: Annotated[float, Field(allow_inf_nan=False)]


@router.get("/use-cases/{name}/kpis/new")
def new(request: Request, name: Segment, viewer: ViewerOf) -> Response:
    """The dialog of a new KPI."""
    form: Form[KpiForm] = Form({"kpi_type": "boolean"})
    return _dialog(request, viewer, name, form)


@router.get("/use-cases/{name}/kpis/goal")
def goal_hint(request: Request, viewer: ViewerOf) -> Response:
    """What goals fit the type that is being chosen."""
    hint = GOAL_HINTS.get(request.query_params.get("kpi_type", ""), "")
    return page(request, "use_case_kpi_hint.html", viewer, hint=hint)


@router.post("/use-cases/{name}/kpis")
def create(request: Request, name: Segment, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Create a KPI."""
    sent = read_form(KpiForm, form)
    if sent.model is None:
        return _dialog(request, viewer, name, sent)
    wanted = sent.model
    try:
        with store.write() as connection:
            kpi_changes.checked_goal(wanted.kpi_type, wanted.goal)
            use_case = use_cases.get(connection, viewer.application_id, name)
            if kpis.find(connection, use_case.id, wanted.name) is not None:
                raise kpi_changes.name_taken(wanted.name)
            kpis.define(
                connection,
                use_case,
                wanted.name,
                now(),
                description=wanted.description,
                kpi_type=wanted.kpi_type,
                goal=wanted.goal,
            )
    except ApiError as error:
        return _dialog(request, viewer, name, sent.refused(error))
    return _back(request, name, f"KPI {wanted.name} is created.")


@router.get("/use-cases/{name}/kpis/{kpi_id}/edit")
def edit(request: Request, name: Segment, kpi_id: int, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that changes a KPI."""
    kpi = _kpi(viewer, store, name, kpi_id)
    begun = {
        "name": kpi.name,
        "description": kpi.description,
        "kpi_type": kpi.kpi_type,
        "goal": f"{kpi.goal:g}",
    }
    form: Form[KpiForm] = Form(begun)
    return _dialog(request, viewer, name, form, kpi)


@router.post("/use-cases/{name}/kpis/{kpi_id}/edit")
def change(
    request: Request, name: Segment, kpi_id: int, viewer: AdminOf, store: StoreOf, form: FormOf
) -> Response:
    """Change a KPI."""
    sent = read_form(KpiForm, form)
    kpi = _kpi(viewer, store, name, kpi_id)
    if sent.model is None:
        return _dialog(request, viewer, name, sent, kpi)
    wanted = sent.model
    try:
        with store.write() as connection:
            use_case = use_cases.get(connection, viewer.application_id, name)
            kpi_changes.redefine(
                connection,
                use_case,
                kpi,
                now(),
                name=wanted.name,
                description=wanted.description,
                kpi_type=wanted.kpi_type,
                goal=wanted.goal,
            )
    except ApiError as error:
        return _dialog(request, viewer, name, sent.refused(error), kpi)
    return _back(request, name, f"KPI {wanted.name} is changed.")


@router.get("/use-cases/{name}/kpis/{kpi_id}/delete")
def ask_delete(request: Request, name: Segment, kpi_id: int, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that asks whether to delete a KPI."""
    kpi = _kpi(viewer, store, name, kpi_id)
    return page(request, "use_case_kpi_delete.html", viewer, name=name, kpi=kpi)


@router.post("/use-cases/{name}/kpis/{kpi_id}/delete")
def delete(request: Request, name: Segment, kpi_id: int, viewer: AdminOf, store: StoreOf) -> Response:
    """Delete a KPI with its scores."""
    with store.write() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        kpi = kpi_changes.get_by_id(connection, use_case, kpi_id)
        kpis.remove(connection, kpi)
    return _back(request, name, f"KPI {kpi.name} is deleted.")


def _kpi(viewer: Viewer, store: StoreOf, name: str, kpi_id: int) -> Kpi:
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        return kpi_changes.get_by_id(connection, use_case, kpi_id)


def _dialog(
    request: Request, viewer: Viewer, name: str, form: Form[KpiForm], kpi: Kpi | None = None
) -> Response:
    return page(
        request,
        "use_case_kpi.html",
        viewer,
        status=422 if form.errors else 200,
        name=name,
        form=form,
        kpi=kpi,
        types=list(kpi_words.TYPE_NAMES.items()),
        hints=GOAL_HINTS,
    )


def _back(request: Request, name: str, notice: str) -> Response:
    return redirect(request, f"/use-cases/{name}/configuration", notice=notice)
