"""Value policies: what an instance of a use case is worth, tried out on the latest ones before it is saved."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from payi_otel.server.api.context import Segment, now
from payi_otel.server.portal import value_forms
from payi_otel.server.portal.forms import Form, FormModel
from payi_otel.server.portal.navigation import NavItem
from payi_otel.server.portal.rendering import page, redirect
from payi_otel.server.portal.viewer import AdminOf, FormOf, PostingOf, StoreOf, Viewer, ViewerOf
from payi_otel.server.store import kpi_insights, use_cases, value_preview, values
from payi_otel.server.store.kpis import Kpi
from payi_otel.server.store.pages import LARGEST_LIMIT, PageRequest
from payi_otel.server.store.use_cases import UseCase
from payi_otel.server.store.values import Policy
from payi_otel.server.value import METRICS

router = APIRouter()
NAV = NavItem("/values", "Value")

_PREVIEWED = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A use case of the list with its policy."""

    use_case: UseCase
    policy: Policy | None


@router.get("/values")
def show_all(request: Request, viewer: ViewerOf, store: StoreOf) -> Response:
    """All use cases with their policies."""
    with store.read() as connection:
        wanted = PageRequest(limit=LARGEST_LIMIT, ascending=True)
        found = use_cases.page(connection, viewer.application_id, wanted).items
        lines = [Line(one, values.find(connection, one)) for one in found]
    lines.sort(key=lambda line: line.use_case.name)
    return page(request, "values.html", viewer, lines=lines)


@router.get("/values/{use_case_name}")
def edit(request: Request, use_case_name: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The editor of one policy."""
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, use_case_name)
        policy = values.find(connection, use_case)
    return _editor(request, viewer, store, use_case, value_forms.begin(policy))


@router.post("/values/{use_case_name}")
def save(request: Request, use_case_name: Segment, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Save a policy."""
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, use_case_name)
    names = [kpi.name for kpi in _kpis(viewer, store, use_case)]
    shown, policy = value_forms.read_policy(form, names)
    if policy is None:
        return _editor(request, viewer, store, use_case, shown)
    with store.write() as connection:
        values.put(connection, use_case, policy, now())
    return redirect(request, "/values", notice=f"The value policy of {use_case.name} is saved.")


@router.post("/values/{use_case_name}/preview")
def preview(
    request: Request, use_case_name: Segment, viewer: PostingOf, store: StoreOf, form: FormOf
) -> Response:
    """What the policy as it stands in the form says of the latest instances."""
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, use_case_name)
        found = value_preview.latest(connection, use_case, _PREVIEWED)
    names = [kpi.name for kpi in _kpis(viewer, store, use_case)]
    shown, policy = value_forms.read_policy(form, names)
    outcomes = [] if policy is None else value_forms.outcomes(policy, found)
    return page(
        request,
        "value_preview.html",
        viewer,
        use_case=use_case,
        errors=value_forms.errors_in_words(shown),
        is_empty=not shown.text("money") and not shown.text("time"),
        policy=policy,
        outcomes=outcomes,
        money=[one.money for one in outcomes if one.money is not None],
        time=[one.time for one in outcomes if one.time is not None],
        cost=sum(one.instance.facts.metrics["cost"] for one in outcomes),
    )


@router.get("/values/{use_case_name}/delete")
def ask_delete(request: Request, use_case_name: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that asks whether to remove a policy."""
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, use_case_name)
    return page(request, "value_delete.html", viewer, use_case=use_case)


@router.post("/values/{use_case_name}/delete")
def remove(request: Request, use_case_name: Segment, viewer: AdminOf, store: StoreOf) -> Response:
    """Leave a use case without a policy."""
    with store.write() as connection:
        use_case = use_cases.get(connection, viewer.application_id, use_case_name)
        values.remove(connection, use_case)
    return redirect(request, "/values", notice=f"{use_case.name} has no value policy any more.")


def _kpis(viewer: Viewer, store: StoreOf, use_case: UseCase) -> list[Kpi]:
    with store.read() as connection:
        found = kpi_insights.defined(connection, viewer.application_id)
    return [kpi for row_id, _, kpi in found if row_id == use_case.id]


def _editor(
    request: Request, viewer: Viewer, store: StoreOf, use_case: UseCase, form: Form[FormModel]
) -> Response:
    with store.read() as connection:
        has_policy = values.find(connection, use_case) is not None
    return page(
        request,
        "value_policy.html",
        viewer,
        status=422 if form.errors else 200,
        use_case=use_case,
        form=form,
        kpis=_kpis(viewer, store, use_case),
        metrics=METRICS,
        has_policy=has_policy,
        previewed=_PREVIEWED,
    )
