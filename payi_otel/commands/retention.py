"""`payi-otel retention`: deletes prompts, answers and requests that are old; made to run every night."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from payi_otel.commands.shape import SERVER_MODULES, CommandError, require
from payi_otel.commands.store import add_database, opened

if TYPE_CHECKING:
    from payi_otel.commands.shape import Subparsers


def add_to(subparsers: Subparsers) -> None:
    """Add the command `retention`."""
    parser = subparsers.add_parser("retention", help="delete what the self-hosted server keeps for too long")
    add_database(parser)
    parser.add_argument("--bodies-days", type=_days, metavar="N", help="delete older prompts and answers")
    parser.add_argument(
        "--requests-days",
        type=_days,
        metavar="N",
        help="delete older requests; what they cost stays summed up",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Delete what is older than asked for, by the time of the event."""
    require(SERVER_MODULES, install='pip install "payi-otel[server]"', purpose="the server")
    if arguments.bodies_days is None and arguments.requests_days is None:
        raise CommandError("give --bodies-days, --requests-days or both")
    from payi_otel.server.store import retention

    now = datetime.now(timezone.utc)
    with opened(arguments.database) as store:
        if arguments.bodies_days is not None:
            deleted = retention.delete_bodies(store, now - timedelta(days=arguments.bodies_days))
            print(f"{deleted} prompts and answers deleted")
        if arguments.requests_days is not None:
            deleted = retention.delete_requests(store, now - timedelta(days=arguments.requests_days))
            print(f"{deleted} requests deleted")
    return 0


def _days(text: str) -> int:
    days = int(text)
    if not 0 <= days <= 36_500:
        raise ValueError(text)
    return days
