"""Python's lock for a thread of ours, beside callers that hold it."""

from __future__ import annotations

import math
import time

# Our thread is awake some 50 us after the caller sleeps, and then has the lock.
_PAUSE_S = 0.0001
# How long it may be late, or be under way while a caller runs, which is when it writes or waits for the lock. With 1 ms
# callers stand aside more often than it costs them to be asked for the lock.
_PATIENCE_S = 0.02


class Turns:
    """When a thread of ours is due, and callers that let it have its turn.

    A caller that computes without end, but lets go of Python's lock for moments, keeps a thread from it for seconds:
    whenever the lock is free, the thread is woken, which costs the caller 25 us, and comes too late. So a caller
    that finds our thread late stands aside for one moment. Where callers wait for networks it never is.
    """

    def __init__(self) -> None:
        self._due_s = math.inf

    def idle(self) -> None:
        """The thread waits for work, as long as it takes."""
        self._due_s = math.inf

    def due(self, in_s: float = 0.0) -> None:
        """The thread is to run in so many seconds, or does now."""
        self._due_s = time.monotonic() + in_s + _PATIENCE_S

    def give(self) -> None:
        """Called by callers after each piece of work they leave to the thread."""
        now, due_s = time.monotonic(), self._due_s
        if now < due_s < math.inf:
            return
        # One caller is enough, and not again at once: the thread may be waiting for a slow disk.
        self.due()
        if due_s < math.inf:
            time.sleep(_PAUSE_S)
