"""A TCP proxy that breaks what passes through it, in the way that is switched on at the moment.

    with running_proxy("127.0.0.1", 8742) as proxy:
        proxy.switch(hang)
        ...
        proxy.switch(healthy)

A fault is a coroutine function that is given each request, as an `Exchange`, to do with as it likes. `refuse` closes the
port instead. Connections stay open between requests, so that faults meet pooled connections too.
"""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import itertools
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

_ENDLESS_PIECE = b"10000\r\n" + b" " * 0x10000 + b"\r\n"


class Exchange:
    """One request on one connection, and what to do about it."""

    def __init__(self, proxy: FaultProxy, connection: _Connection, head: bytes) -> None:
        self.head = head
        self.is_on_older_connection = connection.opened_in < proxy.phase
        self.keeps_connection = True
        self._proxy = proxy
        self._connection = connection
        self._body: bytes | None = None
        self._over = proxy.over

    @property
    def body_size(self) -> int:
        """The length its head announces, in bytes."""
        return int(_header(self.head, b"content-length") or 0)

    async def body(self) -> bytes:
        """Its whole body."""
        if self._body is None:
            self._body = await self._connection.reader.readexactly(self.body_size)
        return self._body

    async def part_of_body(self) -> None:
        """Read half of its body."""
        await self._connection.reader.readexactly(self.body_size // 2)

    async def forward(self) -> bytes:
        """Send it to the server; the answer as it came, and fit for a connection that stays open."""
        body = await self.body()
        self._proxy.note_forwarded(body)
        reader, writer = await asyncio.open_connection(*self._proxy.upstream)
        try:
            writer.write(_with_header(self.head, b"connection", b"close") + body)
            answer = await reader.read()
        finally:
            writer.close()
        head, separator, rest = answer.partition(b"\r\n\r\n")
        return _with_header(head + separator, b"connection", b"keep-alive") + rest

    async def send(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._connection.writer.write(data)
        await self._connection.writer.drain()

    async def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Answer in the server's stead."""
        await self.body()
        lines = [f"HTTP/1.1 {status} Made-Up", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def reset(self) -> None:
        """End the connection by a TCP reset."""
        self.keeps_connection = False
        self._connection.reset()

    def close(self) -> None:
        """End the connection in good order."""
        self.keeps_connection = False

    async def until_switched(self) -> None:
        """Wait until the fault is over."""
        await self._over.wait()

    async def until_client_leaves(self) -> None:
        """Wait until the client ends the connection, however long it takes and whatever it sends meanwhile."""
        while await self._connection.reader.read(65536):
            pass
        self.keeps_connection = False


Fault = Callable[[Exchange], Awaitable[None]]


async def healthy(exchange: Exchange) -> None:
    """No fault."""
    await exchange.send(await exchange.forward())


async def refuse(exchange: Exchange) -> None:
    """Nobody listens at the port. What was connected is reset with its next request."""
    exchange.reset()


async def hang(exchange: Exchange) -> None:
    """Accept and never answer."""
    await exchange.until_client_leaves()


async def hang_until_switched(exchange: Exchange) -> None:
    """Accept and do not answer; when the fault is over the connections break."""
    await exchange.until_switched()
    exchange.reset()


async def half_open(exchange: Exchange) -> None:
    """The peer of every earlier connection is silently gone. New connections work."""
    await (exchange.until_client_leaves() if exchange.is_on_older_connection else healthy(exchange))


async def reset_in_request(exchange: Exchange) -> None:
    """Reset in the middle of the request's body."""
    await exchange.part_of_body()
    exchange.reset()


async def reset_in_answer(exchange: Exchange) -> None:
    """Do the work; reset in the middle of the answer's body."""
    answer = await exchange.forward()
    await exchange.send(answer[: -len(answer.partition(b"\r\n\r\n")[2]) // 2])
    exchange.reset()


async def lose_answer(exchange: Exchange) -> None:
    """Do the work; close the connection instead of answering."""
    await exchange.forward()
    exchange.close()


async def drip(exchange: Exchange) -> None:
    """Do the work; answer with a byte now and then, for as long as the fault lasts."""
    await exchange.forward()
    await exchange.send(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n"
    )
    await _repeat(exchange, b" ", 0.1)
    exchange.close()


async def endless_answer(exchange: Exchange) -> None:
    """Do the work; answer with a body that never ends."""
    await exchange.forward()
    await exchange.send(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    await _repeat(exchange, _ENDLESS_PIECE, 0.0)
    exchange.close()


async def truncated_gzip(exchange: Exchange) -> None:
    """Do the work; answer with half of the compressed body."""
    whole = gzip.compress((await exchange.forward()).partition(b"\r\n\r\n")[2])
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    await exchange.answer(200, whole[: len(whole) // 2], headers)


def answering(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Fault:
    """Answer with this instead of doing the work."""

    async def fault(exchange: Exchange) -> None:
        await exchange.answer(status, body, headers or {})

    return fault


def in_turn(*faults: Fault) -> Fault:
    """One fault after the other, a request each, over and over."""
    turns = itertools.cycle(faults)

    async def fault(exchange: Exchange) -> None:
        await next(turns)(exchange)

    return fault


def asking_to_wait(seconds: float, *, clock_ahead_s: float) -> Fault:
    """429 with `Retry-After` as a date, by a clock that is `clock_ahead_s` ahead of ours."""

    async def fault(exchange: Exchange) -> None:
        now = time.time() + clock_ahead_s
        dates = {"date": now, "retry-after": now + seconds}
        headers = {name: email.utils.formatdate(at, usegmt=True) for name, at in dates.items()}
        await exchange.answer(429, b"{}", headers)

    return fault


def too_large_above(size: int) -> Fault:
    """413 for bodies of more than `size` bytes."""

    async def fault(exchange: Exchange) -> None:
        if exchange.body_size > size:
            await exchange.answer(413, b"{}", {"content-type": "application/json"})
        else:
            await healthy(exchange)

    return fault


def poisoned(marker: bytes, status: int) -> Fault:
    """Refuse a request with this status for one event in it, the one that contains `marker`."""

    async def fault(exchange: Exchange) -> None:
        if marker in await exchange.body():
            await exchange.answer(status, b'{"title": "Poisoned"}', {"content-type": "application/json"})
        else:
            await healthy(exchange)

    return fault


async def _repeat(exchange: Exchange, piece: bytes, pause_s: float) -> None:
    over = asyncio.ensure_future(exchange.until_switched())
    try:
        while not over.done():
            await exchange.send(piece)
            await asyncio.sleep(pause_s)
    finally:
        over.cancel()


class FaultProxy:
    """A running proxy.

    `hits` counts the requests that met the fault since it was switched on, `sent` how often each event was forwarded,
    by its id. `phase` counts the switches.
    """

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self.hits = 0
        self.sent: Counter[str] = Counter()
        self.phase = 0
        self.over = asyncio.Event()
        # Keeps the port ours while nobody listens at it.
        self._reserved = _bound(0)
        self.port: int = self._reserved.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._fault: Fault = healthy
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()

    def switch(self, fault: Fault) -> None:
        """From now on every request meets this fault."""
        asyncio.run_coroutine_threadsafe(self._switch(fault), self._loop).result()

    @property
    def is_refusing(self) -> bool:
        """Whether nobody listens at the port."""
        return self._server is None

    def note_forwarded(self, body: bytes) -> None:
        """Count the events of a request."""
        with suppress(ValueError, TypeError, KeyError):
            self.sent.update(event["provider_response_id"] for event in json.loads(body))

    async def _switch(self, fault: Fault) -> None:
        self._fault = fault
        self.hits = 0
        self.phase += 1
        self.over.set()
        self.over = asyncio.Event()
        if fault is refuse and self._server is not None:
            self._server.close()
            self._server = None
            for connection in self._connections:
                connection.reset()
        elif fault is not refuse and self._server is None:
            listening = _bound(self.port)
            self._server = await asyncio.start_server(self._serve, sock=listening, backlog=128)

    async def _finish(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(reader, writer, self.phase)
        self._connections.add(connection)
        try:
            # The client may leave at any moment, and the proxy stop.
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._exchange(connection):
                    pass
        finally:
            self._connections.discard(connection)
            writer.close()

    async def _exchange(self, connection: _Connection) -> bool:
        exchange = Exchange(self, connection, await connection.reader.readuntil(b"\r\n\r\n"))
        if self._fault is not healthy:
            self.hits += 1
        await self._fault(exchange)
        return exchange.keeps_connection

    def run(self, started: threading.Event) -> None:
        """Serve until `stop`."""
        self._loop.run_until_complete(self._switch(healthy))
        started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._finish())
        self._loop.close()
        self._reserved.close()

    def stop(self) -> None:
        """Make `run` return."""
        self._loop.call_soon_threadsafe(self._loop.stop)


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened_in: int) -> None:
        self.reader = reader
        self.writer = writer
        self.opened_in = opened_in

    def reset(self) -> None:
        # Linger zero makes the close a reset.
        raw: socket.socket = self.writer.get_extra_info("socket")
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def _bound(port: int) -> socket.socket:
    # With the protocol named, or asyncio would leave Nagle's algorithm on.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


def _with_header(head: bytes, name: bytes, value: bytes) -> bytes:
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(name + b":")]
    return b"\r\n".join([*kept, name + b": " + value, b"", b""])


@contextmanager
def running_proxy(host: str, port: int) -> Iterator[FaultProxy]:
    """A proxy on a free loopback port before the server at `host` and `port`, for the time of the block."""
    proxy = FaultProxy((host, port))
    started = threading.Event()
    thread = threading.Thread(target=proxy.run, args=(started,), name="fault-proxy", daemon=True)
    thread.start()
    started.wait()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join()
