"""Bytes that may be held at once."""

from __future__ import annotations

import threading


class Budget:
    """A number of bytes, taken and given back by any thread.

    >>> budget = Budget(10)
    >>> budget.take(8), budget.take(8)
    (True, False)
    """

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Take `count` bytes; False, and nothing taken, when fewer are left."""
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
            return True

    def give_back(self, count: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._left += count
