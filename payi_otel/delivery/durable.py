"""The durable outbox: this process's file, what dead processes left, and memory where the disk fails."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from payi_otel.delivery.dead import DeadLetters
from payi_otel.delivery.folder import ClaimedFile, OutboxFolder
from payi_otel.delivery.outbox import Lane, MemoryOutbox, Stored
from payi_otel.faults import faults
from payi_otel.registry import registry

if TYPE_CHECKING:
    from payi_otel.delivery.disk import DiskFile

logger = logging.getLogger("payi_otel.delivery")

_CHUNK = 500
# Adoption stops here until some of it is delivered: the file of a long outage is not copied in one go.
_ADOPT_UP_TO = 5_000
_RETRY_DISK_S = 30.0
TOO_OLD = "not delivered in time"


class DurableOutbox:
    """An `Outbox` in a file of this process, in a folder it shares with the other processes of the application.

    The file is made with the first entry. While the disk refuses (full, read-only), entries are kept in memory,
    up to `spill_max_bytes`, and the application's log says so once.

    Args:
        folder: the application's outbox folder.
        also_from: further folders whose orphans are adopted.
        max_bytes: bound of the payloads on disk; at the bound the newest are refused.
        spill_max_bytes: bound of the payloads in memory while the disk fails.
        remove_folder: remove the folder when nothing is in it any more.
    """

    def __init__(
        self,
        folder: Path,
        *,
        also_from: Sequence[Path] = (),
        max_bytes: int,
        spill_max_bytes: int,
        remove_folder: bool = False,
    ) -> None:
        self.folder = OutboxFolder(folder)
        self.dead = DeadLetters(folder)
        self._adopted_from = (self.folder, *(OutboxFolder(path) for path in also_from))
        self._max_bytes = max_bytes
        self._remove_folder = remove_folder
        self._spill = MemoryOutbox(spill_max_bytes)
        self._file: DiskFile | None = None
        self._no_file_until_s = 0.0
        self._said_failing = False
        self._file_at_fork: DiskFile | None = None
        self._renew_locks()

    def _renew_locks(self) -> None:
        # Taken in this order, and all of them for a fork: SQLite must not be at work while the process is copied,
        # nor may a child inherit the lock of a file that is being adopted.
        self._tidying = threading.RLock()
        self._changing_file = threading.RLock()

    # Outbox

    @property
    def memory_bytes(self) -> int:
        return self._spill.memory_bytes

    @property
    def room_bytes(self) -> int:
        file = self._file
        return max(0, self._max_bytes - (file.size()[1] if file is not None else 0))

    def append(self, items: Sequence[Stored], *, spill: bool = True) -> Sequence[int]:
        file = self._own() if items else None
        if file is None:
            return self._kept_in_memory(items, spill)
        room = self._max_bytes - file.size()[1]
        fitting: list[Stored] = []
        for item in items:
            size = item.entry.size
            if size <= room:
                fitting.append(item)
                room -= size
        try:
            if fitting:
                file.append(fitting)
        except _disk().FileRetired:
            with self._changing_file:
                # Whoever retired it has put it out of the way now.
                pass
            return self.append(items, spill=spill)
        except _disk().ERRORS as error:
            self._fail(error)
            return self._kept_in_memory(items, spill)
        self._said_failing = False
        if len(fitting) == len(items):
            return []
        stored = {item.key for item in fitting}
        return [item.key for item in items if item.key not in stored]

    def _kept_in_memory(self, items: Sequence[Stored], spill: bool) -> Sequence[int]:
        return self._spill.append(items) if spill else [item.key for item in items]

    def peek(self, lane: Lane, max_items: int, max_bytes: int, skip: Collection[str]) -> Sequence[Stored]:
        batch: Sequence[Stored] = ()
        if self._file is not None and self._file.count(lane):
            with self._watching():
                batch = self._file.peek(lane, max_items, max_bytes, skip)
        return batch or self._spill.peek(lane, max_items, max_bytes, skip)

    def find(self, entry_id: str) -> Stored | None:
        found = None
        if self._file is not None:
            with self._watching():
                found = self._file.find(entry_id)
        return found or self._spill.find(entry_id)

    def ack(self, keys: Sequence[int]) -> None:
        # Nearly always empty, and slower to look through for many keys than to ask.
        if self._spill.size()[0]:
            self._spill.ack(keys)
        if self._file is not None:
            with self._watching():
                self._file.remove(keys)

    def reject(self, stored: Stored, reason: str) -> None:
        with faults.guard("outbox.dead_letter"), self._tidying:
            self.dead.add(stored.entry, reason)
        self.ack([stored.key])

    def first_key(self) -> int | None:
        file = self._file
        keys = [self._spill.first_key(), file.first_key() if file is not None and file.size()[0] else None]
        return min((key for key in keys if key is not None), default=None)

    def count(self, lane: Lane) -> int:
        file = self._file
        return self._spill.count(lane) + (file.count(lane) if file is not None else 0)

    def size(self) -> tuple[int, int]:
        file = self._file
        count, size = self._spill.size()
        on_disk = file.size() if file is not None else (0, 0)
        return count + on_disk[0], size + on_disk[1]

    def checkpoint(self) -> None:
        if self._file is not None:
            self._file.checkpoint()

    def before_fork(self) -> None:
        self._tidying.acquire()
        self._changing_file.acquire()
        self._spill.before_fork()
        self._file_at_fork = self._file
        if self._file_at_fork is not None:
            self._file_at_fork.before_fork()

    def after_fork_in_parent(self) -> None:
        if self._file_at_fork is not None:
            self._file_at_fork.after_fork_in_parent()
        self._spill.after_fork_in_parent()
        self._changing_file.release()
        self._tidying.release()

    def after_fork_in_child(self) -> None:
        self._renew_locks()
        self._spill.after_fork_in_child()
        file, self._file = self._file, None
        if file is not None:
            file.claimed.forget_after_fork()

    def release(self) -> None:
        with self._tidying, self._changing_file:
            file = self._file
            if file is not None and file.retire(only_if_empty=True):
                self._file = None
                file.claimed.remove()
                if self._remove_folder:
                    self.folder.remove_if_empty()

    # What dead processes left, and what is too old

    def adopt(self, take: Callable[[Sequence[Stored]], Collection[int]]) -> bool:
        # A crash in between leaves a few entries in both files: their ids make the second delivery harmless.
        with self._tidying:
            for claimed in (claimed for folder in self._adopted_from for claimed in folder.orphans()):
                try:
                    if not self._adopt_file(claimed, take):
                        return True
                except _disk().ERRORS as error:
                    faults.report("outbox.adopt", error)
                finally:
                    claimed.release()
        return False

    def _adopt_file(self, claimed: ClaimedFile, take: Callable[[Sequence[Stored]], Collection[int]]) -> bool:
        disk, orphan = _disk(), None
        try:
            orphan = disk.DiskFile(claimed)
            while batch := orphan.oldest(_CHUNK):
                if self.size()[0] >= _ADOPT_UP_TO:
                    return False
                refused = take(batch)
                orphan.remove([stored.key for stored in batch if stored.key not in refused])
                if refused:
                    return False
        except Exception as error:
            if not disk.is_damage(error) and not isinstance(error, ValueError):
                raise
            take(_set_aside(claimed.path))
        finally:
            if orphan is not None:
                orphan.close()
        claimed.remove()
        return True

    def expire(self, older_than_s: float) -> Sequence[Stored]:
        if self._file is None or not self._file.size()[0]:
            return ()
        with self._watching():
            expired = self._file.oldest(_CHUNK, since_before_s=time.time() - older_than_s)
        for stored in expired:
            self.reject(stored, TOO_OLD)
        return expired

    # The file

    def _own(self) -> DiskFile | None:
        if self._file is not None:
            return self._file
        with self._changing_file:
            if self._file is None and time.monotonic() >= self._no_file_until_s:
                claimed = None
                try:
                    claimed = self.folder.claim_new()
                    self._file = _disk().DiskFile(claimed)
                except _disk().ERRORS as error:
                    if claimed is not None:
                        claimed.release()
                    self._no_file_until_s = time.monotonic() + _RETRY_DISK_S
                    self._fail(error)
            return self._file

    @contextmanager
    def _watching(self) -> Generator[None]:
        try:
            yield
        except (*_disk().ERRORS, ValueError) as error:
            self._fail(error)
            raise

    def _fail(self, error: Exception) -> None:
        """Say it once; if the file itself is broken, save what can be read and begin another."""
        if not self._said_failing:
            self._said_failing = True
            logger.warning(
                "payi_otel: the outbox in %s cannot be used (%s); events are kept in memory meanwhile",
                self.folder.path,
                type(error).__name__,
            )
        with self._changing_file:
            self._replace_damaged(error)

    def _replace_damaged(self, error: Exception) -> None:
        file = self._file
        if file is not None and (_disk().is_damage(error) or isinstance(error, ValueError)):
            self._file = None
            file.retire(only_if_empty=False)
            saved = _set_aside(file.claimed.path)
            file.claimed.remove()
            # Under the keys they had: flushes and scores wait for those.
            self.append(saved)


def _disk():
    """What needs SQLite, which nobody waits for before the first event."""
    with registry.loading:
        from payi_otel.delivery import disk
    return disk


def _set_aside(path: Path) -> list[Stored]:
    """Keep a corrupt file under another name for whoever wants to look, and return what could be read of it."""
    saved = _disk().salvage(path)
    kept = path.with_name(path.name + ".corrupt")
    for suffix in ("", "-wal"):
        part = Path(f"{path}{suffix}")
        if part.exists():
            os.replace(part, f"{kept}{suffix}")
    logger.warning(
        "payi_otel: the outbox file %s is corrupt; kept as %s, %d entries saved", path, kept, len(saved)
    )
    return saved
