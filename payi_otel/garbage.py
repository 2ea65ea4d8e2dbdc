"""Python's garbage collector in a process that is ours alone: the server's, the gateway's."""

from __future__ import annotations

import gc

_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def collect_seldom() -> None:
    """Leave what is loaded by now alone, and look through the rest after 50,000 new objects instead of 700.

    Not for a process that only uses this package: how often it collects is for its application to say.

    >>> collect_seldom()  # doctest: +SKIP
    """
    # What is loaded stays: the collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    # A bulk of events makes thousands of objects that all go again at its end; between them it finds nothing.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
