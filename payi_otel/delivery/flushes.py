"""Flushes in progress: who waits for what to be delivered, until when, and the truth they are told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.outbox import Outbox

# Less would only break requests that are about to be answered.
SHORTEST_TIMEOUT_S = 0.1


@dataclass(slots=True, eq=False, repr=False)
class Flush:
    """A wish to have everything delivered by `deadline_s` (monotonic). `final`: the thread stops after it.

    `taken`: it has reached the sender. `ok` is valid once `done` is set. `seen_work` counts the deferred work
    already done when the flush was looked at last: such work submits further events, which belong to the flush.
    `mark` is the last key that does.
    """

    deadline_s: float
    final: bool = False
    taken: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    ok: bool = False
    abandoned: bool = False
    seen_work: int = -1
    mark: int = 0


class Flushes:
    """The flushes of one pump."""

    def __init__(self, outbox: Outbox, ledger: Ledger) -> None:
        self._outbox = outbox
        self._ledger = ledger
        self._open: list[Flush] = []
        self._told_losses = 0

    @property
    def waiting(self) -> bool:
        """Whether somebody waits."""
        return bool(self._open)

    def add(self, flush: Flush) -> None:
        """Everything up to `flush.mark` belongs to it."""
        self._open.append(flush)

    def wait_s(self, now: float) -> float | None:
        """Seconds until the first flush is over in any case; None without one."""
        return max(0.0, min(flush.deadline_s for flush in self._open) - now) if self._open else None

    def bounded(self, timeout_s: float, now: float) -> float:
        """A request's timeout that does not outlast a final flush."""
        ends = [flush.deadline_s - now for flush in self._open if flush.final]
        return min([timeout_s, *(max(SHORTEST_TIMEOUT_S, end) for end in ends)])

    def settle(self, now: float, *, hopeless: bool) -> None:
        """Tell the flushes that are over. `hopeless`: nothing can be delivered until somebody steps in.

        A loss is told to the first flush after it: later ones may succeed again.
        """
        if not self._open:
            return
        first = self._outbox.first_key()
        losses = self._ledger.losses
        still_open: list[Flush] = []
        told = False
        for flush in self._open:
            delivered = first is None or first > flush.mark
            if not (delivered or hopeless or now >= flush.deadline_s or flush.abandoned):
                still_open.append(flush)
                continue
            flush.ok = delivered and losses == self._told_losses
            told = told or (delivered and not flush.abandoned)
            flush.done.set()
        if told:
            self._told_losses = losses
        self._open = still_open
