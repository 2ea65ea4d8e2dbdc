"""`payi-otel reprice`: prices stored requests anew, after a price was corrected."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

from payi_otel.commands.shape import SERVER_MODULES, CommandError, require
from payi_otel.commands.store import add_database, opened

if TYPE_CHECKING:
    from payi_otel.commands.shape import Subparsers


def add_to(subparsers: Subparsers) -> None:
    """Add the command `reprice`."""
    parser = subparsers.add_parser("reprice", help="price stored requests anew, after a price was corrected")
    add_database(parser)
    parser.add_argument("--from", dest="start", metavar="TIME", help="first event time, such as 2026-01-31")
    parser.add_argument("--to", dest="end", metavar="TIME", help="event time to stop before")
    parser.add_argument("--category", help="only requests priced in this category")
    parser.add_argument("--resource", help="only requests priced as this resource")
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Price anew, with a progress bar. It may be stopped at any time and run again."""
    require(SERVER_MODULES, install='pip install "payi-otel[server]"', purpose="the server")
    from payi_otel.commands.progress_bar import open_bar
    from payi_otel.server.store import reprice
    from payi_otel.server.store.reprice import Selection

    selection = Selection(
        start=as_time("--from", arguments.start),
        end=as_time("--to", arguments.end),
        category=arguments.category,
        resource=arguments.resource,
    )
    seen = changed = last_id = 0
    difference = Decimal(0)
    with opened(arguments.database) as store:
        bar = open_bar(reprice.count(store, selection), "reprice", unit="requests", scaled=False)
        try:
            while (step := reprice.step(store, selection, last_id, dry_run=arguments.dry_run)) is not None:
                seen, changed, last_id = seen + step.seen, changed + step.changed, step.last_id
                difference += step.difference
                bar.show(seen, f"{changed} changed")
        finally:
            bar.close()
    said = "would change" if arguments.dry_run else "changed"
    print(f"{seen} requests, {changed} {said}, {difference.normalize():+f} US dollars")
    return 0


def as_time(option: str, text: str | None) -> datetime | None:
    """A time somebody wrote, in UTC where it names no zone; raises `CommandError`."""
    if text is None:
        return None
    try:
        # Python 3.10 does not know Z.
        found = datetime.fromisoformat(text.removesuffix("Z") + ("+00:00" if text.endswith("Z") else ""))
    except ValueError:
        raise CommandError(f"{option}: {text!r} is no time; write one such as 2026-01-31T12:00:00Z") from None
    return found.replace(tzinfo=timezone.utc) if found.tzinfo is None else found
