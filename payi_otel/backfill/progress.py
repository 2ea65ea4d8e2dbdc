"""How far an import has come, in a small file of its own, so that a killed one goes on where it was."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from payi_otel.backfill.rows import Position
from payi_otel.backfill.totals import Totals

_SCHEMA_VERSION = 1


class ImportRunning(Exception):
    """Another process imports the same file to the same place."""


class Progress:
    """The progress of one import, and how often each content without an id has occurred.

    All that happens between two calls of `save` is kept by the second one or not at all: a process that is killed
    in between reads the same rows again and gives them the same ids. Memory stays flat, since the counts are on
    disk. `begun` says that an earlier process has made a start. Raises `ImportRunning`, and `OSError` or
    `sqlite3.Error` where the file cannot be used.

    >>> progress = Progress(folder / "import-1.db")  # doctest: +SKIP
    >>> progress.save(Position(4096, 12), Totals(events=11), rejected_bytes=0)  # doctest: +SKIP
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Created by hand: SQLite gives a new file, and the -wal beside it, the mode of the process's umask.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self.position = Position()
        self.totals = Totals()
        self.rejected_bytes = 0
        self.finished_at: float | None = None
        self.begun = False
        self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            self._open()
        except sqlite3.OperationalError as error:
            self._database.close()
            if "locked" in str(error):
                raise ImportRunning from None
            raise

    def _open(self) -> None:
        run = self._database.execute
        # Held until the end, so that no second process takes up the same file.
        run("PRAGMA locking_mode=EXCLUSIVE")
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=NORMAL")
        run("BEGIN EXCLUSIVE")
        if run("PRAGMA user_version").fetchone()[0] != _SCHEMA_VERSION:
            for (name,) in run("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                run(f'DROP TABLE "{name}"')
            run(
                "CREATE TABLE progress (offset INTEGER, line INTEGER, rejected_bytes INTEGER, totals TEXT, "
                "finished_at REAL)"
            )
            run("CREATE TABLE occurrence (content BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID")
            run(f"PRAGMA user_version={_SCHEMA_VERSION}")
        found = run("SELECT offset, line, rejected_bytes, totals, finished_at FROM progress").fetchone()
        if found is not None:
            self.position = Position(found[0], found[1])
            self.rejected_bytes = found[2]
            self.totals = Totals.from_json(found[3])
            self.finished_at = found[4]
            self.begun = True

    def occurrence(self, content: bytes) -> int:
        """Count one more event of this content; how many there are now."""
        run = self._database.execute
        # Not RETURNING: the oldest SQLite that Python 3.10 comes with has none.
        run(
            "INSERT INTO occurrence VALUES (?, 1) ON CONFLICT (content) DO UPDATE SET count = count + 1",
            (content,),
        )
        return run("SELECT count FROM occurrence WHERE content = ?", (content,)).fetchone()[0]

    def save(self, position: Position, totals: Totals, rejected_bytes: int) -> None:
        """Everything up to `position` is settled."""
        self.position, self.totals, self.rejected_bytes = position, totals, rejected_bytes
        self._write()

    def finish(self) -> None:
        """The whole file is settled; only the result is kept."""
        self.finished_at = time.time()
        self._database.execute("DELETE FROM occurrence")
        self._write()
        self._database.execute("COMMIT")
        self._database.execute("VACUUM")
        self._database.execute("BEGIN")

    def begin(self) -> None:
        """Forget everything there may be, to import the file from its start."""
        self._database.execute("DELETE FROM occurrence")
        self.finished_at = None
        self.save(Position(), Totals(), 0)

    def close(self) -> None:
        """Give the file back; what was not saved is forgotten."""
        self._database.close()

    def _write(self) -> None:
        run = self._database.execute
        run("DELETE FROM progress")
        run(
            "INSERT INTO progress VALUES (?, ?, ?, ?, ?)",
            (
                self.position.offset,
                self.position.line,
                self.rejected_bytes,
                self.totals.to_json(),
                self.finished_at,
            ),
        )
        run("COMMIT")
        run("BEGIN")
