"""Sign-in with an API key, a local user, or a link that the server printed; and sign-out."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from payi_otel.server.api.context import now
from payi_otel.server.errors import ApiError
from payi_otel.server.portal.guard import SignInGuard
from payi_otel.server.portal.rendering import base_of, cookie_path, page, redirect, redirect_to
from payi_otel.server.portal.viewer import (
    FormOf,
    PostingOf,
    StoreOf,
    check_csrf,
    csrf_token,
    session_cookie,
)
from payi_otel.server.store import users
from payi_otel.server.store.engine import Store
from payi_otel.server.store.users import SESSION_LASTS, new_token

router = APIRouter()

_FORM_COOKIE = "payi-sign-in"


@router.get("/sign-in")
def sign_in_page(
    request: Request, store: StoreOf, target: Annotated[str, Query(alias="next")] = ""
) -> Response:
    """The sign-in page; who is signed in already goes on."""
    token = request.cookies.get(session_cookie(request), "")
    if token:
        with store.read() as connection:
            if users.find_session(connection, token, now()) is not None:
                return redirect_to(request, _safe(request, target))
    return _form(request, target)


@router.post("/sign-in")
def sign_in(request: Request, store: StoreOf, form: FormOf) -> Response:
    """Begin a session for a key, or for a user's name and password."""
    target = _text(form, "next")
    try:
        check_csrf(form, request.cookies.get(_FORM_COOKIE, ""))
    except ApiError:
        return _form(request, target, error="This page was too old; please try again.", status=403)
    guard: SignInGuard = request.app.state.guard
    address = request.client.host if request.client else ""
    name = _text(form, "name")
    wait_s = guard.wait_s(address, name)
    if wait_s > 0:
        error = f"Too many attempts. Try again in {math.ceil(wait_s)} seconds."
        response = _form(request, target, error=error, status=429, name=name)
        response.headers["retry-after"] = str(math.ceil(wait_s))
        return response
    token = new_token()
    key = _text(form, "key")
    if key:
        with store.write() as connection:
            begun = users.begin_key_session(connection, key, token, now())
        error = "This key is not valid. Give one of this server's API keys."
    else:
        begun = _password_session(store, guard, name, str(form.get("password") or ""), token)
        error = "Name or password is wrong." if name else "Give an API key, or a name and a password."
    if not begun:
        return _form(request, target, error=error, status=422, name=name)
    guard.succeeded(address, name)
    return _signed_in(request, token, _safe(request, target))


@router.get("/sign-in/link")
def follow_link(request: Request, store: StoreOf, token: Annotated[str, Query()] = "") -> Response:
    """Begin a session for whoever follows a link that was printed; it works once."""
    mine = request.cookies.get(session_cookie(request), "")
    with store.read() as connection:
        if mine and users.find_session(connection, mine, now()) is not None:
            return redirect(request, "/")
    session = new_token()
    with store.write() as connection:
        begun = users.begin_link_session(connection, token, session, now())
    if not begun:
        error = "This link was used before or is too old. Print another with: payi-otel users link"
        return _form(request, "", error=error, status=403)
    return _signed_in(request, session, base_of(request) + "/")


@router.post("/sign-out")
def sign_out(request: Request, store: StoreOf, viewer: PostingOf) -> Response:
    """End the session."""
    del viewer
    with store.write() as connection:
        users.end_session(connection, request.cookies.get(session_cookie(request), ""))
    response = redirect(request, "/sign-in", notice="You are signed out.")
    response.delete_cookie(session_cookie(request), path=cookie_path(request))
    return response


def _password_session(store: Store, guard: SignInGuard, name: str, password: str, token: str) -> bool:
    if not name:
        return False
    with store.read() as connection:
        stored = users.password_hash_of(connection, name)
    # Between two transactions: nobody waits for the database while a password is checked.
    if not guard.is_right(stored, password):
        return False
    with store.write() as connection:
        return users.begin_user_session(connection, name, token, now())


def _form(request: Request, target: str, *, error: str = "", status: int = 200, name: str = "") -> Response:
    token = request.cookies.get(_FORM_COOKIE) or new_token()
    response = page(
        request,
        "sign_in.html",
        status=status,
        token=csrf_token(token),
        target=target,
        error=error,
        name=name,
    )
    response.set_cookie(
        _FORM_COOKIE,
        token,
        path=cookie_path(request),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def _signed_in(request: Request, token: str, location: str) -> Response:
    response = redirect_to(request, location)
    response.set_cookie(
        session_cookie(request),
        token,
        path=cookie_path(request),
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def _safe(request: Request, target: str) -> str:
    """Where to go after the sign-in: never to another site."""
    home = base_of(request) + "/"
    inside = target.startswith(home) and "\\" not in target and not target.startswith("//")
    return target if inside and target.isprintable() else home


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""
