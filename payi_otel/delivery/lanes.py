"""A lane's circuit breaker: when its endpoint may be tried again, how much at once, and who must wait apart."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from payi_otel.delivery.outbox import Lane
from payi_otel.delivery.retry import backoff_s, retry_after_s

LONGEST_ASIDE_S = 300.0
# Failures of a kind that may be one event's doing, before the batch is narrowed down to find it.
PATIENCE = 3


@dataclass(slots=True, eq=False, repr=False)
class _Aside:
    attempt: int
    due_s: float


@dataclass(slots=True, eq=False, repr=False)
class LaneState:
    """What one endpoint's answers have taught. Times are `time.monotonic()`.

    Closed (`open_until_s` in the past) everything goes; a failure opens the breaker for a delay that grows with
    each failure in a row; after it, one batch tries the endpoint. `limit` bounds the entries of a batch: it shrinks
    to find an event that the endpoint cannot take, and grows again with success. `bytes_limit` is what the
    endpoint was found to take. An id that keeps failing by itself stands aside, and the rest goes on without it.
    """

    name: Lane
    limit: int
    bytes_limit: int
    largest: int = 0
    failures: int = 0
    open_until_s: float = 0.0
    server_asked: bool = False
    oldest_s: float | None = None
    _aside: dict[str, _Aside] = field(default_factory=dict[str, _Aside])

    def __post_init__(self) -> None:
        self.largest = self.limit

    @property
    def aside(self) -> Collection[str]:
        """The ids that wait apart."""
        return self._aside.keys()

    @property
    def aside_due_s(self) -> float | None:
        """When the first id that waits apart is to be tried."""
        return min((aside.due_s for aside in self._aside.values()), default=None)

    def due_id(self, now: float) -> str | None:
        """An id that waited apart for long enough."""
        return next((entry_id for entry_id, aside in self._aside.items() if aside.due_s <= now), None)

    def set_aside(self, entry_id: str) -> None:
        """Let this id wait apart, longer each time."""
        aside = self._aside.setdefault(entry_id, _Aside(0, 0.0))
        aside.due_s = time.monotonic() + backoff_s(aside.attempt, random.random(), LONGEST_ASIDE_S)
        aside.attempt += 1

    def take_back(self, entry_id: str) -> None:
        """The id waits apart no longer."""
        self._aside.pop(entry_id, None)

    def hurry(self, *, last_chance: bool) -> None:
        """Try everything now; an endpoint that asked to wait only when it is the `last_chance`."""
        if last_chance or not self.server_asked:
            self.open_until_s = 0.0
        for aside in self._aside.values():
            aside.due_s = 0.0

    def succeeded(self) -> None:
        """The endpoint took a batch."""
        self.failures = 0
        self.server_asked = False
        self.limit = min(self.limit * 2, self.largest)

    def failed(self, headers: Mapping[str, str]) -> None:
        """The endpoint is in trouble: leave it alone for a while, or for as long as it asks."""
        asked = retry_after_s(headers, time.time())
        self.server_asked = asked is not None
        delay_s = asked if asked is not None else backoff_s(self.failures, random.random())
        self.failures += 1
        self.open_until_s = time.monotonic() + delay_s

    def narrow(self, count: int, size: int, *, by_bytes: bool) -> None:
        """Send less at once than this batch of `count` entries and `size` bytes."""
        if by_bytes:
            self.bytes_limit = max(1, size // 2)
        else:
            self.limit = max(1, count // 2)
