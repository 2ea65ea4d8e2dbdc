"""A vendor's API on loopback: real sockets and HTTP/1.1, scripted answers, and a record of what arrived.

    with running_vendor(lambda received: Reply.json({"id": "chatcmpl-1"})) as vendor:
        client = openai.OpenAI(api_key="k", base_url=vendor.url + "/v1")
        ...
        assert vendor.received[0].json()["model"] == "gpt-4o"

An answer may come in network chunks of any size, gzipped, with pauses, cut in the middle by a closed or a
reset connection, or never.
"""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, cast
from urllib.parse import urlsplit

JSON_TYPE = "application/json"
SSE_TYPE = "text/event-stream; charset=utf-8"


@dataclass(frozen=True)
class Received:
    """One request as it arrived. Header names are lower case; `path` has no query."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, `{}` when it is empty or a form."""
        if not self.body or "json" not in self.headers.get("content-type", JSON_TYPE):
            return {}
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer. `chunks` are network writes of a chunked body; a single `body` is sent with its length.

    `pause_s` waits before each chunk but the first; `cut_after` sends that many chunks and then ends the
    connection, by closing it (`cut="close"`) or with a TCP reset (`cut="reset"`); `stall_after` sends that many
    and then nothing more until the vendor stops, and `hang` does not even begin to answer.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    chunks: tuple[bytes, ...] | None = None
    pause_s: float = 0.0
    cut_after: int | None = None
    cut: Literal["close", "reset"] = "close"
    stall_after: int | None = None
    hang: bool = False

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """A JSON answer with its length."""
        return cls(status, {"content-type": JSON_TYPE, **(headers or {})}, json.dumps(value).encode())

    @classmethod
    def sse(cls, chunks: Iterable[bytes], headers: Mapping[str, str] | None = None, **options: Any) -> Reply:
        """A server-sent event stream, one network chunk per given chunk."""
        return cls(headers={"content-type": SSE_TYPE, **(headers or {})}, chunks=tuple(chunks), **options)

    def rechunked(self, size: int) -> Reply:
        """The same bytes in network chunks of `size` bytes, wherever that cuts lines and characters."""
        data = self.body if self.chunks is None else b"".join(self.chunks)
        return replace(self, body=b"", chunks=tuple(data[i : i + size] for i in range(0, len(data), size)))

    def gzipped(self) -> Reply:
        """The same bytes with `content-encoding: gzip`; each chunk is flushed so that it can be read at once."""
        headers = {**self.headers, "content-encoding": "gzip"}
        if self.chunks is None:
            return replace(self, headers=headers, body=gzip.compress(self.body))
        return replace(self, headers=headers, chunks=tuple(_gzip_chunks(self.chunks)))


def _gzip_chunks(chunks: Sequence[bytes]) -> Generator[bytes, None, None]:
    packer = zlib.compressobj(wbits=31)
    for chunk in chunks:
        yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


class Vendor:
    """A running vendor. `script` answers first, one entry per request; `respond` answers the rest."""

    def __init__(self, respond: Callable[[Received], Reply]) -> None:
        self.respond = respond
        self.script: list[Reply] = []
        self.received: list[Received] = []
        self.url = ""
        self._released = threading.Event()
        self._lock = threading.Lock()

    def answer(self, received: Received) -> Reply:
        """Record the request and choose its answer."""
        with self._lock:
            self.received.append(received)
            if self.script:
                return self.script.pop(0)
        return self.respond(received)

    def hold(self) -> None:
        """Wait as a hanging vendor does, until the server ends."""
        self._released.wait(60)

    def pause(self, seconds: float) -> None:
        """Wait between two chunks, shorter when the server ends."""
        self._released.wait(seconds)

    def release(self) -> None:
        """Let every hanging answer go."""
        self._released.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    vendor: Vendor

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up in the middle are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output clean."""

    def _serve(self) -> None:
        vendor = cast(_Server, self.server).vendor
        target = urlsplit(self.path)
        reply = vendor.answer(
            Received(
                self.command,
                target.path,
                target.query,
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(int(self.headers.get("content-length") or 0)),
            )
        )
        if reply.hang:
            vendor.hold()
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.chunks is None:
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self._send_chunks(vendor, reply, reply.chunks)

    do_GET = do_POST = do_DELETE = do_PUT = _serve

    def _send_chunks(self, vendor: Vendor, reply: Reply, chunks: Sequence[bytes]) -> None:
        for index, chunk in enumerate(chunks):
            if index == reply.cut_after:
                self._cut(reply.cut)
                return
            if index == reply.stall_after:
                vendor.hold()
                self.close_connection = True
                return
            if index and reply.pause_s:
                vendor.pause(reply.pause_s)
            if chunk:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _cut(self, how: str) -> None:
        self.close_connection = True
        self.wfile.flush()
        if how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running_vendor(respond: Callable[[Received], Reply]) -> Generator[Vendor, None, None]:
    """Serve `respond` on a free loopback port until the block ends."""
    vendor = Vendor(respond)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.vendor = vendor
    vendor.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        vendor.release()
        server.shutdown()
        server.server_close()
        thread.join()
