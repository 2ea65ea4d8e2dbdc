"""The configuration of a use case: description, logging, limits of instances, versions, and its end."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from payi_otel.server.api.context import Segment
from payi_otel.server.portal import kpi_words
from payi_otel.server.portal.filters import FiltersOf
from payi_otel.server.portal.forms import Form, FormModel, read_form
from payi_otel.server.portal.rendering import page, redirect
from payi_otel.server.portal.viewer import AdminOf, FormOf, StoreOf, Viewer, ViewerOf
from payi_otel.server.store import insights, kpis, use_cases, values
from payi_otel.server.store.pages import LARGEST_LIMIT, PageRequest
from payi_otel.server.store.use_cases import UseCase

router = APIRouter()

_LEAST_THRESHOLD, _MOST_THRESHOLD = 75, 99


class UseCaseForm(FormModel):
    """What can be changed of a use case."""

    description: Annotated[str, Field(max_length=2000)] = ""
    logging: Literal["on", "off"] = "off"


class InstanceLimitForm(FormModel):
    """The limit that each new instance gets; the threshold in percent."""

    max: Annotated[Decimal, Field(gt=0, le=Decimal(10**9))]
    limit_type: Literal["allow", "block"] = "allow"
    threshold: Annotated[int, Field(ge=_LEAST_THRESHOLD, le=_MOST_THRESHOLD)] | None = None


class DeleteForm(FormModel):
    """The name once more, so that nothing is deleted by a slip."""

    name: str = ""


@router.get("/use-cases/{name}/configuration")
def show(request: Request, name: Segment, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """The tab."""
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        defined = kpis.page(connection, use_case, PageRequest(limit=LARGEST_LIMIT, ascending=True)).items
        versions = insights.first_calls(connection, viewer.application_id, name)
        policy = values.find(connection, use_case)
    return page(
        request,
        "use_case_configuration.html",
        viewer,
        filters=filters,
        use_case=use_case,
        tab="configuration",
        kpis=[(kpi, kpi_words.TYPE_NAMES[kpi.kpi_type], kpi_words.score(kpi, kpi.goal)) for kpi in defined],
        versions=versions,
        policy=policy,
    )


@router.get("/use-cases/{name}/edit")
def edit(request: Request, name: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that changes description and logging."""
    use_case = _use_case(viewer, store, name)
    logging = "on" if use_case.logging_enabled else "off"
    form: Form[UseCaseForm] = Form({"description": use_case.description, "logging": logging})
    return page(request, "use_case_edit.html", viewer, use_case=use_case, form=form)


@router.post("/use-cases/{name}/edit")
def change(request: Request, name: Segment, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Change description and logging."""
    sent = read_form(UseCaseForm, form)
    if sent.model is None:
        use_case = _use_case(viewer, store, name)
        return page(request, "use_case_edit.html", viewer, status=422, use_case=use_case, form=sent)
    with store.write() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        logging = sent.model.logging == "on"
        use_cases.change(
            connection, use_case, defined=True, description=sent.model.description, logging_enabled=logging
        )
    return _back(request, use_case, f"Use case {use_case.name} is changed.")


@router.get("/use-cases/{name}/instance-limit")
def edit_limit(request: Request, name: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog of the limit that each new instance gets."""
    use_case = _use_case(viewer, store, name)
    config = use_case.limit_config or {"limit_type": "allow"}
    threshold = config.get("threshold")
    begun = {**config, "threshold": None if threshold is None else round(threshold * 100)}
    form: Form[InstanceLimitForm] = Form(begun)
    return page(request, "use_case_limit.html", viewer, use_case=use_case, form=form)


@router.post("/use-cases/{name}/instance-limit")
def change_limit(request: Request, name: Segment, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Give each new instance a limit of its own."""
    sent = read_form(InstanceLimitForm, form)
    if sent.model is None:
        use_case = _use_case(viewer, store, name)
        return page(request, "use_case_limit.html", viewer, status=422, use_case=use_case, form=sent)
    wanted = sent.model
    with store.write() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        config = {
            "max": float(wanted.max),
            "limit_type": wanted.limit_type,
            "threshold": None if wanted.threshold is None else wanted.threshold / 100,
            "properties": (use_case.limit_config or {}).get("properties"),
        }
        use_cases.change(connection, use_case, defined=True, limit_config=config)
    return _back(request, use_case, "Each new instance gets its own limit from now on.")


@router.get("/use-cases/{name}/instance-limit/delete")
def ask_delete_limit(request: Request, name: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that asks whether new instances are to have no limits."""
    return page(request, "use_case_limit_delete.html", viewer, use_case=_use_case(viewer, store, name))


@router.post("/use-cases/{name}/instance-limit/delete")
def delete_limit(request: Request, name: Segment, viewer: AdminOf, store: StoreOf) -> Response:
    """Give new instances no limits any more."""
    with store.write() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        use_cases.change(connection, use_case, defined=True, limit_config=None)
    return _back(request, use_case, "New instances get no limit any more.")


@router.get("/use-cases/{name}/next-version")
def ask_next_version(request: Request, name: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that asks whether to begin the next version."""
    return page(request, "use_case_version.html", viewer, use_case=_use_case(viewer, store, name))


@router.post("/use-cases/{name}/next-version")
def next_version(request: Request, name: Segment, viewer: AdminOf, store: StoreOf) -> Response:
    """Begin the next version."""
    with store.write() as connection:
        use_cases.increment_version(connection, use_cases.get(connection, viewer.application_id, name))
        use_case = use_cases.get(connection, viewer.application_id, name)
    return _back(request, use_case, f"New instances are of version {use_case.type_version} now.")


@router.get("/use-cases/{name}/delete")
def ask_delete(request: Request, name: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that asks whether to delete the use case."""
    form: Form[DeleteForm] = Form()
    use_case = _use_case(viewer, store, name)
    return page(request, "use_case_delete.html", viewer, use_case=use_case, form=form)


@router.post("/use-cases/{name}/delete")
def delete(request: Request, name: Segment, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Delete a use case with its instances, KPIs and scores."""
    sent = read_form(DeleteForm, form)
    if sent.model is None or sent.model.name != name:
        wrong: Form[DeleteForm] = Form(sent.values, {"name": f"Write {name}, as it is spelled here."})
        use_case = _use_case(viewer, store, name)
        return page(request, "use_case_delete.html", viewer, status=422, use_case=use_case, form=wrong)
    with store.write() as connection:
        use_cases.remove(connection, use_cases.get(connection, viewer.application_id, name))
    return redirect(request, "/use-cases", notice=f"Use case {name} is deleted; what it cost stays counted.")


def _use_case(viewer: Viewer, store: StoreOf, name: str) -> UseCase:
    with store.read() as connection:
        return use_cases.get(connection, viewer.application_id, name)


def _back(request: Request, use_case: UseCase, notice: str) -> Response:
    return redirect(request, f"/use-cases/{use_case.name}/configuration", notice=notice)
