"""Our own failures: caught where they happen, logged once per kind, counted, never shown to the application."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from types import TracebackType

logger = logging.getLogger("payi_otel")


class FaultLog:
    """Counts failures by kind; the first of each kind is logged with its exception type, never with its data."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self.renew_lock()

    def renew_lock(self) -> None:
        """A new lock, in a forked child. Re-entrant: a finalizer that interrupts a report may report as well."""
        self._lock = threading.RLock()

    def report(self, kind: str, error: BaseException) -> None:
        """Count a failure of ours. `kind` names the place ("capture.stream"), never user data."""
        with self._lock:
            self._counts[kind] += 1
            first = self._counts[kind] == 1
        if first:
            # The message of a foreign exception may quote prompts or keys: its type and place are enough here,
            # and DEBUG shows the rest to who asked for it.
            logger.warning(
                "payi_otel: %s failed (%s); the application is unaffected, later ones are only counted",
                kind,
                type(error).__name__,
            )
            logger.debug("payi_otel: %s", kind, exc_info=error)

    def guard(self, kind: str) -> _Guard:
        """Swallow and report any `Exception` of the block, so that our code cannot fail the caller's.

        What every call runs has a `try` of its own around it instead, which costs nothing while it does not fail.
        """
        return _Guard(self, kind)

    def counts(self) -> dict[str, int]:
        """Failures so far by kind."""
        with self._lock:
            return dict(self._counts)


class _Guard:
    """A class, because a generator as context manager costs three times as much."""

    __slots__ = ("_kind", "_log")

    def __init__(self, log: FaultLog, kind: str) -> None:
        self._log = log
        self._kind = kind

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._log.report(self._kind, error)
        return True


faults = FaultLog()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=faults.renew_lock)
