"""`payi-otel serve`: the self-hosted server."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from payi_otel.commands.shape import SERVER_MODULES, CommandError, require

if TYPE_CHECKING:
    from payi_otel.commands.shape import Subparsers

_DEFAULT_PORT = 8742


def add_to(subparsers: Subparsers) -> None:
    """Add the command `serve`."""
    parser = subparsers.add_parser("serve", help="run the self-hosted server")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (%(default)s)")
    parser.add_argument("--port", type=int, default=_DEFAULT_PORT, help="port (%(default)s)")
    parser.add_argument(
        "--database",
        default=os.environ.get("PAYI_DATABASE_URL") or "payi.db",
        metavar="FILE|URL",
        help="SQLite file, made if missing, or postgresql://user@host/name (PAYI_DATABASE_URL, else payi.db)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    require(SERVER_MODULES, install='pip install "payi-otel[server]"', purpose="the server")
    from payi_otel.server.main import serve

    try:
        serve(host=arguments.host, port=arguments.port, database=arguments.database)
    except ValueError as error:
        raise CommandError(f"--{error}") from None
    return 0
