"""The gate before the API: a valid key in `xProxy-api-key` that is not used too often, and a body not too large."""

from __future__ import annotations

import math
import re

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payi_otel.server.errors import ApiError, error_response, failure
from payi_otel.server.rates import RateLimiter
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ids import new_id
from payi_otel.server.store.keys import find_application, key_hash

KEY_HEADER = "xProxy-api-key"
API_PREFIX = "/api/"
_REQUEST_ID = "x-request-id"
_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class Gate:
    """ASGI middleware. Who is not let in has not a byte of the body read.

    Each answer has an `x-request-id`, which the log names with failures: that of the request, or a new one.
    It also hands the path on as it was sent, still percent-encoded: names and ids may hold slashes.
    """

    def __init__(self, app: ASGIApp, store: Store, max_body_bytes: int, requests_per_second: float) -> None:
        self._app = app
        self._store = store
        self._rates = RateLimiter(requests_per_second)
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw: bytes = scope["raw_path"]
        scope = {**scope, "path": raw.decode("latin-1")}
        if not scope["path"].startswith(API_PREFIX):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _sane(headers.get(_REQUEST_ID, "")) or new_id()
        send = _naming(send, request_id)
        try:
            self._check_size(headers)
            application_id = await run_in_threadpool(self._application, headers.get(KEY_HEADER))
        except Exception as error:
            refusal = error if isinstance(error, ApiError) else failure(error, f"key check of {request_id}")
            await error_response(refusal)(scope, receive, send)
            return
        scope["state"] = {**scope.get("state", {}), "application_id": application_id}
        await self._answer(scope, self._counted(receive), send, request_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """Answer failures here: left to uvicorn they would break the connection for later requests."""
        started = False

        async def watching(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watching)
        except Exception as error:
            refusal = failure(error, f"{scope['method']} {scope.get('endpoint')} ({request_id})")
            if started:
                raise
            await error_response(refusal)(scope, receive, send)

    def _application(self, key: str | None) -> int:
        with self._store.read() as connection:
            found = find_application(connection, key) if key else None
        if found is None:
            fix = "is not valid" if key else "is missing"
            raise ApiError(401, "invalid_api_key", f"{KEY_HEADER}: the key {fix}; send a key of this server")
        # By its hash: keys themselves stay nowhere longer than their request.
        wait_s = self._rates.wait_s(key_hash(key or ""))
        if wait_s > 0:
            message = f"more requests than this server takes from one key; try again in {wait_s:.1f} s"
            raise ApiError(429, "rate_limit_exceeded", message, retry_after_s=math.ceil(wait_s))
        return found

    def _check_size(self, headers: Headers) -> None:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_body_bytes:
            raise self._too_large()

    def _counted(self, receive: Receive) -> Receive:
        """`receive` that stops a body sent in chunks at the limit."""
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise self._too_large()
            return message

        return counting

    def _too_large(self) -> ApiError:
        message = f"the body is larger than {self._max_body_bytes} bytes; send fewer events at once"
        return ApiError(413, "request_too_large", message)


def _sane(request_id: str) -> str:
    """An id that may stand in a log and in a header; else nothing."""
    return request_id if _SANE.fullmatch(request_id) else ""


def _naming(send: Send, request_id: str) -> Send:
    """`send` that gives the answer its id; one that passes on a vendor's answer has the vendor's."""

    async def naming(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault(_REQUEST_ID, request_id)
        await send(message)

    return naming
