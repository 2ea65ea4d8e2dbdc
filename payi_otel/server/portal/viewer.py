"""Who looks at a page, and what they may: the dependencies that every page takes.

    def page(request: Request, viewer: ViewerOf, store: StoreOf) -> Response: ...        a GET: any role
    def save(request: Request, viewer: AdminOf, store: StoreOf, form: FormOf) -> ...     a POST: admins only

Who is not signed in goes to the sign-in page and comes back; a POST without the session's CSRF token gets 403.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData

from payi_otel.server.api.context import now
from payi_otel.server.api.models import storable
from payi_otel.server.errors import ApiError
from payi_otel.server.portal.filters import zone_of
from payi_otel.server.store import users
from payi_otel.server.store.engine import Store

CSRF_FIELD = "csrf_token"


class SignInNeeded(Exception):
    """Nobody is signed in; the portal answers it with the way to the sign-in page."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is signed in, to `application_id`, whose name is `application`.

    `role` is `admin` or `read-only`; `sees_all`: every application, rather than this one alone. Each form
    sends `csrf_token` back: `{{ ui.csrf() }}`. `zone` is the time zone of their clock.
    """

    application_id: int
    application: str
    role: str
    name: str
    sees_all: bool
    csrf_token: str
    zone: tzinfo

    @property
    def is_admin(self) -> bool:
        """Whether they may change things: pages show no button that would be refused."""
        return self.role == users.ADMIN


def session_cookie(request: Request) -> str:
    """The session cookie's name. With the port: cookies of one host's servers are not apart otherwise."""
    return f"payi-session-{request.url.port or 0}"


def csrf_token(token: str) -> str:
    """The CSRF token that goes with a cookie's token: it follows from it, but not the other way round."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def check_csrf(form: FormData, token: str) -> None:
    """Raise `ApiError` 403 unless a form has the CSRF token that goes with `token`."""
    sent = form.get(CSRF_FIELD)
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), csrf_token(token).encode()):
        message = (
            "this form does not come from this page, or is too old; go back, reload the page and try again"
        )
        raise ApiError(403, "csrf", message)


async def _store(request: Request) -> Store:
    return request.app.state.store


def find_viewer(request: Request, store: Store) -> Viewer | None:
    """Who is signed in, if anybody."""
    token = request.cookies.get(session_cookie(request), "")
    found = None
    if token:
        with store.read() as connection:
            found = users.find_session(connection, token, now())
    if found is None:
        return None
    return Viewer(
        application_id=found.application_id,
        application=found.application,
        role=found.role,
        name=found.user or ("API key" if found.by_key else "this computer"),
        sees_all=found.sees_all,
        csrf_token=csrf_token(token),
        zone=zone_of(request),
    )


def _viewer(request: Request, store: StoreOf) -> Viewer:
    found = find_viewer(request, store)
    if found is None:
        raise SignInNeeded
    return found


async def _form(request: Request) -> FormData:
    sent = await request.form()
    return FormData([(name, storable(value)) for name, value in sent.multi_items()])


async def _posting(request: Request, viewer: ViewerOf, form: FormOf) -> Viewer:
    check_csrf(form, request.cookies.get(session_cookie(request), ""))
    return viewer


async def _admin(viewer: PostingOf) -> Viewer:
    if not viewer.is_admin:
        message = f"{viewer.name} may only read; an admin can change this"
        raise ApiError(403, "read_only", message)
    return viewer


StoreOf = Annotated[Store, Depends(_store)]
FormOf = Annotated[FormData, Depends(_form)]
"""The form of a POST."""
ViewerOf = Annotated[Viewer, Depends(_viewer)]
"""Who is signed in, whatever their role: for GET."""
PostingOf = Annotated[Viewer, Depends(_posting)]
"""Who is signed in, whatever their role, with the CSRF token checked: for a POST that changes nothing of others."""
AdminOf = Annotated[Viewer, Depends(_admin)]
"""An admin with the CSRF token checked: for a POST."""
