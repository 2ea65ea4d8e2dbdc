"""Durations counted in buckets that grow by a tenth each: what percentiles of many calls follow from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

GROWTH = 1.1
LARGEST_ERROR = (GROWTH - 1) / (GROWTH + 1)
"""How far from a duration the one that stands for its bucket may be, as a share of it: 4.8 %."""

_LOG = math.log(GROWTH)


def bucket_of(duration: int) -> int:
    """The bucket of a duration of 0 or more, such as milliseconds.

    >>> bucket_of(0), bucket_of(1), bucket_of(100), bucket_of(110)
    (0, 1, 49, 50)
    """
    return 0 if duration <= 0 else 1 + math.floor(math.log(duration) / _LOG)


def duration_of(bucket: int) -> float:
    """The duration that stands for a bucket: as far, in shares of it, from its lowest as from its highest.

    >>> duration_of(0), round(duration_of(49), 1)
    (0.0, 101.6)
    """
    if bucket == 0:
        return 0.0
    lowest, highest = GROWTH ** (bucket - 1), GROWTH**bucket
    return 2 * lowest * highest / (lowest + highest)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many durations there are in each bucket.

    >>> of_three = Histogram({bucket_of(90): 1, bucket_of(100): 1, bucket_of(4000): 1})
    >>> of_three.count, round(of_three.quantile(0.5)), round(of_three.quantile(0.95))
    (3, 102, 4182)
    """

    counts: Mapping[int, int] = field(default_factory=dict[int, int])

    @property
    def count(self) -> int:
        """How many durations there are."""
        return sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """The duration that a share (0 to 1) of all do not exceed, within `LARGEST_ERROR`; None without any."""
        wanted = max(1, math.ceil(share * self.count))
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return duration_of(bucket)
        return None
