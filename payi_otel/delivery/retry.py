"""What an answer means and when to try again. Pure: no clock, no random source, no I/O of its own."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from typing import Literal

Verdict = Literal["delivered", "retry", "auth", "too_large", "permanent"]

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
LONGEST_REQUESTED_DELAY_S = 300.0

_TRANSIENT = frozenset({408, 409, 425, 429})
# A proxy's own complaint and a redirect say nothing about the events: they are kept until it is put right.
_NOT_ABOUT_THE_EVENTS = frozenset({407})


def classify(status: int | None) -> Verdict:
    """What to do after an answer with this HTTP status; None is no answer at all.

    >>> classify(503), classify(401), classify(400), classify(None)
    ('retry', 'auth', 'permanent', 'retry')
    """
    if status is None or status < 200 or 300 <= status < 400 or status >= 500:
        return "retry"
    if status < 300:
        return "delivered"
    if status in _TRANSIENT or status in _NOT_ABOUT_THE_EVENTS:
        return "retry"
    if status in {401, 403}:
        return "auth"
    return "too_large" if status == 413 else "permanent"


def may_depend_on_content(status: int | None, *, timed_out: bool) -> bool:
    """Whether a repeated failure of this kind may be one event's doing, so that smaller batches help."""
    if status is None:
        return timed_out
    return status in {408, 409} or (status >= 500 and status not in {502, 503})


def backoff_s(attempt: int, jitter: float, longest_s: float = LONGEST_DELAY_S) -> float:
    """Seconds to wait after failure number `attempt` (from 0). `jitter` is a random number from 0 to 1.

    Half a second, doubled each time up to `longest_s`, less up to half of it, so that a fleet spreads out.
    """
    return min(FIRST_DELAY_S * 2.0 ** min(attempt, 20), longest_s) * (1 - 0.5 * jitter)


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the server asks to wait (`Retry-After`, seconds or a date), at most five minutes; None if it does not.

    A date is compared with the answer's own `Date`, so that a wrong clock here does not matter; `now`, in Unix
    seconds, is for an answer without one.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        wanted = _unix_s(text)
        if wanted is None:
            return None
        sent = _unix_s(headers.get("date", ""))
        seconds = wanted - (now if sent is None else sent)
    # The comparison is also False for "nan".
    return min(seconds, LONGEST_REQUESTED_DELAY_S) if seconds > 0 else None


def _unix_s(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
