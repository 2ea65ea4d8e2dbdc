"""Applications and their keys, two each: made, replaced and deleted here, and shown once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field
from sqlalchemy import Connection
from starlette.responses import Response

from payi_otel.server.api.context import now
from payi_otel.server.errors import ApiError
from payi_otel.server.portal.forms import Form, FormModel, read_form
from payi_otel.server.portal.navigation import NavItem
from payi_otel.server.portal.rendering import page, redirect
from payi_otel.server.portal.viewer import AdminOf, FormOf, StoreOf, Viewer, ViewerOf
from payi_otel.server.store.keys import (
    SLOTS,
    Application,
    ensure_application,
    list_applications,
    lock_application,
    new_key,
    revoke_key,
    set_key,
)

router = APIRouter()
NAV = NavItem("/applications", "Applications")

_LARGEST_ID = 2**63 - 1
ApplicationNumber = Annotated[int, Path(ge=0, le=_LARGEST_ID)]
Slot = Annotated[int, Path(ge=SLOTS[0], le=SLOTS[-1])]


class NewApplicationForm(FormModel):
    """What the dialog of a new application asks for."""

    name: Annotated[str, Field(min_length=1, max_length=200)]


@router.get("/applications")
def show_all(request: Request, viewer: ViewerOf, store: StoreOf) -> Response:
    """The applications that somebody may see, and since when each key is valid."""
    with store.read() as connection:
        found = _visible(viewer, list_applications(connection))
    return page(
        request,
        "applications.html",
        viewer,
        applications=[(one, dict(one.keys)) for one in found],
        slots=SLOTS,
    )


@router.get("/applications/new")
def new(request: Request, viewer: ViewerOf) -> Response:
    """The dialog that makes an application."""
    form: Form[NewApplicationForm] = Form()
    return page(request, "application_new.html", viewer, form=form)


@router.post("/applications")
def create(request: Request, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Make an application with its first key, and show that."""
    if not viewer.sees_all:
        raise ApiError(
            403, None, "only who sees every application can make one; sign in as a user, not by key"
        )
    sent = read_form(NewApplicationForm, form)
    if sent.model is None:
        return page(request, "application_new.html", viewer, status=422, form=sent)
    name, key = sent.model.name, new_key()
    with store.write() as connection:
        if any(one.name == name for one in list_applications(connection)):
            taken: Form[NewApplicationForm] = Form(
                sent.values, {"name": "There is one of this name already."}
            )
            return page(request, "application_new.html", viewer, status=422, form=taken)
        made = ensure_application(connection, name, now())
        set_key(connection, made.id, SLOTS[0], key, now())
    return page(request, "application_key.html", viewer, application=made, slot=SLOTS[0], key=key)


@router.get("/applications/{application_id}/keys/{slot}/replace")
def ask_replace(
    request: Request, application_id: ApplicationNumber, slot: Slot, viewer: ViewerOf, store: StoreOf
) -> Response:
    """The dialog that asks whether to make or replace a key."""
    return _dialog(request, viewer, store, "application_replace.html", application_id, slot)


@router.post("/applications/{application_id}/keys/{slot}/replace")
def replace_key(
    request: Request, application_id: ApplicationNumber, slot: Slot, viewer: AdminOf, store: StoreOf
) -> Response:
    """Put a new key in a slot, and show it this once."""
    key = new_key()
    with store.write() as connection:
        application = _locked(connection, viewer, application_id)
        set_key(connection, application.id, slot, key, now())
    return page(request, "application_key.html", viewer, application=application, slot=slot, key=key)


@router.get("/applications/{application_id}/keys/{slot}/delete")
def ask_delete(
    request: Request, application_id: ApplicationNumber, slot: Slot, viewer: ViewerOf, store: StoreOf
) -> Response:
    """The dialog that asks whether to delete a key."""
    return _dialog(request, viewer, store, "application_delete.html", application_id, slot)


@router.post("/applications/{application_id}/keys/{slot}/delete")
def delete_key(
    request: Request, application_id: ApplicationNumber, slot: Slot, viewer: AdminOf, store: StoreOf
) -> Response:
    """Empty a slot: its key is valid no more."""
    with store.write() as connection:
        application = _locked(connection, viewer, application_id)
        revoke_key(connection, application.id, slot)
    return redirect(request, "/applications", notice=f"Key {slot} of {application.name} is deleted.")


def _visible(viewer: Viewer, found: Sequence[Application]) -> list[Application]:
    return [one for one in found if viewer.sees_all or one.id == viewer.application_id]


def _find(connection: Connection, viewer: Viewer, application_id: int) -> Application:
    for one in _visible(viewer, list_applications(connection)):
        if one.id == application_id:
            return one
    raise ApiError(404, None, f"application: {application_id} is not known; choose one of the list")


def _locked(connection: Connection, viewer: Viewer, application_id: int) -> Application:
    """The application, whose keys nobody else changes until the transaction ends."""
    found = _find(connection, viewer, application_id)
    lock_application(connection, found.name, now())
    return found


def _dialog(
    request: Request, viewer: Viewer, store: StoreOf, template: str, application_id: int, slot: int
) -> Response:
    with store.read() as connection:
        application = _find(connection, viewer, application_id)
    keys = dict(application.keys)
    return page(
        request,
        template,
        viewer,
        application=application,
        slot=slot,
        since=keys.get(slot),
        is_last=set(keys) <= {slot},
    )
