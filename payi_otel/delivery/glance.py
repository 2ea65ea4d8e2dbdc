"""What an outbox file holds, seen from outside: without taking part, changing it, or holding it all in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from payi_otel.delivery.folder import OutboxFolder, owner_pid
from payi_otel.delivery.outbox import Entry
from payi_otel.values import value


@value
class Glance:
    """An outbox file at one moment.

    pid: the process that made it. orphan: that process is gone. bytes: of the entries' payloads. oldest_s: since
    when the oldest entry waits, Unix seconds, None when empty. problem: why it cannot be read, then the rest is 0.
    """

    path: Path
    pid: int
    orphan: bool
    entries: int = 0
    bytes: int = 0
    oldest_s: float | None = None
    problem: str | None = None


def glance(folder: OutboxFolder) -> list[Glance]:
    """All outbox files of a folder, oldest first. Raises `OSError` where the folder cannot be used.

    >>> glance(OutboxFolder(Path("nowhere")))
    []
    """
    found: list[Glance] = []
    for path in folder.files():
        pid = owner_pid(path)
        orphan = folder.is_orphan(path)
        try:
            with closing(_open(path)) as database:
                row = database.execute(
                    "SELECT count(*), coalesce(sum(length(payload)), 0), min(since_s) FROM entries"
                ).fetchone()
            found.append(Glance(path, pid, orphan, *row))
        except sqlite3.Error as error:
            # Gone since: delivered, or adopted by another process.
            if path.exists():
                found.append(Glance(path, pid, orphan, problem=str(error)))
    return found


def left_behind(folder: OutboxFolder) -> int:
    """Entries that processes which are gone have left in a folder."""
    return sum(file.entries for file in glance(folder) if file.orphan)


def read_entries(path: Path) -> Iterator[Entry]:
    """The entries of an outbox file, oldest first. Raises `sqlite3.Error` where it cannot be read."""
    with closing(_open(path)) as database:
        for kind, entry_id, payload in database.execute("SELECT kind, id, payload FROM entries ORDER BY key"):
            yield Entry(kind, entry_id, payload)


def _open(path: Path) -> sqlite3.Connection:
    # Read-only also makes sure that a file which is gone by now is not made again, empty.
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0)
