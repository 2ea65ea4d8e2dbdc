"""An outbox file: entries in SQLite, written by one process."""

from __future__ import annotations

import math
import os
import sqlite3
import threading
from collections.abc import Collection, Sequence
from contextlib import closing
from operator import attrgetter
from pathlib import Path

from payi_otel.delivery.folder import ClaimedFile
from payi_otel.delivery.outbox import Lane, Stored, fill_batch
from payi_otel.delivery.statements import (
    COLUMNS,
    LANES,
    SCHEMA,
    SIZE,
    conditions,
    insertions,
    listed,
    stored,
    with_payloads,
)

# Pages given back to the file system each time the file is empty: a long outage must not fill the disk for ever, and
# nobody should wait while it is cleared away.
_VACUUM_PAGES = 250
_CACHE_KB = 200
_CHECKPOINT_ABOVE_BYTES = 4 * 1024 * 1024

ERRORS = (sqlite3.Error, OSError)
"""What a file that cannot be used raises."""


class FileRetired(RuntimeError):
    """The file was given up a moment ago; another one has taken its place, or will."""


class DiskFile:
    """One open outbox file. All methods are safe in any thread; they raise `sqlite3.Error` or `OSError`.

    WAL mode with `synchronous=NORMAL`: what was appended survives the death of the process at once, and the
    death of the machine after the next checkpoint.
    """

    def __init__(self, claimed: ClaimedFile) -> None:
        self.claimed = claimed
        self._lock = threading.RLock()
        self._checkpointing = threading.Lock()
        self._is_retired = False
        self._connection: sqlite3.Connection | None = None
        self._count: dict[Lane, int] = {"events": 0, "scores": 0}
        self._bytes = 0
        try:
            for lane, condition in LANES.items():
                count, size = (
                    self._open()
                    .execute(f"SELECT count(*), coalesce(sum({SIZE}), 0) FROM entries WHERE {condition}")
                    .fetchone()
                )
                self._count[lane] = count
                self._bytes += size
        except BaseException:
            self.close()
            raise

    def append(self, items: Sequence[Stored]) -> None:
        """Store entries, all or none; on return they survive the death of this process."""
        rows = [
            (item.key, item.entry.kind, item.entry.id, item.entry.payload, item.since_s) for item in items
        ]
        statements = [*insertions(rows)]
        # Counted before anybody else may look: a file that seems to be empty is given up.
        with self._lock:
            self._execute(statements)
            scores = sum(item.entry.kind != "event" for item in items)
            self._count["scores"] += scores
            self._count["events"] += len(items) - scores
            self._bytes += sum(item.entry.size for item in items)

    def peek(self, lane: Lane, max_items: int, max_bytes: int, skip: Collection[str]) -> Sequence[Stored]:
        """As `Outbox.peek`."""
        with self._lock:
            database = self._open()
            waiting = listed(database, max_items, lane=lane, skip=skip)
            return with_payloads(
                database, fill_batch(waiting, lane, max_items, max_bytes, attrgetter("payload_bytes"))
            )

    def find(self, entry_id: str) -> Stored | None:
        """As `Outbox.find`."""
        with self._lock:
            row = (
                self._open()
                .execute(f"SELECT {COLUMNS} FROM entries WHERE id = ? ORDER BY key LIMIT 1", (entry_id,))
                .fetchone()
            )
        return None if row is None else stored(row)

    def oldest(self, max_items: int, *, since_before_s: float = math.inf) -> Sequence[Stored]:
        """The oldest entries of both lanes, or of those that wait since before this Unix time."""
        with self._lock:
            database = self._open()
            return with_payloads(database, listed(database, max_items, since_before_s=since_before_s))

    def remove(self, keys: Sequence[int]) -> None:
        """Remove entries; unknown keys are ignored."""
        removed: list[tuple[bool, int, int]] = []
        these = [*conditions(keys)]
        with self._lock:
            for condition, some in these:
                removed += self._open().execute(
                    f"SELECT kind = 'event', count(*), sum({SIZE}) FROM entries {condition} GROUP BY 1", some
                )
            self._execute([(f"DELETE FROM entries {condition}", some) for condition, some in these])
            for is_event, count, size in removed:
                self._count["events" if is_event else "scores"] -= count
                self._bytes -= size
        if not any(self._count.values()):
            self._give_back()

    def first_key(self) -> int | None:
        """The key of the oldest entry."""
        with self._lock:
            return self._open().execute("SELECT min(key) FROM entries").fetchone()[0]

    def count(self, lane: Lane) -> int:
        """Entries of a lane."""
        return self._count[lane]

    def size(self) -> tuple[int, int]:
        """Entries and bytes."""
        return sum(self._count.values()), self._bytes

    def checkpoint(self) -> None:
        """Carry over into the file itself what its log holds, if that is much; others may write meanwhile."""
        try:
            if os.stat(f"{self.claimed.path}-wal").st_size < _CHECKPOINT_ABOVE_BYTES:
                return
        except FileNotFoundError:
            return
        with self._checkpointing, closing(sqlite3.connect(self.claimed.path, timeout=0)) as database:
            database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def retire(self, *, only_if_empty: bool) -> bool:
        """Use the file no more: every later use raises `FileRetired`. False when it is to be empty and is not."""
        with self._lock:
            if only_if_empty and self.size()[0]:
                return False
            self.close()
            self._is_retired = True
            return True

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def before_fork(self) -> None:
        """SQLite forbids to carry a connection over a fork: there is none while the process is copied."""
        self._checkpointing.acquire()
        self._lock.acquire()
        self.close()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()
        self._checkpointing.release()

    def _open(self) -> sqlite3.Connection:
        if self._is_retired:
            raise FileRetired(f"{self.claimed.path} is in use no more")
        if self._connection is None:
            self._connection = open_file(self.claimed.path)
        return self._connection

    def _execute(self, statements: Sequence[tuple[str, Sequence[object]]]) -> None:
        """Run statements, all or none; a single one is that by itself."""
        database = self._open()
        if len(statements) == 1:
            database.execute(*statements[0])
            return
        database.execute("BEGIN")
        with database:
            for statement, values in statements:
                database.execute(statement, values)

    def _give_back(self) -> None:
        with self._lock:
            database = self._open()
            if database.execute("PRAGMA freelist_count").fetchone()[0] > _VACUUM_PAGES:
                database.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()


