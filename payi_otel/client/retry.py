"""Whether and when a failed attempt is repeated. Pure: the shells sleep."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 8.0
LONGEST_REQUESTED_DELAY_S = 60.0

# Statuses a server sends before it did any work, so that even an unrepeatable request may go again.
_NOT_PROCESSED = frozenset({408, 429})
_TRANSIENT = frozenset({408, 409, 429})


def retry_status(status: int, headers: Mapping[str, str], *, repeatable: bool) -> bool:
    """Whether an answer with `status` is worth another attempt. The header `x-should-retry` decides if present."""
    asked = headers.get("x-should-retry", "").lower()
    if asked in {"true", "false"}:
        return asked == "true"
    if not repeatable:
        return status in _NOT_PROCESSED
    return status in _TRANSIENT or status >= 500


def delay_s(attempt: int, headers: Mapping[str, str], jitter: float) -> float:
    """Seconds to wait after `attempt` (0 is the first). `jitter` is a random number from 0 to 1.

    The service's wish (`retry-after-ms`, `retry-after` in seconds or as a date) wins when it is at most a
    minute; otherwise half a second, doubled each time up to eight, less up to a quarter of it.
    """
    wanted = _wanted_s(headers)
    if wanted is not None and 0 < wanted <= LONGEST_REQUESTED_DELAY_S:
        return wanted
    backoff = min(FIRST_DELAY_S * 2.0 ** min(attempt, 10), LONGEST_DELAY_S)
    return backoff * (1 - 0.25 * jitter)


def _wanted_s(headers: Mapping[str, str]) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
