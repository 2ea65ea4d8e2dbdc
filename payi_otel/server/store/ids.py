"""Ids of our own that grow with time, so that the index of a large table is written to at its end only."""

from __future__ import annotations

import os
import time

# The two bits before the rest of a digit's are the kind of UUID.
_KIND = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_DIGITS = 20


def new_id() -> str:
    """A UUID of version 7: the millisecond it was made in, and 74 random bits.

    >>> import uuid
    >>> first, made = new_id(), uuid.UUID(new_id())
    >>> made.version, first[:8] <= str(made)[:8]
    (7, True)
    """
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """So many of them, at once.

    >>> len(set(new_ids(1000)))
    1000
    """
    now = f"{time.time_ns() // 1_000_000:012x}"
    began = f"{now[:8]}-{now[8:]}-7"
    chance = os.urandom(count * _DIGITS // 2).hex()
    return [
        f"{began}{one[:3]}-{_KIND[one[3]]}{one[4:7]}-{one[7:19]}"
        for one in (chance[start : start + _DIGITS] for start in range(0, count * _DIGITS, _DIGITS))
    ]
