"""The ledger: what became of every event and score of this process."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import field

from payi_otel.faults import faults
from payi_otel.values import value

_MANY_CHANGES = 64


class Tally:
    """Named counts that any thread, and any finalizer, may change without ever waiting.

    Changes go onto a deque, whose append is atomic; whoever reads, or finds many of them, adds them up if he gets the
    lock without waiting. A plain `+=` would lose changes between threads, and a lock could deadlock a finalizer that
    interrupts its holder.
    """

    def __init__(self) -> None:
        self._changes: deque[tuple[str, int]] = deque()
        self._totals: Counter[str] = Counter()
        self._folding = threading.Lock()

    def add(self, name: str, amount: int = 1) -> None:
        """Change the count of `name` by `amount`."""
        changes = self._changes
        changes.append((name, amount))
        if len(changes) > _MANY_CHANGES:
            self._fold()

    def changed(self, name: str, amount: int) -> int:
        """Change the count of `name` by `amount`; what it is then."""
        self._changes.append((name, amount))
        self._fold()
        return self._totals[name]

    def _fold(self) -> None:
        # The outer loop catches what another thread appended between our last look and the release.
        while self._changes and self._folding.acquire(blocking=False):
            try:
                while self._changes:
                    name, amount = self._changes.popleft()
                    self._totals[name] += amount
            finally:
                self._folding.release()

    def __getitem__(self, name: str) -> int:
        self._fold()
        return self._totals[name]


@value
class Status:
    """The ledger at one moment. Counts are of events unless named otherwise, since the start of the process.

    `seen` billed calls; `delivered` accepted by Pay-i; `queued` waiting; `rejected` refused by Pay-i for good,
    last one in `last_rejection`; `dropped` lost before they were sent, why in `last_drop`; `duplicates` submitted
    more than once and sent once; `recovered` found in the outbox of a process that is gone (so that seen +
    recovered = delivered + queued + rejected + dropped + duplicates); `estimated` with units we counted ourselves;
    `unpriced` without a price at Pay-i; `scores_*` the same for KPI scores and definitions; `failures` our own, by
    place.
    """

    seen: int = 0
    delivered: int = 0
    queued: int = 0
    estimated: int = 0
    unpriced: int = 0
    rejected: int = 0
    last_rejection: str | None = None
    dropped: int = 0
    last_drop: str | None = None
    duplicates: int = 0
    recovered: int = 0
    scores_delivered: int = 0
    scores_queued: int = 0
    scores_rejected: int = 0
    scores_dropped: int = 0
    scores_recovered: int = 0
    failures: Mapping[str, int] = field(default_factory=dict[str, int])


_COUNTS = (
    "seen",
    "delivered",
    "queued",
    "estimated",
    "unpriced",
    "rejected",
    "dropped",
    "duplicates",
    "recovered",
    "scores_delivered",
    "scores_queued",
    "scores_rejected",
    "scores_dropped",
    "scores_recovered",
)


class Ledger:
    """Counts every event's fate. All methods are safe in any thread and in finalizers.

    >>> ledger = Ledger()
    >>> ledger.saw()
    >>> ledger.snapshot().seen
    1
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from zero, as a forked child must: its parent keeps counting what the parent did."""
        self._tally = Tally()
        self._last_rejection: str | None = None
        self._last_drop: str | None = None

    def saw_all(self, *, count: int, estimated: int) -> None:
        """So many billed calls were seen, so many of them estimated."""
        self._tally.add("seen", count)
        if estimated:
            self._tally.add("estimated", estimated)

    def saw(self, *, estimated: bool = False, unpriced: bool = False) -> None:
        """A billed call was seen."""
        self._tally.add("seen")
        if estimated or unpriced:
            self.judged(estimated=estimated, unpriced=unpriced)

    def judged(self, *, estimated: bool, unpriced: bool) -> None:
        """It is known how well a call that was seen is billed."""
        if estimated:
            self._tally.add("estimated")
        if unpriced:
            self._tally.add("unpriced")

    def queued(self, *, score: bool, count: int = 1) -> None:
        """An event, or a score, was submitted."""
        self._tally.add(_of("queued", score), count)

    def recovered(self, *, score: bool) -> None:
        """It was found in the outbox of a process that is gone."""
        self._tally.add(_of("queued", score))
        self._tally.add(_of("recovered", score))

    def withdrawn(self, *, score: bool) -> None:
        """It was not taken after all, and whoever submitted it knows."""
        self._tally.add(_of("queued", score), -1)

    def delivered(self, *, score: bool, count: int = 1) -> None:
        """Pay-i has accepted it."""
        self._settle("delivered", score, count)

    def rejected(self, reason: str, *, score: bool) -> None:
        """Pay-i refused it for good. `reason` names it, never its content."""
        self._last_rejection = reason
        self._settle("rejected", score)

    def dropped(self, reason: str, *, score: bool) -> None:
        """It is lost before it could be sent."""
        self._last_drop = reason
        self._settle("dropped", score)

    def duplicate(self) -> None:
        """An event was submitted again with the same content."""
        self._settle("duplicates", False)

    def _settle(self, state: str, score: bool, count: int = 1) -> None:
        self._tally.add(_of("queued", score), -count)
        self._tally.add(_of(state, score), count)

    @property
    def waiting(self) -> int:
        """How many events and scores are not settled yet."""
        return self._tally["queued"] + self._tally["scores_queued"]

    @property
    def drops(self) -> int:
        """How many events and scores were lost before they could be sent."""
        return self._tally["dropped"] + self._tally["scores_dropped"]

    @property
    def last_drop(self) -> str | None:
        """Why the last of them was lost."""
        return self._last_drop

    @property
    def losses(self) -> int:
        """How many events and scores will never reach Pay-i."""
        return self.drops + self._tally["rejected"] + self._tally["scores_rejected"]

    def counts(self) -> dict[str, int]:
        """Every count by name, and `failures` in total."""
        return {name: self._tally[name] for name in _COUNTS} | {"failures": sum(faults.counts().values())}

    def snapshot(self) -> Status:
        """The ledger as it stands."""
        return Status(
            **{name: self._tally[name] for name in _COUNTS},
            last_rejection=self._last_rejection,
            last_drop=self._last_drop,
            failures=faults.counts(),
        )


def _of(state: str, score: bool) -> str:
    return f"scores_{state}" if score else state
