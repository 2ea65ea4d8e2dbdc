"""Which application is shown, for those who see them all."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from payi_otel.server.errors import ApiError
from payi_otel.server.portal.rendering import page, redirect
from payi_otel.server.portal.viewer import FormOf, PostingOf, StoreOf, Viewer, ViewerOf, session_cookie
from payi_otel.server.store import users
from payi_otel.server.store.keys import list_applications

router = APIRouter()


@router.get("/application")
def choices(request: Request, viewer: ViewerOf, store: StoreOf) -> Response:
    """All applications, one of which is shown."""
    _check(viewer)
    with store.read() as connection:
        found = list_applications(connection)
    return page(request, "application.html", viewer, applications=found)


@router.post("/application")
def choose(request: Request, store: StoreOf, viewer: PostingOf, form: FormOf) -> Response:
    """Show another application from now on."""
    _check(viewer)
    chosen = str(form.get("application_id") or "")
    token = request.cookies.get(session_cookie(request), "")
    with store.write() as connection:
        # 18 digits fit into the database's numbers.
        number = int(chosen) if chosen.isascii() and chosen.isdecimal() and len(chosen) <= 18 else 0
        if not users.show_application(connection, token, number):
            raise ApiError(404, None, f"application: {chosen[:40]!r} is not known; choose one of the list")
    return redirect(request, "/")


def _check(viewer: Viewer) -> None:
    if not viewer.sees_all:
        raise ApiError(403, None, f"{viewer.name} sees {viewer.application} only")
