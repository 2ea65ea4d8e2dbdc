"""The outbox folder: one file per process, and whose process is still alive."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FILE = r"outbox-(\d+)-[0-9a-f]{16}\.db"
_ATTEMPTS = 10
_SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")


class NoFileLocks(OSError):
    """This system has no `flock`, so that no one could tell a living process's file from an orphan."""


@dataclass(slots=True, eq=False, repr=False)
class ClaimedFile:
    """An outbox file that belongs to this process for as long as it holds the lock."""

    path: Path
    _lock_fd: int | None

    def release(self) -> None:
        """Leave the file to whoever adopts it."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def forget_after_fork(self) -> None:
        """In a forked child: it is the parent's. Closing our copy of the lock leaves the parent's in force."""
        self.release()

    def remove(self) -> None:
        """Delete the file and everything beside it. The lock goes last: until then nobody else takes it up."""
        for suffix in _SQLITE_SUFFIXES:
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        _lock_path(self.path).unlink(missing_ok=True)
        self.release()


class OutboxFolder:
    """The outbox files of one application on this machine; readable by their owner only.

    A process holds the lock beside its file while it lives. The lock goes with the process however that ends, so
    a file whose lock is free is an orphan. Methods raise `OSError` where the folder cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def claim_new(self) -> ClaimedFile:
        """A file of this process's own; the file itself is not made yet."""
        for attempt in range(_ATTEMPTS):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.path / f"outbox-{os.getpid()}-{secrets.token_hex(8)}.db"
            try:
                fd = _lock(_lock_path(path))
            except FileNotFoundError:
                # Another process has just removed the empty folder.
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            if fd is not None:
                return ClaimedFile(path, fd)
        raise FileExistsError(f"no free file name in {self.path}")

    def remove_if_empty(self) -> None:
        """Remove the folder unless somebody's file is in it."""
        try:
            self.path.rmdir()
        except OSError:
            return

    def orphans(self) -> Iterator[ClaimedFile]:
        """The files of processes that are gone, each claimed for this process."""
        for path in self.files():
            lock_path = _lock_path(path)
            fd = _lock(lock_path)
            if fd is None:
                continue
            claimed = ClaimedFile(path, fd)
            # Its last owner may have removed both between our look and our lock.
            if path.exists() and _is_same(lock_path, fd):
                yield claimed
            else:
                claimed.remove()

    def files(self) -> list[Path]:
        """All outbox files, oldest first."""
        try:
            found = [path for path in self.path.iterdir() if re.fullmatch(_FILE, path.name)]
        except FileNotFoundError:
            return []
        return sorted(found, key=_modified_s)

    def is_orphan(self, path: Path) -> bool:
        """Whether no living process owns the file."""
        fd = _lock(_lock_path(path))
        if fd is not None:
            os.close(fd)
        return fd is not None


def owner_pid(path: Path) -> int:
    """The process that made the file, from its name."""
    match = re.fullmatch(_FILE, path.name)
    if match is None:
        raise ValueError(f"path={str(path)!r}: not the name of an outbox file")
    return int(match[1])


def destination_folder(state: Path, base_url: str, api_key: str | None, program: str) -> Path:
    """Where an application's outbox is kept unless a folder is set.

    One folder per destination, so that nothing is ever delivered under another application's key. The name is a
    digest that tells neither address nor key. Without a key the program stands in for it.
    """
    owner = f"key:{api_key}" if api_key else f"program:{program}"
    digest = hashlib.sha256(f"payi-otel outbox\0{base_url}\0{owner}".encode()).hexdigest()
    return state / f"outbox-{digest[:16]}"


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _modified_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _is_same(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _lock(path: Path) -> int | None:
    """A descriptor that holds the lock, None when somebody else does."""
    try:
        import fcntl
    except ImportError:
        raise NoFileLocks("file locks are not available on this system") from None
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        os.close(fd)
        raise
    return fd
