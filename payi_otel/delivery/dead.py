"""Dead letters: what Pay-i refused for good, kept with the reason until somebody looks, retries or exports it."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from payi_otel.delivery.outbox import Entry
from payi_otel.registry import registry
from payi_otel.values import value

if TYPE_CHECKING:
    import sqlite3

FILE_NAME = "dead.db"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dead (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    payload BLOB NOT NULL,
    reason TEXT NOT NULL,
    rejected_at REAL NOT NULL
)
"""


@value
class DeadLetter:
    """An entry that could not be delivered, why, and when that became clear (Unix seconds).

    Without what it says, which may hold prompts and be large: `DeadLetters.read` has that.
    """

    number: int
    kind: str
    id: str
    reason: str
    rejected_at: float


class DeadLetters:
    """The dead letters of one outbox folder, shared by all its processes.

    Every method opens the file for itself: dead letters are rare, and several processes may write. Raises
    `sqlite3.Error` or `OSError` where the file cannot be used.

    >>> letters = DeadLetters(folder)  # doctest: +SKIP
    >>> [letter.reason for letter in letters.list()]  # doctest: +SKIP
    ['HTTP 400 invalid_category']
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def add(self, entry: Entry, reason: str) -> None:
        """Keep an entry."""
        with self._open() as database:
            database.execute(
                "INSERT INTO dead (kind, id, payload, reason, rejected_at) VALUES (?, ?, ?, ?, ?)",
                (entry.kind, entry.id, entry.payload, reason, time.time()),
            )

    def list(self) -> Sequence[DeadLetter]:
        """All of them, oldest first."""
        if not self.path.exists():
            return []
        with self._open() as database:
            rows = database.execute(
                "SELECT number, kind, id, reason, rejected_at FROM dead ORDER BY number"
            ).fetchall()
        return [DeadLetter(*row) for row in rows]

    def read(self, letters: Sequence[DeadLetter]) -> Sequence[Entry]:
        """The entries of these, without those that are gone meanwhile; ask for as many as memory should hold."""
        with self._open() as database:
            find = "SELECT kind, id, payload FROM dead WHERE number = ?"
            rows = [database.execute(find, (letter.number,)).fetchone() for letter in letters]
        return [Entry(*row) for row in rows if row is not None]

    def count(self) -> int:
        """How many there are."""
        if not self.path.exists():
            return 0
        with self._open() as database:
            return database.execute("SELECT count(*) FROM dead").fetchone()[0]

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget these."""
        with self._open() as database:
            database.executemany("DELETE FROM dead WHERE number = ?", [(number,) for number in numbers])

    def remove_older(self, than_s: float) -> int:
        """Forget what was rejected before the Unix time `than_s`; how many that were."""
        if not self.path.exists():
            return 0
        with self._open() as database:
            return database.execute("DELETE FROM dead WHERE rejected_at < ?", (than_s,)).rowcount

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        with registry.loading:
            import sqlite3
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Created by hand: SQLite gives a new file, and the -wal beside it, the mode of the process's umask.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(self.path, timeout=5.0)) as database:
            database.execute(_SCHEMA)
            with database:
                yield database
