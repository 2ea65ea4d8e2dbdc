"""The FastAPI application of the self-hosted server."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Security
from fastapi.security import APIKeyHeader
from starlette.responses import RedirectResponse

from payi_otel.server.api import (
    categories,
    copilot,
    definitions,
    experiences,
    ingest,
    instances,
    kpis,
    limits,
    local,
    proxy,
    reports,
    requests,
    scores,
    values,
)
from payi_otel.server.api.context import now
from payi_otel.server.api.models import ApiErrorOut
from payi_otel.server.auth import KEY_HEADER, Gate
from payi_otel.server.config import ServerConfig
from payi_otel.server.errors import add_error_handlers
from payi_otel.server.portal.app import create_portal
from payi_otel.server.portal.links import PATH as PORTAL
from payi_otel.server.proxy.hosts import HostRules
from payi_otel.server.proxy.relay import Relay
from payi_otel.server.store.engine import Store
from payi_otel.server.store.keys import DEFAULT_APPLICATION, allow_key, any_key, lock_application, new_key
from payi_otel.version import VERSION

_AREAS = (
    ingest,
    copilot,
    limits,
    categories,
    definitions,
    kpis,
    scores,
    instances,
    requests,
    experiences,
    reports,
    values,
    proxy,
    local,
)


def create_app(config: ServerConfig) -> FastAPI:
    """The server as an ASGI application, with its database open and at least one API key valid.

    >>> from pathlib import Path
    >>> app = create_app(ServerConfig(Path("payi.db"), api_key="sk-payi-app-1"))  # doctest: +SKIP
    """
    store = Store(config.database)
    _prepare_keys(store, config)
    relay = Relay(store)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        yield
        await relay.close()
        store.close()

    # The gate checks the key before anything else; this only says so in the OpenAPI document.
    declared = Security(APIKeyHeader(name=KEY_HEADER, auto_error=False))
    app = FastAPI(
        title="Pay-i, self-hosted",
        version=VERSION,
        lifespan=lifespan,
        # The pages that show it would load scripts from elsewhere; and a redirect would drop the key.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in (*(area.router for area in _AREAS), ingest.bulk_router):
        app.include_router(
            router,
            dependencies=[declared],
            responses={"4XX": {"model": ApiErrorOut, "description": "Refused"}},
        )
    # Without a key, for whatever watches over the process.
    app.add_api_route("/healthz", _health, methods=["GET"])
    app.mount(PORTAL, create_portal(store))
    for path in ("/", PORTAL):
        app.add_api_route(path, _to_the_portal, methods=["GET"], include_in_schema=False)
    app.state.store = store
    app.state.relay = relay
    app.state.host_rules = HostRules(config.provider_hosts, config.private_providers)
    if importlib.util.find_spec("opentelemetry.proto") is not None:
        from payi_otel.server.otlp import mount_otlp

        mount_otlp(app, store, config.max_body_bytes)
    add_error_handlers(app)
    app.add_middleware(
        Gate,
        store=store,
        max_body_bytes=config.max_body_bytes,
        requests_per_second=config.requests_per_second,
    )
    return app


def _health() -> dict[str, str]:
    return {"status": "ok"}


def _to_the_portal(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{PORTAL}/")


def _prepare_keys(store: Store, config: ServerConfig) -> None:
    with store.write() as connection:
        # Of two servers that start at once on one database only one makes the first key.
        lock_application(connection, DEFAULT_APPLICATION, now())
        if config.api_key is not None:
            allow_key(connection, config.api_key, now())
        elif not any_key(connection):
            key = new_key()
            # Before the commit: a key that nobody can read must not lock everybody out.
            descriptor = os.open(config.key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(key + "\n")
            allow_key(connection, key, now())
