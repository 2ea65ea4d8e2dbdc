"""Where averages are going: a straight line through them, by least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down", "steady"]

# A slope within two of its standard errors may as well be none.
_ERRORS = 2.0
_FEWEST_POINTS = 3


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line. `slope` is per day, `change` over the whole time; both in units of the score.

    The `direction` is "steady" where the points scatter too much to tell the slope from none.
    """

    direction: Direction
    slope: float
    change: float
    start: float

    def at(self, days: float) -> float:
        """The line's height so many days after its first point."""
        return self.start + self.slope * days


def trend_of(points: Sequence[tuple[float, float, int]]) -> Trend | None:
    """The line through (day, average, number of scores), each counted as often as it has scores.

    None for fewer than three points: any two lie on a line.

    >>> trend_of([(0, 1.0, 5), (1, 2.0, 5), (2, 3.0, 5)]).direction
    'up'
    """
    if len(points) < _FEWEST_POINTS:
        return None
    weight = sum(count for _, _, count in points)
    mean_x = sum(day * count for day, _, count in points) / weight
    mean_y = sum(average * count for _, average, count in points) / weight
    spread = sum(count * (day - mean_x) ** 2 for day, _, count in points)
    if not spread:
        return None
    slope = sum(count * (day - mean_x) * (average - mean_y) for day, average, count in points) / spread
    first, last = min(day for day, _, _ in points), max(day for day, _, _ in points)
    start = mean_y + slope * (first - mean_x)
    left = sum(count * (average - start - slope * (day - first)) ** 2 for day, average, count in points)
    error = math.sqrt(left / (len(points) - 2) / spread)
    # Rounding leaves a little slope in a level line.
    noise = 1e-9 * max(abs(mean_y), 1e-9)
    change = slope * (last - first)
    is_clear = abs(slope) > _ERRORS * error and abs(change) > noise
    direction: Direction = "steady" if not is_clear else "up" if slope > 0 else "down"
    return Trend(direction, slope, change, start)
