"""Limits: what may be spent, what was, and the dialogs that create, change, reset and delete one."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import AfterValidator, Field
from starlette.responses import Response

from payi_otel.server.api.context import Segment, now
from payi_otel.server.errors import ApiError
from payi_otel.server.portal.charts import Chart, bars
from payi_otel.server.portal.filters import FiltersOf
from payi_otel.server.portal.formats import CALLS, money
from payi_otel.server.portal.forms import Form, FormModel, read_form
from payi_otel.server.portal.navigation import NavItem
from payi_otel.server.portal.rendering import page, redirect
from payi_otel.server.portal.viewer import AdminOf, FormOf, StoreOf, Viewer, ViewerOf
from payi_otel.server.store import limits
from payi_otel.server.store.limits import Limit, NewLimit
from payi_otel.server.store.pages import PageRequest
from payi_otel.server.store.schema_limits import STATES

router = APIRouter()
NAV = NavItem("/limits", "Limits")

_LEAST_THRESHOLD, _MOST_THRESHOLD = 75, 99
_AT_ONCE = 50
_STATE_NAMES = {"ok": "within", "exceeded": "above the warning", "overrun": "above the maximum"}


def _money(amount: Decimal) -> Decimal:
    if amount.as_tuple().exponent not in range(-12, 13):
        raise ValueError("Give at most twelve digits after the point.")
    return amount


Money = Annotated[Decimal, Field(ge=0, le=Decimal(10**9)), AfterValidator(_money)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class NewLimitForm(FormModel):
    """What the dialog of a new limit asks for; the threshold in percent."""

    name: Name
    max: Money
    limit_type: Literal["allow", "block"] = "allow"
    threshold: Annotated[int, Field(ge=_LEAST_THRESHOLD, le=_MOST_THRESHOLD)] | None = None
    limit_id: Annotated[str, Field(max_length=limits.LONGEST_ID)] | None = None


class LimitForm(FormModel):
    """What can be changed of a limit."""

    name: Name
    max: Money


@router.get("/limits")
def show_all(request: Request, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """The limits, newest first; `q` finds names."""
    with store.read() as connection:
        found = limits.page(
            connection, viewer.application_id, PageRequest(filters.cursor, _AT_ONCE), part_of_name=filters.q
        )
    return page(
        request, "limits.html", viewer, filters=filters, limits=found.items, cursor=found.cursor,
        state_names=_STATE_NAMES,
    )  # fmt: skip


@router.get("/new-limit")
def new(request: Request, viewer: ViewerOf) -> Response:
    """The dialog that creates one."""
    return _create_dialog(request, viewer, Form({"limit_type": "allow"}))


@router.post("/limits")
def create(request: Request, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Create a limit."""
    sent = read_form(NewLimitForm, form)
    if sent.model is None:
        return _create_dialog(request, viewer, sent)
    wanted = NewLimit(
        limit_name=sent.model.name,
        max=sent.model.max,
        limit_id=sent.model.limit_id,
        limit_type=sent.model.limit_type,
        threshold=None if sent.model.threshold is None else sent.model.threshold / 100,
    )
    try:
        with store.write() as connection:
            limit, is_new = limits.create(connection, viewer.application_id, wanted, now())
    except ApiError as error:
        return _create_dialog(request, viewer, sent.refused(error))
    if not is_new:
        refused = ApiError(400, None, f"limit_id: {limit.limit_id!r} exists already; give another, or none")
        return _create_dialog(request, viewer, sent.refused(refused))
    return redirect(request, "/limits", notice=f"Limit {limit.limit_name} is created.")


@router.get("/limits/{limit_id}")
def show(request: Request, limit_id: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """One limit: its state, and its periods."""
    with store.read() as connection:
        limit = limits.get(connection, viewer.application_id, limit_id)
        periods = limits.periods(connection, limit.id)
    return page(
        request, "limit.html", viewer, limit=limit, periods=periods, chart=_states(limit),
        state_names=_STATE_NAMES,
    )  # fmt: skip


@router.get("/limits/{limit_id}/edit")
def edit(request: Request, limit_id: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that changes name and maximum."""
    limit = _limit(viewer, store, limit_id)
    form: Form[LimitForm] = Form({"name": limit.limit_name, "max": f"{limit.max:f}"})
    return _dialog(request, viewer, "limit_edit.html", limit, form)


@router.post("/limits/{limit_id}/edit")
def change(request: Request, limit_id: Segment, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Change name and maximum."""
    sent = read_form(LimitForm, form)
    if sent.model is None:
        return _dialog(request, viewer, "limit_edit.html", _limit(viewer, store, limit_id), sent)
    try:
        with store.write() as connection:
            changed = limits.change(
                connection, viewer.application_id, limit_id, now(), name=sent.model.name, max=sent.model.max
            )
    except ApiError as error:
        limit = _limit(viewer, store, limit_id)
        return _dialog(request, viewer, "limit_edit.html", limit, sent.refused(error))
    return redirect(request, "/limits", notice=f"Limit {changed.limit_name} is changed.")


@router.get("/limits/{limit_id}/reset")
def ask_reset(request: Request, limit_id: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that asks whether to begin a new period."""
    return _dialog(request, viewer, "limit_reset.html", _limit(viewer, store, limit_id))


@router.post("/limits/{limit_id}/reset")
def reset(request: Request, limit_id: Segment, viewer: AdminOf, store: StoreOf) -> Response:
    """Begin a new period, in which nothing is spent."""
    with store.write() as connection:
        closed = limits.reset(connection, viewer.application_id, limit_id, now())
    notice = f"Limit {closed.limit_name} is reset; {money(closed.totals.total)} went into its history."
    return redirect(request, "/limits", notice=notice)


@router.get("/limits/{limit_id}/delete")
def ask_delete(request: Request, limit_id: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that asks whether to delete."""
    return _dialog(request, viewer, "limit_delete.html", _limit(viewer, store, limit_id))


@router.post("/limits/{limit_id}/delete")
def remove(request: Request, limit_id: Segment, viewer: AdminOf, store: StoreOf) -> Response:
    """Delete a limit with its history."""
    with store.write() as connection:
        limit = limits.get(connection, viewer.application_id, limit_id)
        limits.remove(connection, viewer.application_id, limit_id)
    return redirect(request, "/limits", notice=f"Limit {limit.limit_name} is deleted.")


def _limit(viewer: Viewer, store: StoreOf, limit_id: str) -> Limit:
    with store.read() as connection:
        return limits.get(connection, viewer.application_id, limit_id)


def _create_dialog(request: Request, viewer: Viewer, form: Form[NewLimitForm]) -> Response:
    status = 422 if form.errors else 200
    return page(request, "limit_new.html", viewer, status=status, form=form)


def _dialog(
    request: Request, viewer: Viewer, template: str, limit: Limit, form: Form[LimitForm] | None = None
) -> Response:
    status = 422 if form and form.errors else 200
    return page(request, template, viewer, status=status, limit=limit, form=form)


def _states(limit: Limit) -> Chart:
    counted = {state.replace("_", " "): limit.totals.requests[state] for state in STATES}
    return bars(
        "Requests of this period by what the limit said",
        {state: number for state, number in counted.items() if number},
        CALLS,
        of="state",
        tones={
            state: "good" if state == "ok" else "muted" if state == "failed" else "bad" for state in counted
        },
    )
