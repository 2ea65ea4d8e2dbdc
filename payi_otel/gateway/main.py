"""Runs the gateway: both servers around one receiver, until a signal says stop."""

from __future__ import annotations

import signal
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Protocol

from payi_otel.bootstrap import ensure_ledger, ensure_worker, shutdown, state_folder
from payi_otel.garbage import collect_seldom
from payi_otel.gateway.budget import Budget
from payi_otel.gateway.config import GatewayConfig
from payi_otel.gateway.http import OtlpHttp
from payi_otel.gateway.keys import GatewayKeys
from payi_otel.gateway.outbox import DeliveryOutbox
from payi_otel.gateway.protobuf import require_fast_protobuf
from payi_otel.gateway.receiver import Receiver, Sink
from payi_otel.gateway.rpc import OtlpGrpc, Tls
from payi_otel.gateway.web import WebServer
from payi_otel.settings import Settings, SettingsError

# Decoding holds the interpreter, so more threads would only hold more bodies; some wait for the disk.
_THREADS = 4


class Outbox(Sink, Protocol):
    """A sink that can tell why it takes nothing."""

    def obstacle(self) -> str | None:
        """Why nothing can be stored now; None when it can."""
        ...


class Gateway:
    """Both servers. They listen once made, so that a port that is taken is told before anything starts.

    Raises `OSError` or ValueError when an address, certificate or key cannot be used, `SlowProtobuf` where protobuf
    is not compiled.

    >>> gateway = Gateway(GatewayConfig(), outbox)  # doctest: +SKIP
    >>> gateway.start()  # doctest: +SKIP
    >>> gateway.http_url, gateway.grpc_address  # doctest: +SKIP
    ('http://127.0.0.1:4318', '127.0.0.1:4317')
    """

    def __init__(self, config: GatewayConfig, outbox: Outbox) -> None:
        require_fast_protobuf()
        self._config = config
        self._outbox = outbox
        self._keys = GatewayKeys(config.keys)
        self._stopping = False
        receiver = Receiver()
        self._http_threads = ThreadPoolExecutor(_THREADS, "payi-gateway-http")
        self._grpc_threads = ThreadPoolExecutor(_THREADS, "payi-gateway-grpc")
        app = OtlpHttp(
            receiver,
            self._door,
            self._http_threads,
            config.max_body_bytes,
            Budget(config.max_held_bytes),
            self._obstacle,
        )
        certificate, key = config.tls_certificate, config.tls_key
        tls = Tls(certificate.read_bytes(), key.read_bytes()) if certificate and key else None
        self._web = WebServer(app, config.host, config.http_port, certificate, key, config.drain_timeout_s)
        self._rpc: OtlpGrpc | None = None
        if config.grpc_port is not None:
            self._rpc = OtlpGrpc(
                receiver,
                self._door,
                self._grpc_threads,
                config.host,
                config.grpc_port,
                config.max_body_bytes,
                tls,
            )

    @property
    def http_url(self) -> str:
        """Where OTLP/HTTP is served."""
        scheme = "https" if self._config.tls_certificate else "http"
        return f"{scheme}://{_shown(self._config.host)}:{self._web.port}"

    @property
    def grpc_address(self) -> str | None:
        """Where OTLP/gRPC is served, None when it is not."""
        return f"{_shown(self._config.host)}:{self._rpc.port}" if self._rpc else None

    def start(self) -> None:
        """Answer from now on."""
        self._web.start()
        if self._rpc is not None:
            self._rpc.start()

    def stop(self) -> None:
        """Take no more requests and see those under way through; what was acknowledged is in the outbox."""
        self._stopping = True
        if self._rpc is not None:
            self._rpc.stop(self._config.drain_timeout_s)
        self._web.stop()
        self._http_threads.shutdown()
        self._grpc_threads.shutdown()

    def _door(self, authorization: str | None, api_key: str | None) -> Sink | None:
        return self._outbox if self._keys.admit(authorization=authorization, api_key=api_key) else None

    def _obstacle(self) -> str | None:
        return "stopping" if self._stopping else self._outbox.obstacle()


def _check_outbox(settings: Settings, max_body_bytes: int) -> None:
    """Raise `SettingsError` where nothing could ever be acknowledged."""
    if settings.durability == "memory":
        raise SettingsError(
            "PAYI_DURABILITY='memory': the gateway acknowledges what is on disk; leave it out"
        )
    if settings.outbox_max_bytes < max_body_bytes:
        raise SettingsError(
            f"PAYI_OUTBOX_MAX_BYTES={settings.outbox_max_bytes}: less than one request may hold, {max_body_bytes}"
        )
    folder = state_folder(settings)
    if folder is None:
        raise SettingsError("PAYI_OUTBOX_DIR: not set, and there is no home directory; give a folder")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"PAYI_OUTBOX_DIR={str(folder)!r}: {error.strerror}; give a folder that can be written to"
        ) from None


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def serve(config: GatewayConfig) -> None:
    """Serve until SIGTERM or SIGINT, then see through what is under way and deliver what is waiting.

    Pay-i's address and key, and the outbox, are those of the environment (`PAYI_*`). What is not delivered in
    `PAYI_EXIT_TIMEOUT` seconds stays in the outbox for the next start.

    Raises what `Gateway` raises, and `SettingsError`.

    >>> serve(GatewayConfig(http_port=4318, grpc_port=4317))  # doctest: +SKIP
    """
    stop = threading.Event()
    settings = Settings.from_arguments()
    if settings.api_key is None:
        raise SettingsError("PAYI_API_KEY: not set; the gateway delivers with this key of Pay-i")
    _check_outbox(settings, config.max_body_bytes)
    outbox = DeliveryOutbox(ensure_worker(), ensure_ledger(), config.max_body_bytes)
    gateway = Gateway(config, outbox)

    def on_signal(signum: int, frame: FrameType | None) -> None:
        # A second one ends the process at once, which loses nothing that was acknowledged.
        signal.signal(signum, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    outbox.start()
    collect_seldom()
    gateway.start()
    print(f"OTLP/HTTP is served at {gateway.http_url}, for {settings.base_url}", flush=True)
    if gateway.grpc_address is not None:
        print(f"OTLP/gRPC is served at {gateway.grpc_address}", flush=True)
    stop.wait()
    gateway.stop()
    shutdown(settings.exit_timeout_s)
