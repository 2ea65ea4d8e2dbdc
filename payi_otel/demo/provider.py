"""A fake OpenAI, Azure OpenAI and Anthropic on loopback, for the demo, the examples and the tests.

    with running_provider() as provider:
        client = openai.OpenAI(base_url=provider.openai_base_url, api_key="any")

Everything it says and bills follows from the request. Errors come on demand (a model named `error-429`, or the
header `x-demo-error: 429`), and `x-demo-cut: 3` breaks the connection after three writes of a stream.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from payi_otel.demo import anthropic_api, batches, openai_chat, openai_media, openai_responses
from payi_otel.demo.failures import cut, failure_of, is_anthropic
from payi_otel.demo.wire import Answer, Billed, Endpoint, Json, Memory, Request, new_id, parse_body

_AZURE = re.compile(r"/openai/(?:deployments/(?P<deployment>[^/]+)|v1)(?=/)")


@dataclass(frozen=True, slots=True)
class Served:
    """One request that reached the provider, the status it was answered with, and what was billed for it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json
    status: int
    billed: Billed | None


class FakeProvider:
    """A running fake provider: its addresses, and a log of what reached it."""

    def __init__(self, url: str, pause_s: float) -> None:
        self.url = url
        self.openai_base_url = f"{url}/v1"
        self.anthropic_base_url = url
        self.azure_endpoint = url
        self.pause_s = pause_s
        self.requests: list[Served] = []
        self._memory = Memory()

    def answer(self, request: Request) -> Answer:
        """Answer one request and log it."""
        given = failure_of(request) or _routed(request, self._memory)
        breaks_after = request.headers.get("x-demo-cut", "")
        if breaks_after.isdigit() and given.chunks is not None:
            given = cut(given, int(breaks_after))
        self.requests.append(
            Served(request.method, request.path, request.headers, request.body, given.status, given.billed)
        )
        name = "request-id" if is_anthropic(request.path) else "x-request-id"
        return replace(given, headers={**given.headers, **_azure_headers(request), name: new_id("req_")})


@contextmanager
def running_provider(*, pause_s: float = 0.0) -> Generator[FakeProvider, None, None]:
    """Run a fake provider on a free loopback port until the block is left.

    `pause_s` is the time in seconds between two writes of a stream.

    >>> with running_provider() as provider:
    ...     provider.openai_base_url.startswith("http://127.0.0.1:")
    True
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    provider = FakeProvider(f"http://127.0.0.1:{server.server_port}", pause_s)
    server.provider = provider
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _retrieve_batch(request: Request, memory: Memory) -> Answer:
    return batches.retrieve_openai(request, memory, _routed)


_ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", r"/chat/completions", openai_chat.chat_completions),
    ("POST", r"/completions", openai_chat.completions),
    ("POST", r"/responses", openai_responses.create),
    ("POST", r"/responses/compact", openai_responses.compact),
    ("POST", r"/responses/input_tokens", openai_responses.input_tokens),
    ("POST", r"/responses/[^/]+/cancel", openai_responses.cancel),
    ("GET", r"/responses/[^/]+", openai_responses.retrieve),
    ("POST", r"/embeddings", openai_media.embeddings),
    ("POST", r"/moderations", openai_media.moderations),
    ("POST", r"/images/(generations|edits|variations)", openai_media.images),
    ("POST", r"/audio/speech", openai_media.speech),
    ("POST", r"/audio/(transcriptions|translations)", openai_media.transcriptions),
    ("POST", r"/files", batches.upload_file),
    ("GET", r"/files/[^/]+/content", batches.file_content),
    ("POST", r"/batches", batches.create_openai),
    ("GET", r"/batches/[^/]+", _retrieve_batch),
    ("POST", r"/messages", anthropic_api.messages),
    ("POST", r"/messages/count_tokens", anthropic_api.count_tokens),
    ("POST", r"/messages/batches", batches.create_anthropic),
    ("GET", r"/messages/batches/[^/]+", batches.retrieve_anthropic),
    ("GET", r"/messages/batches/[^/]+/results", batches.results_anthropic),
)


def _routed(request: Request, memory: Memory) -> Answer:
    azure = _AZURE.match(request.path)
    if azure and azure["deployment"] and "model" not in request.body:
        request = replace(request, body={**request.body, "model": azure["deployment"]})
    path = request.path[azure.end() :] if azure else request.path.removeprefix("/v1")
    for method, pattern, endpoint in _ROUTES:
        if method == request.method and re.fullmatch(pattern, path):
            return endpoint(request, memory)
    error = {"message": f"Unknown request URL: {request.method} {request.path}.", "code": "unknown_url"}
    return Answer.json({"error": {**error, "type": "invalid_request_error", "param": None}}, status=404)


def _azure_headers(request: Request) -> dict[str, str]:
    azure = _AZURE.match(request.path)
    if azure is None:
        return {}
    deployment = azure["deployment"] or str(request.body.get("model", ""))
    return {"x-ms-region": "East US", "x-ms-deployment-name": deployment, "apim-request-id": new_id("", 32)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    provider: FakeProvider

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what went wrong, but not that a client has gone."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it each small write of a stream waits for the acknowledgement of the one before.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Keep standard error for the application."""

    def _serve(self) -> None:
        provider = self._provider()
        answer = provider.answer(self._request())
        try:
            self._send(answer, provider.pause_s)
        except (BrokenPipeError, ConnectionResetError):
            # The client closed its stream early, as some callers do.
            self.close_connection = True

    def _provider(self) -> FakeProvider:
        assert isinstance(self.server, _Server)
        return self.server.provider

    def _request(self) -> Request:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        parsed = parse_body(headers.get("content-type", ""), body)
        return Request(self.command, url.path, dict(parse_qsl(url.query)), headers, parsed)

    def _send(self, answer: Answer, pause_s: float) -> None:
        self.send_response(answer.status)
        for name, value in {"content-type": answer.content_type, **answer.headers}.items():
            self.send_header(name, value)
        if answer.chunks is None:
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in answer.chunks:
            time.sleep(pause_s)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if answer.breaks_off:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")
