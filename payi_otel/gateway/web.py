"""uvicorn on a thread of its own, at a socket that is bound before anything else starts."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

# Longer than senders keep an idle connection (Go's clients: 90 s): they close it, never we under their next request.
_KEEP_ALIVE_S = 120


class WebServer:
    """Serves an ASGI application between `start` and `stop`.

    Args:
        app: the application.
        host, port: address; port 0 takes a free one, told in `port`.
        certificate, key: PEM files; plain text without.
        drain_timeout_s: seconds that requests under way may take after `stop`.

    Raises `OSError` when the address is taken, ValueError when certificate and key cannot be used.

    >>> server = WebServer(app, "127.0.0.1", 4318, None, None, 10.0)  # doctest: +SKIP
    >>> server.start()  # doctest: +SKIP
    """

    def __init__(
        self,
        app: Callable[..., Any],
        host: str,
        port: int,
        certificate: Path | None,
        key: Path | None,
        drain_timeout_s: float,
    ) -> None:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ssl_certfile=certificate,
            ssl_keyfile=key,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, round(drain_timeout_s)),
        )
        try:
            config.load()
        except ssl.SSLError as error:
            raise ValueError(
                f"tls_certificate={str(certificate)!r}, tls_key={str(key)!r}: {error.reason or error}; give a "
                "certificate chain and the key that belongs to it, in PEM"
            ) from None
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, name="payi-gateway-http", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()
        self._server.ready.wait()
        if not self._server.started:
            raise RuntimeError("the HTTP server did not start; its log says why")

    def stop(self) -> None:
        """Take no more requests, and wait for those under way."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._server.ready.set()


class _Server(uvicorn.Server):
    """uvicorn that tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    # With the protocol named, or asyncio would leave Nagle's algorithm on: 40 ms more for each answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"cannot listen at {host}:{port}: {error.strerror}") from None
    return listening