def open_file(path: Path) -> sqlite3.Connection:
    """Open an outbox file, made with its owner's rights only where it is not there yet."""
    # Created by hand: SQLite gives a new file, and the -wal beside it, the mode of the process's umask.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    # Used by several threads, one at a time: `DiskFile` holds its lock meanwhile.
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        # A file without entries has nothing to lose: making it need not wait for the disk.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
        connection.execute("PRAGMA synchronous = NORMAL")
        # `checkpoint` does that, on a thread that nobody waits for: it does wait for the disk.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        # It goes by the size of the log, which otherwise never shrinks: once large, it would be carried over each time.
        connection.execute(f"PRAGMA journal_size_limit = {_CHECKPOINT_ABOVE_BYTES // 2}").fetchall()
        # SQLite would keep 2 MB of what is read once, and then gone.
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    except BaseException:
        connection.close()
        raise
    return connection


def salvage(path: Path) -> list[Stored]:
    """What can still be read of a corrupt outbox file: from the front, and from the back, up to the damage."""
    found: dict[int, Stored] = {}
    for order in ("ASC", "DESC"):
        try:
            with closing(sqlite3.connect(path, timeout=5.0)) as database:
                for row in database.execute(f"SELECT {COLUMNS} FROM entries ORDER BY key {order}"):
                    found[row[0]] = stored(row)
        except (sqlite3.Error, ValueError):
            continue
    return [found[key] for key in sorted(found)]


def is_damage(error: Exception) -> bool:
    """Whether SQLite says that the file itself is broken, and not that it is full, locked or read-only."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, (sqlite3.OperationalError, sqlite3.IntegrityError, sqlite3.ProgrammingError)
    )
