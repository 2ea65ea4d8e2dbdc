"""Templates, and the answers that pages give: a page, a dialog, a redirect with a notice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote

import jinja2
from fastapi import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from payi_otel.server.portal import formats
from payi_otel.server.portal.filters import ZONE_COOKIE, zone_of
from payi_otel.server.portal.navigation import NavItem
from payi_otel.server.portal.viewer import Viewer

HERE = Path(__file__).parent
_NOTICE_COOKIE = "payi-notice"
_LONGEST_NOTICE = 500


class Renderer:
    """The portal's templates. Filters: money, count, compact, ms, percent, minutes, and `when` for instants."""

    def __init__(self, navigation: Sequence[NavItem], plotly_version: str) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters = cast("dict[str, Any]", self._environment.filters)  # pyright: ignore[reportUnknownMemberType]
        filters.update(
            money=formats.money,
            count=formats.count,
            compact=formats.compact,
            ms=formats.milliseconds,
            minutes=formats.minutes,
            percent=formats.percent,
            day=formats.day,
            when=_when,
            segment=_segment,
        )
        shared = cast("dict[str, Any]", self._environment.globals)  # pyright: ignore[reportUnknownMemberType]
        shared.update(navigation=navigation, assets_version=_fingerprint(), plotly_version=plotly_version)

    def text(self, template: str, **context: Any) -> str:
        """The text of a template."""
        return self._environment.get_template(template).render(**context)


def page(
    request: Request, template: str, viewer: Viewer | None = None, *, status: int = 200, **context: Any
) -> Response:
    """A whole page from `templates/<template>`, which extends `base.html`, or a part of one for htmx.

    Templates have `viewer`, `base` (what the portal's own paths begin with), `path` (this page's, below it),
    `query` of the address, and `context`.
    """
    renderer: Renderer = request.app.state.renderer
    notice = unquote(request.cookies.get(_NOTICE_COOKIE, ""))[:_LONGEST_NOTICE]
    text = renderer.text(
        template,
        viewer=viewer,
        base=base_of(request),
        path=path_of(request),
        query=request.query_params,
        zone=viewer.zone if viewer else zone_of(request),
        zone_cookie=request.cookies.get(ZONE_COOKIE, ""),
        notice=notice,
        **context,
    )
    response = HTMLResponse(text, status)
    if notice and not is_htmx(request):
        response.delete_cookie(_NOTICE_COOKIE, path=cookie_path(request))
    return response


def redirect(request: Request, path: str, *, notice: str = "") -> Response:
    """Go to a page of the portal, `/limits` for example, which then shows `notice`: the answer to a good POST."""
    return redirect_to(request, base_of(request) + path, notice=notice)


def redirect_to(request: Request, location: str, *, notice: str = "") -> Response:
    """`redirect` for a whole path, `base_of(request)` included."""
    if is_htmx(request):
        response = Response(status_code=204, headers={"HX-Redirect": location})
    else:
        response = RedirectResponse(location, 303)
    if notice:
        response.set_cookie(
            _NOTICE_COOKIE,
            quote(notice[:_LONGEST_NOTICE]),
            path=cookie_path(request),
            httponly=True,
            samesite="lax",
            max_age=60,
        )
    return response


def base_of(request: Request) -> str:
    """What the portal's own paths begin with, `/portal` for example."""
    return request.scope.get("root_path", "")


def path_of(request: Request) -> str:
    """The page's path below the portal."""
    path: str = request.scope["path"]
    return path.removeprefix(base_of(request)) or "/"


def cookie_path(request: Request) -> str:
    """The path of the portal's cookies: they go to no other part of the server."""
    return base_of(request) or "/"


def is_htmx(request: Request) -> bool:
    """Whether a script of the page asks, for a part of it."""
    return request.headers.get("hx-request") == "true"


@jinja2.pass_context
def _when(context: jinja2.runtime.Context, at: Any) -> Any:
    return formats.instant(at, context["zone"])


def _segment(text: Any) -> str:
    """A name or id as one segment of a path, slashes included."""
    return quote(str(text), safe="")


def _fingerprint() -> str:
    """Changes with the assets, so that browsers may keep them for good."""
    found = hashlib.blake2b(digest_size=6)
    for path in sorted((HERE / "static").iterdir()):
        found.update(path.read_bytes())
    return found.hexdigest()
