"""HTTP to Pay-i: one client per process, no redirects, invisible to HTTP instrumentations."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from payi_otel.delivery.answers import Answer
from payi_otel.delivery.config import DeliveryConfig
from payi_otel.delivery.deadline import Deadline
from payi_otel.registry import registry
from payi_otel.version import VERSION

if TYPE_CHECKING:
    import httpx2

UPSERT_PATH = "/api/v1/ingest/bulk-upsert"
BULK_PATH = "/api/v1/ingest/bulk"
# Errors about 500 events take some 200 kB.
LARGEST_ANSWER_BYTES = 4 * 1024 * 1024


class Transport:
    """Sends requests and returns answers; never raises for what the network or the server does.

    Used by one thread at a time.
    """

    def __init__(self, config: DeliveryConfig) -> None:
        self.api_key = config.api_key
        self._config = config
        self._client: httpx2.Client | None = None
        self._client_pid = 0
        self._socket: socket.socket | None = None
        self._bulk_path = UPSERT_PATH

    def post_events(self, payloads: Sequence[bytes], timeout_s: float) -> Answer:
        """Send events, each a JSON object, in one request."""
        content = b"[" + b",".join(payloads) + b"]"
        answer = self.request("POST", self._bulk_path, content, timeout_s)
        if self._bulk_path == UPSERT_PATH and answer.status in {404, 405} and answer.code is None:
            answer = self.request("POST", BULK_PATH, content, timeout_s)
            if answer.status is not None and answer.status not in {404, 405}:
                self._bulk_path = BULK_PATH
        return answer

    def request(self, method: str, path: str, content: bytes | None, timeout_s: float) -> Answer:
        """One request, over within `timeout_s` seconds; `path` is already percent-encoded."""
        with registry.loading:
            import httpx2
            from opentelemetry.instrumentation.utils import suppress_instrumentation

        headers = {"xProxy-api-key": self.api_key or ""}
        if content is not None:
            headers["Content-Type"] = "application/json"
        with Deadline(timeout_s) as deadline:

            def note(event: str, info: Mapping[str, Any]) -> None:
                # httpcore's trace extension; with TLS the second socket takes the place of the first.
                if event.endswith(("connect_tcp.complete", "start_tls.complete")):
                    self._socket = info["return_value"].get_extra_info("socket")
                    deadline.watch(self._socket)

            deadline.watch(self._socket)
            try:
                with (
                    suppress_instrumentation(),
                    self._open().stream(
                        method,
                        path,
                        content=content,
                        headers=headers,
                        timeout=timeout_s,
                        extensions={"trace": note},
                    ) as response,
                ):
                    return _read(response)
            except httpx2.TimeoutException as error:
                # No connection in time says nothing about the content; no answer in time may.
                timed_out = not isinstance(error, (httpx2.ConnectTimeout, httpx2.PoolTimeout))
                return Answer(None, error=type(error).__name__, timed_out=timed_out)
            except Exception as error:
                # Beside the network's errors: an unusable key, certificate file or proxy setting. Its message may
                # quote the key, so only the type goes on.
                if deadline.is_over:
                    return Answer(None, error="ReadTimeout", timed_out=True)
                return Answer(None, error=type(error).__name__)

    def _open(self) -> httpx2.Client:
        import httpx2

        # After a fork the parent's sockets must be neither used nor closed here: they are only forgotten.
        if self._client is None or self._client_pid != os.getpid():
            # Making it imports as well.
            with registry.loading:
                self._client = httpx2.Client(
                    base_url=self._config.base_url,
                    headers={"User-Agent": f"payi-otel/{VERSION}", **self._config.headers},
                    follow_redirects=False,
                )
            self._client_pid = os.getpid()
            self._socket = None
        return self._client

    def close(self) -> None:
        """Close idle connections; the next request opens new ones."""
        if self._client is not None and self._client_pid == os.getpid():
            self._client.close()
        self._client = None


def _read(response: httpx2.Response) -> Answer:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER_BYTES:
            return Answer(None, error="the answer is too large")
    return Answer(response.status_code, bytes(body), response.headers)
