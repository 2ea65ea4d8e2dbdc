"""What surrounds every page: security headers, a limit on the size of forms, and an answer to our own failures."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payi_otel.server.errors import ApiError, failure
from payi_otel.server.portal.errors import error_page

_MOST_FORM_BYTES = 256 * 1024

# Styles may be inline, for plotly writes some; scripts may not.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Shield:
    """ASGI middleware around the portal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(raw=message["headers"])
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                # Pages show what only who is signed in may see.
                headers.setdefault("cache-control", "no-store")
                message["headers"] = headers.raw
            await send(message)

        try:
            await self._app(scope, _counted(scope, receive), sending)
        except Exception as error:
            if started:
                raise
            refusal = (
                error if isinstance(error, ApiError) else failure(error, f"{scope['method']} of the portal")
            )
            await error_page(Request(scope), refusal)(scope, receive, sending)


def _counted(scope: Scope, receive: Receive) -> Receive:
    received = 0
    length = Headers(scope=scope).get("content-length", "")

    async def counting() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > _MOST_FORM_BYTES or (length.isdecimal() and int(length) > _MOST_FORM_BYTES):
            raise ApiError(
                413, "request_too_large", f"the form is larger than {_MOST_FORM_BYTES} bytes; send less"
            )
        return message

    return counting
