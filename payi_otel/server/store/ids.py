"""Ids of our own that grow with time, so that the index of a large table is written to at its end only."""

from __future__ import annotations

import os
import time


def new_id() -> str:
    """A UUID of version 7: the millisecond it was made in, and 74 random bits.

    >>> import uuid
    >>> first, made = new_id(), uuid.UUID(new_id())
    >>> made.version, first[:8] <= str(made)[:8]
    (7, True)
    """
    chance = int.from_bytes(os.urandom(10), "big")
    number = time.time_ns() // 1_000_000 << 80 | 7 << 76 | (chance >> 62 & 0xFFF) << 64 | 2 << 62
    text = f"{number | chance & 0x3FFF_FFFF_FFFF_FFFF:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
