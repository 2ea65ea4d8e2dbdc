"""Runs the server: in the foreground, or in a thread for as long as a block lasts."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from payi_otel.garbage import collect_seldom
from payi_otel.server.api.context import now
from payi_otel.server.app import create_app
from payi_otel.server.config import DEFAULT_REQUESTS_PER_SECOND, ServerConfig
from payi_otel.server.listening import listen
from payi_otel.server.portal.links import PATH as PORTAL
from payi_otel.server.portal.links import link_path
from payi_otel.server.store.engine import Store, database_url
from payi_otel.server.store.keys import new_key
from payi_otel.server.store.users import add_link, new_token

_SHUTDOWN_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers at `url` to whoever has `api_key`."""

    url: str
    api_key: str


def serve(
    host: str = "127.0.0.1",
    port: int = 8742,
    database: str | Path = "payi.db",
    api_key: str | None = None,
    requests_per_second: float = DEFAULT_REQUESTS_PER_SECOND,
    provider_hosts: Sequence[str] = (),
    private_providers: bool = False,
) -> None:
    """Serve until interrupted, from a SQLite file, made if missing, or a PostgreSQL URL.

    `api_key`, or else `PAYI_API_KEY`, becomes a valid key. With neither, the first start makes a key and writes it
    beside the SQLite file, or into `payi.key` here. Bind to another `host` than loopback only behind TLS: keys
    travel with every request. Port 0 is a free one. The other settings are those of `ServerConfig`.

    Raises `OSError` when the address is taken, `ValueError` when a setting is wrong, SQLAlchemy's `DBAPIError` when
    the database cannot be used.

    >>> serve("127.0.0.1", 8742, "payi.db")  # doctest: +SKIP
    """
    is_url = "://" in str(database)
    config = ServerConfig(
        database if is_url else Path(database).resolve(),
        api_key or os.environ.get("PAYI_API_KEY") or None,
        requests_per_second=requests_per_second,
        provider_hosts=tuple(provider_hosts),
        private_providers=private_providers,
    )
    with listen(host, port) as listening:
        app = create_app(config)
        server = uvicorn.Server(_uvicorn_config(app))
        # Whoever reads where it is may stop it at once, a moment before uvicorn itself listens for signals.
        signal.signal(signal.SIGINT, server.handle_exit)
        _say_where(app, config, host, listening.getsockname()[1])
        collect_seldom()
        server.run(sockets=[listening])
    if not server.started:
        raise SystemExit("the server did not start; its log says why")


def _say_where(app: FastAPI, config: ServerConfig, host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    is_url = "://" in str(config.database)
    where = database_url(config.database).render_as_string() if is_url else config.database
    print(f"Pay-i is served at http://{shown}:{port} from {where}", flush=True)
    if config.api_key is not None:
        print("API key: the one given (api_key or PAYI_API_KEY)", flush=True)
    elif config.key_path.exists():
        print(f"API key: in {config.key_path}", flush=True)
    else:
        print("API key: one of those made before; give another with PAYI_API_KEY", flush=True)
    print(f"Portal: {_portal_link(app, host, f'http://{shown}:{port}')}", flush=True)


def _uvicorn_config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT_S)


def _portal_link(app: FastAPI, host: str, url: str) -> str:
    """How to get into the portal: on loopback by a link that signs in, for whoever reads this may do so anyway."""
    if not _is_loopback(host):
        return f"{url}{PORTAL}/ (sign in with an API key, or a user of: payi-otel users add NAME)"
    token = new_token()
    store: Store = app.state.store
    with store.write() as connection:
        add_link(connection, token, now())
    return f"{url}{link_path(token)} (signs in once; another: payi-otel users link)"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def background_server(
    database: str | Path | None = None, api_key: str | None = None, config: ServerConfig | None = None
) -> Generator[RunningServer]:
    """Serve on a free loopback port for the time of the block.

    Without a `database` the data is gone afterwards; without an `api_key` a new one is made. `config`
    has the other settings; its own database and key do not count.

    >>> with background_server() as server:  # doctest: +SKIP
    ...     payi_instrument(base_url=server.url, api_key=server.api_key)
    """
    key = api_key or new_key()
    with ExitStack() as stack:
        if database is None:
            database = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payi-"))) / "payi.db"
        app = create_app(replace(config or ServerConfig(database), database=database, api_key=key))
        listening = stack.enter_context(listen("127.0.0.1", 0))
        stack.enter_context(_serving(app, listening))
        yield RunningServer(f"http://127.0.0.1:{listening.getsockname()[1]}", key)


class _Server(uvicorn.Server):
    """uvicorn that tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def _serving(app: FastAPI, listening: socket.socket) -> Generator[None]:
    server = _Server(_uvicorn_config(app))

    def run() -> None:
        try:
            server.run(sockets=[listening])
        finally:
            server.ready.set()

    thread = threading.Thread(target=run, name="payi-server", daemon=True)
    thread.start()
    server.ready.wait()
    if not server.started:
        raise RuntimeError("the server did not start; its log says why")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
