"""How many requests a key may send: a bucket that fills again with time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_MOST_KEYS = 10_000


class RateLimiter:
    """Lets `per_second` requests of each key pass, and `burst` at once, or as many; 0 lets all pass.

    Safe from any thread.

    >>> limiter = RateLimiter(2, clock=lambda: 0.0)
    >>> [limiter.wait_s("key") for _ in range(3)]
    [0.0, 0.0, 0.5]
    """

    def __init__(
        self, per_second: float, clock: Callable[[], float] = time.monotonic, burst: float | None = None
    ) -> None:
        self._per_second = per_second
        self._size = max(1.0, per_second if burst is None else burst)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, key: str) -> float:
        """0 if the request may pass, else after how many seconds one may."""
        if self._per_second <= 0:
            return 0.0
        now = self._clock()
        with self._lock:
            if key not in self._buckets and len(self._buckets) >= _MOST_KEYS:
                self._forget_full(now)
            left, since = self._buckets.get(key, (self._size, now))
            left = min(self._size, left + (now - since) * self._per_second)
            passes = left >= 1
            self._buckets[key] = (left - 1 if passes else left, now)
        return 0.0 if passes else (1 - left) / self._per_second

    def give_back(self, key: str) -> None:
        """Let a request that has passed not count."""
        with self._lock:
            if key in self._buckets:
                left, since = self._buckets[key]
                self._buckets[key] = (min(self._size, left + 1), since)

    def _forget_full(self, now: float) -> None:
        """Forget who has been quiet for long enough to start anew; nobody gains by it."""
        self._buckets = {
            key: (left, since)
            for key, (left, since) in self._buckets.items()
            if left + (now - since) * self._per_second < self._size
        }
