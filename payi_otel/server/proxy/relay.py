"""Calls a vendor and passes the answer on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar, cast

import httpx2
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from payi_otel.server.api.results import xproxy_result
from payi_otel.server.errors import ApiError, error_body, failure
from payi_otel.server.proxy import recording
from payi_otel.server.proxy.forwarding import response_headers
from payi_otel.server.proxy.hosts import Endpoint
from payi_otel.server.proxy.recording import Call
from payi_otel.server.proxy.streams import EventStream
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ingest import Outcome

T = TypeVar("T")

_TIMEOUT = httpx2.Timeout(600, connect=10)
_CLIENT_CLOSED = 499
_IDLE_CONNECTIONS = 20


class Relay:
    """The vendors' side of the proxy; one for a server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ssl = httpx2.create_ssl_context(trust_env=False)
        self._clients: dict[str, httpx2.AsyncClient] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """Wait for what is still to be recorded, and close all connections."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()

    async def blocked(self, call: Call) -> JSONResponse | None:
        """The refusal of a call that a limit blocks; it is counted, and no vendor hears of it."""
        states = await run_in_threadpool(recording.blocked_by, self._store, call)
        if not states:
            return None
        outcome = await run_in_threadpool(recording.record_blocked, self._store, call, states)
        names = ", ".join(limit_id for limit_id, state in states.items() if state == "blocked")
        refusal = ApiError(400, "limit_reached", f"limit_ids: {names}: reached; raise its max, or reset it")
        body = {**error_body(refusal), "xproxy_result": _shown(outcome)}
        return JSONResponse(body, 400, {"x-should-retry": "false"})

    async def send(
        self,
        call: Call,
        endpoint: Endpoint,
        path: str,
        query: str,
        headers: Mapping[str, str],
        content: bytes,
        *,
        hide_usage: bool,
        gone: Callable[[], Awaitable[None]],
    ) -> Response:
        """The vendor's answer, with the result in it. `gone` returns once the caller has hung up."""
        http = self._client(endpoint.host)
        request = http.build_request(
            "POST",
            endpoint.url(path, query),
            headers={**headers, "host": endpoint.host_header},
            content=content,
            extensions={"sni_hostname": endpoint.host},
        )
        try:
            response = await _unless(gone, http.send(request, stream=True))
        except httpx2.HTTPError as error:
            await self._keep(call, 502, None, complete=False)
            message = f"{endpoint.host}: did not answer ({type(error).__name__})"
            raise ApiError(502, "provider_error", message) from None
        except _Gone:
            await self._keep(call, _CLIENT_CLOSED, None, complete=False)
            return Response(status_code=_CLIENT_CLOSED)
        call.saw_first()
        passed = response_headers(response.headers)
        if response.status_code < 400 and "event-stream" in response.headers.get("content-type", ""):
            events = self._events(call, response, hide_usage=hide_usage)
            return StreamingResponse(events, response.status_code, passed)
        try:
            body = await _unless(gone, response.aread())
        except (httpx2.HTTPError, _Gone) as error:
            await self._keep(call, _CLIENT_CLOSED if isinstance(error, _Gone) else 502, None, complete=False)
            raise ApiError(502, "provider_error", f"{endpoint.host}: broke off its answer") from None
        finally:
            await response.aclose()
        return await self._whole(call, response.status_code, passed, body)

    def _client(self, host: str) -> httpx2.AsyncClient:
        """Each host's own connections: two may share an address, and a certificate was checked for one of them."""
        if host not in self._clients:
            self._clients[host] = httpx2.AsyncClient(
                verify=self._ssl,
                timeout=_TIMEOUT,
                # Streams last: a caller must not wait for another's to end.
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=_IDLE_CONNECTIONS),
                follow_redirects=False,
                # Not by the environment: the address that was checked is the one that is called.
                trust_env=False,
            )
        return self._clients[host]

    async def _whole(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Response:
        parsed = _object(body)
        outcome = await self._keep(call, status, parsed, complete=True)
        if status >= 400 or parsed is None or outcome is None:
            return Response(body, status, headers)
        # In ASCII, and NaN as it is: the answer is paid, whatever the vendor has put into it.
        shown = json.dumps({**parsed, "xproxy_result": _shown(outcome)})
        return Response(shown, status, {"content-type": "application/json", **headers})

    async def _events(
        self, call: Call, response: httpx2.Response, *, hide_usage: bool
    ) -> AsyncGenerator[bytes]:
        stream = EventStream(call.exchange, hide_usage=hide_usage)
        recorded = False
        try:
            async for data in response.aiter_bytes():
                for event in stream.feed(data):
                    yield event
                if stream.is_over:
                    break
            recorded = True
            # In a task of its own: a caller who hangs up now must not stop it.
            kept = self._start(self._finish(call, response, stream, complete=stream.is_over))
            outcome = await asyncio.shield(kept)
            for event in stream.end(_shown(outcome) if outcome and stream.is_over else None):
                yield event
        except httpx2.HTTPError:
            # The caller sees the stream end early, as the vendor's did.
            return
        finally:
            if not recorded:
                self._start(self._finish(call, response, stream, complete=False))

    async def _finish(
        self, call: Call, response: httpx2.Response, stream: EventStream, *, complete: bool
    ) -> Outcome | None:
        await response.aclose()
        return await self._keep(call, response.status_code, stream.assembler.body(), complete=complete)

    async def _keep(
        self, call: Call, status: int, body: Mapping[str, Any] | None, *, complete: bool
    ) -> Outcome | None:
        """Keep a call; None where that fails, for the vendor's answer is the caller's all the same."""
        try:
            return await run_in_threadpool(
                recording.record, self._store, call, status, body, complete=complete
            )
        except Exception as error:
            failure(error, f"keeping a call of {call.event.columns['category']}")
            return None

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Gone(Exception):
    """The caller has hung up."""


async def _unless(gone: Callable[[], Awaitable[None]], work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is stopped when the caller hangs up; raises `_Gone` then."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _Gone
        return working.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


def _shown(outcome: Outcome) -> dict[str, Any]:
    return xproxy_result(outcome.request, outcome.limits).model_dump(mode="json", exclude_none=True)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
