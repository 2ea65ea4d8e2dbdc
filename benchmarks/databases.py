"""The databases that the server's benchmarks measure, one after the other."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let the user choose them."""
    parser.add_argument("--keep", metavar="FILE", help="a SQLite file to make; without it a temporary one")
    parser.add_argument("--postgresql", metavar="URL", help="an empty database; without it one is started")
    parser.add_argument("--sqlite-only", action="store_true")


def databases(chosen: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Name and address of each: SQLite, then PostgreSQL where there is one."""
    with tempfile.TemporaryDirectory() as folder:
        yield "SQLite", chosen.keep or str(Path(folder) / "payi.db")
    if chosen.sqlite_only:
        return
    if chosen.postgresql:
        yield "PostgreSQL", chosen.postgresql
        return
    sys.path.insert(0, str(ROOT))
    from tests.support.postgresql import NoPostgreSQL, running_cluster

    try:
        with running_cluster() as cluster:
            yield "PostgreSQL", cluster.new_database()
    except NoPostgreSQL as missing:
        print(f"PostgreSQL  {missing}")
