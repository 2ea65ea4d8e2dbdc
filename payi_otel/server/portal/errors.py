"""Errors as pages: what happened, and what to do next."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from payi_otel.server.errors import ApiError, validation_error
from payi_otel.server.portal.rendering import base_of, is_htmx, page, path_of, redirect
from payi_otel.server.portal.viewer import SignInNeeded, Viewer, find_viewer

_TITLES = {
    400: "That does not work",
    403: "Not allowed",
    404: "Not found",
    405: "Not found",
    413: "Too large",
    429: "Too many attempts",
}


def error_page(request: Request, error: ApiError, viewer: Viewer | None = None) -> Response:
    """An error as a page, with the menu for a viewer, or as a part of one where a script asks."""
    title = _TITLES.get(error.status_code, "Something went wrong")
    message = error.message[:1].upper() + error.message[1:]
    template = "error_part.html" if is_htmx(request) else "error.html"
    response = page(request, template, viewer, status=error.status_code, title=title, message=message)
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(error.retry_after_s)
    return response


def add_error_pages(app: FastAPI) -> None:
    """Answer every refusal of the portal with a page."""

    def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, ApiError):
            assert isinstance(error, HTTPException)
            said = "there is no such page" if error.status_code in {404, 405} else error.detail
            error = ApiError(error.status_code, None, f"{said}; the menu leads to all there are")
        return error_page(request, error, find_viewer(request, request.app.state.store))

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = validation_error(error.errors())
        return error_page(request, found, find_viewer(request, request.app.state.store))

    def sign_in(request: Request, _error: Exception) -> Response:
        if request.method != "GET" or is_htmx(request):
            # Back to the page, not to the part of it or the POST that nobody may send now.
            return redirect(request, "/sign-in", notice="Your session has ended. Sign in again.")
        target = base_of(request) + path_of(request)
        if request.url.query:
            target += "?" + request.url.query
        return redirect(request, "/sign-in?" + urlencode({"next": target}))

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(SignInNeeded, sign_in)
