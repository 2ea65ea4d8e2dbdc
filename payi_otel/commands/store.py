"""What the commands on the server's database share: naming it, and opening it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from payi_otel.commands.shape import CommandError

if TYPE_CHECKING:
    from payi_otel.server.store.engine import Store


def add_database(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the server's database."""
    parser.add_argument(
        "--database",
        default=os.environ.get("PAYI_DATABASE_URL") or "payi.db",
        metavar="FILE|URL",
        help="SQLite file, or postgresql://user@host/name (PAYI_DATABASE_URL, else payi.db)",
    )


@contextmanager
def database_errors() -> Generator[None]:
    """Say in one line what is wrong with the database that was named."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except ValueError as error:
        raise CommandError(f"--{error}") from None
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise CommandError(f"--database: cannot be used: {reason}") from None


@contextmanager
def opened(database: str) -> Generator[Store]:
    """The server's database; raises `CommandError` where there is none."""
    from payi_otel.server.store.engine import Store

    if "://" not in database and not Path(database).exists():
        raise CommandError(f"--database: no file {database}; give that of `payi-otel serve`")
    with database_errors():
        store = Store(database)
    try:
        yield store
    finally:
        store.close()
