"""A loopback stand-in for Pay-i's Ingest and KPI endpoints, with faults on request.

with running_sink() as sink:
    sink.script.append(Reply(503))          # the next answer
    ...
    assert sink.wait_for_events(1)
    assert "resp_1" in sink.events
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Reply:
    """Answer with this status instead of doing the work; `body` may be bytes or something JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hang:
    """Take the request and answer nothing until `release` is set or the sink closes; then drop the connection."""

    release: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Reset:
    """Take the request and reset the connection. `after_storing` does the work first: only the answer is lost."""

    after_storing: bool = False


@dataclass(frozen=True)
class Post:
    """One request as it arrived, in order. `ids` are the event ids of a bulk request."""

    method: str
    path: str
    ids: tuple[str, ...]
    body: Any
    headers: Mapping[str, str]
    client_port: int
    size: int


class IngestSink:
    """What arrived, and what shall go wrong.

    events: by `provider_response_id`, the last body. stored: every id in order of storing, repeats included.
    posts: every request. scores: by (use case, instance, KPI). definitions: by (use case, KPI).
    use_cases: known use case definitions. script: faults, one taken per request, None for "do the work".
    poison: a batch with one of these ids is refused as a whole (400). item_errors: id → per-item ApiError.
    no_upsert: answer bulk-upsert with this status. max_bytes: larger requests get 413. keys: accepted API keys.
    missing_scores: score requests for these KPI names get a 404 ProblemDetails.
    """

    def __init__(self) -> None:
        self.url = ""
        self.events: dict[str, dict[str, Any]] = {}
        self.stored: list[str] = []
        self.posts: list[Post] = []
        self.scores: dict[tuple[str, str, str], Any] = {}
        self.definitions: dict[tuple[str, str], dict[str, Any]] = {}
        self.use_cases: set[str] = set()
        self.script: deque[Reply | Hang | Reset | None] = deque()
        self.poison: set[str] = set()
        self.item_errors: dict[str, dict[str, Any]] = {}
        self.no_upsert: int | None = None
        self.max_bytes: int | None = None
        self.keys: set[str] | None = None
        self.missing_scores: set[str] = set()
        self.closing = threading.Event()
        self.changed = threading.Condition()

    def wait_until(self, condition: Callable[[IngestSink], bool], timeout_s: float = 20.0) -> bool:
        """Wait until `condition(self)` holds; False when it does not in time."""
        with self.changed:
            return self.changed.wait_for(lambda: condition(self), timeout_s)

    def wait_for_events(self, count: int, timeout_s: float = 20.0) -> bool:
        """Wait until at least `count` different events are stored."""
        return self.wait_until(lambda sink: len(sink.events) >= count, timeout_s)

    def wait_for_posts(self, count: int, timeout_s: float = 20.0) -> bool:
        """Wait until at least `count` requests have arrived."""
        return self.wait_until(lambda sink: len(sink.posts) >= count, timeout_s)

    def arrive(self, post: Post) -> Reply | Hang | Reset | None:
        with self.changed:
            self.posts.append(post)
            fault = self.script.popleft() if self.script else None
            self.changed.notify_all()
            return fault

    def work(self, post: Post) -> Reply:
        """What a healthy service would do."""
        if self.keys is not None and post.headers.get("xproxy-api-key") not in self.keys:
            return _error(401, "invalid_api_key", "The API key is not valid")
        if self.max_bytes is not None and post.size > self.max_bytes:
            return _error(413, "too_large", "Request too large")
        url = urlsplit(post.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        with self.changed:
            try:
                if parts[:3] == ["api", "v1", "ingest"]:
                    return self._ingest(parts[3:], post)
                if parts[:4] == ["api", "v1", "use_cases", "instances"] and "kpis" in parts:
                    return self._score(parts[4:], post, parse_qs(url.query))
                if parts[:4] == ["api", "v1", "use_cases", "definitions"]:
                    return self._define(parts[4:], post)
                return Reply(404, b"")
            finally:
                self.changed.notify_all()

    def _ingest(self, parts: list[str], post: Post) -> Reply:
        if parts == ["bulk-upsert"] and self.no_upsert is not None:
            return Reply(self.no_upsert, b"")
        if post.method != "POST" or parts not in (["bulk-upsert"], ["bulk"]):
            return Reply(404, b"")
        if self.poison.intersection(post.ids):
            return _error(400, "invalid_json", "An event is not valid")
        errors = []
        for index, event in enumerate(post.body):
            event_id = event["provider_response_id"]
            if event_id in self.item_errors:
                errors.append({"item_index": index, "xproxy_result": self.item_errors[event_id]})
            else:
                self.events[event_id] = event
                self.stored.append(event_id)
                if event.get("use_case_name"):
                    self.use_cases.add(event["use_case_name"])
        return Reply(
            200,
            {
                "request_id": "req_1",
                "ingest_timestamp": "2026-11-20T00:00:00Z",
                "ingest_count": len(post.ids) - len(errors),
                "total_count": len(post.ids),
                "error_count": len(errors),
                "item_error_count": len(errors),
                "errors": errors or None,
            },
        )

    def _score(self, parts: list[str], post: Post, query: dict[str, list[str]]) -> Reply:
        name, instance, _, *kpi = parts
        if post.method == "PUT" and kpi:
            if kpi[0] in self.missing_scores:
                return Reply(404, {"title": "Not Found", "status": 404, "detail": f"no KPI {kpi[0]}"})
            self.scores[name, instance, kpi[0]] = post.body["score"]
            return Reply(200, b"")
        wanted = query.get("kpi_name")
        items = [
            {"kpi_name": key[2], "score": score}
            for key, score in self.scores.items()
            if key[:2] == (name, instance) and (wanted is None or key[2] in wanted)
        ]
        return Reply(200, {"items": items, "cursor": None, "request_id": "req_2"})

    def _define(self, parts: list[str], post: Post) -> Reply:
        if not parts:
            self.use_cases.add(post.body["name"])
            return Reply(201, {"name": post.body["name"], "request_id": "req_3"})
        if parts[0] not in self.use_cases:
            return _error(404, "use_case_not_found", f"no use case {parts[0]}")
        key = (parts[0], post.body["name"])
        if key in self.definitions:
            return _error(409, "kpi_already_exists", "The KPI exists")
        self.definitions[key] = post.body
        return Reply(200, {**post.body, "request_id": "req_4"})


def _error(status: int, code: str, message: str) -> Reply:
    body = {"message": message, "statusCode": status, "xproxy_error": {"code": code, "message": message}}
    return Reply(status, body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave as two packets; with Nagle's algorithm each answer would wait for a delayed ACK.
    disable_nagle_algorithm = True
    sink: IngestSink

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.loads(raw) if raw else None
        ids = (
            tuple(str(event.get("provider_response_id")) for event in body) if isinstance(body, list) else ()
        )
        headers = {name.lower(): value for name, value in self.headers.items()}
        post = Post(self.command, self.path, ids, body, headers, self.client_address[1], len(raw))
        fault = self.sink.arrive(post)
        if isinstance(fault, Hang):
            while not fault.release.wait(0.05) and not self.sink.closing.is_set():
                pass
            self.close_connection = True
        elif isinstance(fault, Reset):
            if fault.after_storing:
                self.sink.work(post)
            # Linger zero makes close() send a reset instead of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        else:
            self._answer(fault or self.sink.work(post))

    do_GET = do_POST = do_PUT = _serve

    def _answer(self, reply: Reply) -> None:
        payload = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        # Not send_response(): it adds a Date of its own to the one a test may set.
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep test output quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Many clients of one test connect at once.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that a test broke on purpose is no news."""


@contextmanager
def running_sink(port: int = 0) -> Iterator[IngestSink]:
    """Serve an `IngestSink` on a loopback port (a free one unless given) for the time of the block."""
    sink = IngestSink()
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"sink": sink}))
    sink.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        sink.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
