"""Who started work whose usage comes later: background responses and batches, read hours later or elsewhere."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payi_otel.faults import faults
from payi_otel.registry import registry
from payi_otel.tracking.context import TrackingContext

if TYPE_CHECKING:
    import sqlite3

_KEPT = 10_000
_KEPT_DAYS = 30


class Owners:
    """Remembers tracking contexts by the vendor's id, in memory and, with a folder, on disk.

    The vendor's own metadata would carry them as well, but use-case data must not reach vendors. Disk writes
    are meant for a background thread; a folder that cannot be written is reported once and then not used.
    A fork waits for the statement under way: SQLite forbids to carry an open connection over it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._contexts: OrderedDict[str, TrackingContext] = OrderedDict()
        self._billed: OrderedDict[str, None] = OrderedDict()
        self._path = folder / "owners.db" if folder is not None else None
        self._at_work = threading.RLock()
        if self._path is not None and hasattr(os, "register_at_fork"):
            # Hooks cannot be taken back; they must not keep this object alive.
            reference: weakref.ref[Owners] = weakref.ref(self)
            os.register_at_fork(
                before=lambda: _of(reference, Owners._before_fork),
                after_in_parent=lambda: _of(reference, Owners._after_fork_in_parent),
                after_in_child=lambda: _of(reference, Owners._after_fork_in_child),
            )

    def remember(self, key: str, context: TrackingContext) -> None:
        """Note that `context` started the work `key` ("response:resp_…", "batch:batch_…")."""
        self._contexts[key] = context
        if len(self._contexts) > _KEPT:
            self._contexts.popitem(last=False)

    def save(self, key: str) -> None:
        """Write a remembered context to disk; call it off the caller's thread."""
        context = self._contexts.get(key)
        if self._path is None or context is None:
            return
        values = {field.name: getattr(context, field.name) for field in fields(context) if field.init}
        with faults.guard("capture.owners"), self._open() as database:
            database.execute(
                "INSERT OR REPLACE INTO owners VALUES (?, ?, unixepoch())",
                (key, json.dumps({name: _plain(value) for name, value in values.items()})),
            )
            database.execute("DELETE FROM owners WHERE at < unixepoch() - ?", (_KEPT_DAYS * 86_400,))

    def find(self, key: str) -> TrackingContext | None:
        """Whose work `key` is, None when this machine has never seen it."""
        context = self._contexts.get(key)
        if context is not None or self._path is None or not self._path.exists():
            return context
        with faults.guard("capture.owners"), self._open() as database:
            row = database.execute("SELECT context FROM owners WHERE id = ?", (key,)).fetchone()
            if row is not None:
                stored: dict[str, Any] = json.loads(row[0])
                stored["limit_ids"] = tuple(stored["limit_ids"])
                context = TrackingContext(**stored)
                self.remember(key, context)
        return context

    def first_time(self, event_id: str) -> bool:
        """True once per id: late usage is read as often as the application polls, and billed once."""
        if event_id in self._billed:
            return False
        self._billed[event_id] = None
        if len(self._billed) > _KEPT:
            self._billed.popitem(last=False)
        return True

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        assert self._path is not None
        # Autocommit: a connection lives for one statement or two.
        with self._at_work:
            with registry.loading:
                import sqlite3
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=2.0, isolation_level=None)) as database:
                self._path.chmod(0o600)
                database.execute("PRAGMA journal_mode=WAL")
                database.execute(
                    "CREATE TABLE IF NOT EXISTS owners (id TEXT PRIMARY KEY, context TEXT, at INTEGER)"
                )
                yield database

    def _before_fork(self) -> None:
        self._at_work.acquire()

    def _after_fork_in_parent(self) -> None:
        self._at_work.release()

    def _after_fork_in_child(self) -> None:
        self._at_work = threading.RLock()


def _of(reference: weakref.ref[Owners], step: Callable[[Owners], None]) -> None:
    owners = reference()
    if owners is not None:
        step(owners)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return dict(value) if hasattr(value, "keys") else value
