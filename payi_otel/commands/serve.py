"""`payi-otel serve`: the self-hosted server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from payi_otel.commands.shape import SERVER_MODULES, CommandError, port, require
from payi_otel.commands.store import add_database, database_errors

if TYPE_CHECKING:
    from payi_otel.commands.shape import Subparsers

_DEFAULT_PORT = 8742


def add_to(subparsers: Subparsers) -> None:
    """Add the command `serve`."""
    parser = subparsers.add_parser("serve", help="run the self-hosted server")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (%(default)s)")
    parser.add_argument(
        "--port", type=port, default=_DEFAULT_PORT, help="port, 0 for a free one (%(default)s)"
    )
    add_database(parser)
    parser.add_argument(
        "--requests-per-second",
        type=float,
        default=1000.0,
        metavar="N",
        help="of one key at this process; more get HTTP 429, 0 is no limit (%(default)g)",
    )
    parser.add_argument(
        "--provider-host",
        action="append",
        default=[],
        metavar="HOST",
        help="host the proxy may call besides the vendors' own, *.example.com for all below; may be repeated",
    )
    parser.add_argument(
        "--private-providers", action="store_true", help="let the proxy call addresses of private networks"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    require(SERVER_MODULES, install='pip install "payi-otel[server]"', purpose="the server")
    from payi_otel.server.main import serve

    try:
        with database_errors():
            serve(
                host=arguments.host,
                port=arguments.port,
                database=arguments.database,
                requests_per_second=arguments.requests_per_second,
                provider_hosts=arguments.provider_host,
                private_providers=arguments.private_providers,
            )
    except OSError as error:
        # The address; a folder or a file that cannot be written.
        raise CommandError(str(error)) from None
    return 0
