"""Warnings about delivery: at most one a minute of each kind, with counts and reasons, never with content."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter

logger = logging.getLogger("payi_otel.delivery")

WINDOW_S = 60.0


class WarningLog:
    """Logs the first warning of a kind at once and further ones summed up, once a minute.

    Safe in any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held_back: Counter[str] = Counter()
        self._last_s: dict[str, float] = {}

    def warn(self, kind: str, text: str, count: int = 1) -> None:
        """Warn about `count` cases of `kind`; `text` tells the latest one."""
        with self._lock:
            self._held_back[kind] += count
            now = time.monotonic()
            if now - self._last_s.get(kind, -math.inf) < WINDOW_S:
                return
            self._last_s[kind] = now
            count = self._held_back.pop(kind)
        logger.warning("payi_otel: %s: %d since the last report; %s", kind, count, text)
