"""OTLP/HTTP as an ASGI application, and the health of the gateway.

Plain ASGI under uvicorn, which the server uses too: four routes and streamed bodies need no framework, and any
ASGI application, such as the self-hosted server, can hold it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payi_otel.faults import faults
from payi_otel.gateway.answers import (
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    export_body,
    failure_body,
)
from payi_otel.gateway.batch import Malformed, Signal
from payi_otel.gateway.bodies import ENCODINGS, BodyMalformed, BodyTooLarge, decompress
from payi_otel.gateway.budget import Budget
from payi_otel.gateway.receiver import RETRY_AFTER_S, Accepted, Encoding, Full, Receiver, Sink

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

Door = Callable[["str | None", "str | None"], "Sink | None"]
"""(Authorization header, xProxy-api-key header) → where the sender's events go; None for whoever is not let in.

Runs on a worker thread: it may ask a database.
"""

# A sender that stops in the middle of a body would hold its memory for ever.
_READ_TIMEOUT_S = 30
_SIGNALS: dict[str, Signal] = {"/v1/traces": "traces", "/v1/logs": "logs"}
_CONTENT_TYPES: dict[str, Encoding] = {"application/x-protobuf": "protobuf", "application/json": "json"}
_TYPE_OF: dict[Encoding, str] = {encoding: name for name, encoding in _CONTENT_TYPES.items()}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Request:
    signal: Signal
    encoding: Encoding
    compression: str
    headers: dict[str, str]


class _Refused(Exception):
    def __init__(self, status: int, code: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = tuple((name.replace("_", "-"), value) for name, value in headers.items())


class OtlpHttp:
    """The ASGI application.

    Args:
        receiver: takes the requests.
        door: says who may send, and where it goes.
        threads: where requests are decoded and stored.
        max_body_bytes: largest body, as sent and decompressed.
        budget: bytes of bodies that may be held at once.
        is_ready: what `/readyz` answers; None where the gateway has no health of its own.

    >>> app = OtlpHttp(receiver, door, threads, 2**25, Budget(2**28))  # doctest: +SKIP
    """

    def __init__(
        self,
        receiver: Receiver,
        door: Door,
        threads: Executor,
        max_body_bytes: int,
        budget: Budget,
        is_ready: Callable[[], str | None] | None = None,
    ) -> None:
        self._receiver = receiver
        self._door = door
        self._threads = threads
        self._max_body_bytes = max_body_bytes
        self._budget = budget
        self._is_ready = is_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other protocols than HTTP are none of ours."""
        if scope["type"] != "http":
            return
        answer = await self._answer(scope, receive)
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", str(len(answer.body)).encode()),
            *((name.encode(), value.encode()) for name, value in answer.headers),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        path: str = scope["path"]
        if self._is_ready is not None and path in {"/healthz", "/readyz"}:
            return self._health(path)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        # A failure is told in the encoding of the request, or as JSON where that is not known.
        encoding = _CONTENT_TYPES.get(content_type, "json")
        try:
            signal = _SIGNALS.get(path)
            if signal is None:
                raise _Refused(404, INVALID_ARGUMENT, f"no such path; there are {' and '.join(_SIGNALS)}")
            if scope["method"] != "POST":
                raise _Refused(405, INVALID_ARGUMENT, "send with POST", allow="POST")
            if content_type not in _CONTENT_TYPES:
                raise _Refused(
                    415, INVALID_ARGUMENT, f"content-type: send one of {', '.join(_CONTENT_TYPES)}"
                )
            compression = headers.get("content-encoding", "").strip().lower() or "identity"
            if compression not in ENCODINGS:
                known = ", ".join(ENCODINGS)
                raise _Refused(
                    415, INVALID_ARGUMENT, f"content-encoding: send one of {known}", accept_encoding=known
                )
            accepted = await self._take(_Request(signal, encoding, compression, headers), receive)
        except _Refused as refusal:
            retry_after_s = RETRY_AFTER_S if refusal.status == 429 else None
            body = failure_body(encoding, refusal.code, str(refusal), retry_after_s)
            return _Answer(refusal.status, body, _TYPE_OF[encoding], refusal.headers)
        return _Answer(200, export_body(signal, encoding, accepted), _TYPE_OF[encoding])

    def _health(self, path: str) -> _Answer:
        obstacle = self._is_ready() if self._is_ready is not None and path == "/readyz" else None
        body = {"status": "ok"} if obstacle is None else {"status": "not ready", "reason": obstacle}
        return _Answer(200 if obstacle is None else 503, json.dumps(body).encode(), "application/json")

    async def _take(self, request: _Request, receive: Receive) -> Accepted:
        run = asyncio.get_running_loop().run_in_executor
        # Who is not let in has not a byte of the body read.
        sink = await run(
            self._threads,
            self._door,
            request.headers.get("authorization"),
            request.headers.get("xproxy-api-key"),
        )
        if sink is None:
            raise _Refused(
                401,
                UNAUTHENTICATED,
                "a key is needed: send authorization: Bearer KEY, or xProxy-api-key: KEY",
                www_authenticate="Bearer",
            )
        body = bytearray()
        try:
            await self._read(body, request.headers, receive)
            return await run(self._threads, self._process, request, body, sink)
        finally:
            self._budget.give_back(len(body))

    async def _read(self, body: bytearray, headers: dict[str, str], receive: Receive) -> None:
        """Read the body; every byte of it in `body` is taken from the budget."""
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_body_bytes:
            raise self._too_large()
        more = True
        while more:
            try:
                message = await asyncio.wait_for(receive(), _READ_TIMEOUT_S)
            except asyncio.TimeoutError:
                raise _Refused(408, UNAVAILABLE, f"nothing came for {_READ_TIMEOUT_S} s") from None
            if message["type"] == "http.disconnect":
                raise _Refused(400, INVALID_ARGUMENT, "the sender has gone")
            chunk: bytes = message.get("body", b"")
            if len(body) + len(chunk) > self._max_body_bytes:
                raise self._too_large()
            if not self._budget.take(len(chunk)):
                raise self._full("too many requests at once")
            body += chunk
            more = message.get("more_body", False)

    def _process(self, request: _Request, body: bytearray, sink: Sink) -> Accepted:
        """On a worker thread."""
        try:
            content = decompress(bytes(body), request.compression, self._max_body_bytes)
            return self._receiver.receive(request.signal, request.encoding, content, sink)
        except BodyTooLarge:
            raise self._too_large() from None
        except (BodyMalformed, Malformed) as error:
            raise _Refused(400, INVALID_ARGUMENT, str(error)) from None
        except Full:
            raise self._full("no room in the outbox") from None
        except Exception as error:
            # Ours, such as a failing disk: the sender is to try again.
            faults.report("gateway.http", error)
            raise _Refused(503, UNAVAILABLE, "the gateway failed", retry_after=str(RETRY_AFTER_S)) from None

    def _too_large(self) -> _Refused:
        message = f"larger than {self._max_body_bytes} bytes; send smaller batches"
        return _Refused(413, RESOURCE_EXHAUSTED, message)

    def _full(self, reason: str) -> _Refused:
        message = f"{reason}; send again in {RETRY_AFTER_S} s"
        return _Refused(429, RESOURCE_EXHAUSTED, message, retry_after=str(RETRY_AFTER_S))


def mount(app: Starlette, otlp: OtlpHttp) -> None:
    """Serve OTLP/HTTP in another application, at `/v1/traces` and `/v1/logs`.

    >>> mount(create_app(config), OtlpHttp(receiver, door, threads, 2**25, Budget(2**28)))  # doctest: +SKIP
    """
    app.mount("/v1", otlp)
