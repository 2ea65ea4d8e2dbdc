"""The portal's own files, and plotly's script from the installed package: nothing comes from elsewhere."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from plotly.offline import get_plotlyjs, get_plotlyjs_version  # pyright: ignore[reportMissingTypeStubs]
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from payi_otel.server.portal.rendering import HERE

router = APIRouter()

_KEPT = "public, max-age=31536000, immutable"
_SCRIPT = {
    "content-type": "text/javascript; charset=utf-8",
    "cache-control": _KEPT,
    "vary": "accept-encoding",
}


class Assets(StaticFiles):
    """The folder `static`. Addresses have a version, so browsers need not ask again."""

    def __init__(self) -> None:
        super().__init__(directory=HERE / "static")

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = _KEPT
        return response


class Plotly:
    """plotly's script, compressed when it is first asked for: 4.8 MB become 1.5."""

    def __init__(self) -> None:
        self.version: str = get_plotlyjs_version()
        self._lock = threading.Lock()
        self._compressed: bytes | None = None

    def answer(self, headers: Mapping[str, Any]) -> Response:
        """The script, in what the browser takes."""
        if "gzip" not in headers.get("accept-encoding", ""):
            return Response(get_plotlyjs().encode(), headers=_SCRIPT)
        with self._lock:
            if self._compressed is None:
                self._compressed = gzip.compress(get_plotlyjs().encode(), 5)
        return Response(self._compressed, headers={**_SCRIPT, "content-encoding": "gzip"})


@router.get("/plotly-{version}.min.js")
def plotly_script(request: Request) -> Response:
    """plotly.js; the version in the address is there so that a new one is fetched anew."""
    plotly: Plotly = request.app.state.plotly
    return plotly.answer(request.headers)
