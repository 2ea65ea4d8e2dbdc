"""The ranges that scores are counted in, by the KPI's type."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

SCALES: Mapping[str, int] = {"likert5": 5, "likert7": 7, "likert10": 10}
"""By type, the largest point of a scale that begins at 1."""

_NICE = tuple(Decimal(step) for step in ("1", "2", "2.5", "5", "10"))
_WANTED = 10
_NARROWEST = Decimal("1e-9")
_FEWEST_EDGES = 2
# Beyond so many standard deviations scores share one open range, or a single outlier would empty all others.
_CLIPPED_AT = 3


@dataclass(frozen=True, slots=True)
class Spread:
    """How the scores of a KPI lie: `whole` says that none of them has a fraction."""

    low: float
    high: float
    mean: float
    deviation: float
    whole: bool


@dataclass(frozen=True, slots=True)
class Bins:
    """Ranges: a score belongs to the range with as many `edges` at or below it as its place in `labels`.

    `open_ends` says that the first and the last range only matter while they hold something. `points` says that a
    range stands for one number, that of its label.
    """

    edges: Sequence[float]
    labels: Sequence[str]
    open_ends: bool = False
    points: bool = False

    def counted(self, counts: Mapping[int, int]) -> list[tuple[str, int]]:
        """Each range's label and count, from counts by its place."""
        found = [(label, counts.get(place, 0)) for place, label in enumerate(self.labels)]
        if not self.open_ends:
            return found
        first, last = (0 if found[0][1] else 1), (len(found) if found[-1][1] else len(found) - 1)
        return found[first:last]

    def position(self, number: float, first: str) -> float | None:
        """Where a number lies along bars of which the first is labelled `first`: 0.5 is between the first two.

        None where no bar is: two bars of true and false have no room between them.

        >>> bins_of("likert5", None).position(3.5, "1")
        2.5
        """
        if len(self.edges) < _FEWEST_EDGES:
            return None
        place, shift = bisect.bisect_right(self.edges, number), self.labels.index(first)
        if self.points and not self.open_ends:
            return number - 1.0 if 1 <= number <= len(self.labels) else None
        if not 0 < place < len(self.edges):
            return None
        low, high = self.edges[place - 1], self.edges[place]
        # A bar's middle is its number where it stands for one, else it begins where its range does.
        return place + (number - low) / (high - low) - (0.0 if self.points else 0.5) - shift


def bins_of(kpi_type: str, spread: Spread | None, unit: str = "") -> Bins:
    """The ranges for a KPI of a type. `unit` stands before numbers, such as "$".

    A boolean has two, a Likert scale one for each point, a percentage tens, a number about ten of a round width;
    None as the `spread` is that of no scores.

    >>> bins_of("boolean", None).labels
    ('False', 'True')
    >>> bins_of("number", Spread(0.5, 48.0, 20.0, 12.0, False), "$").labels[1:4]
    ('$0-$5', '$5-$10', '$10-$15')
    """
    if kpi_type == "boolean":
        return Bins((0.5,), ("False", "True"))
    if kpi_type in SCALES:
        points = range(1, SCALES[kpi_type] + 1)
        return Bins(tuple(point + 0.5 for point in points[:-1]), tuple(map(str, points)), points=True)
    if kpi_type == "percentage":
        tens = [Decimal(ten) for ten in range(0, 101, 10)]
        # 100 % is full marks, not something beyond.
        edges = [*map(float, tens[:-1]), math.nextafter(100.0, math.inf)]
        return Bins(tuple(edges), _labels(tens, str, above="> 100"), open_ends=True)
    return _number_bins(spread or Spread(0.0, 1.0, 0.0, 0.0, False), unit)


def _number_bins(spread: Spread, unit: str) -> Bins:
    reach = _CLIPPED_AT * spread.deviation
    low = max(spread.low, spread.mean - reach) if reach else spread.low
    high = min(spread.high, spread.mean + reach) if reach else spread.high
    width = _width(low, high, whole=spread.whole)
    first = (Decimal(low) / width).to_integral_value(ROUND_FLOOR)
    last = (Decimal(high) / width).to_integral_value(ROUND_CEILING)
    # As it will be compared: 0.0007 is a little less than the decimal number it stands for.
    if float(last * width) <= high:
        last += 1
    edges = [(first + step) * width for step in range(int(last - first) + 1)]
    is_points = spread.whole and width == 1
    if is_points:
        labels = (
            f"< {_shown(edges[0], unit)}",
            *(_shown(edge, unit) for edge in edges[:-1]),
            f"≥ {_shown(edges[-1], unit)}",
        )
    else:
        labels = _labels(edges, lambda number: _shown(number, unit))
    return Bins(tuple(map(float, edges)), labels, open_ends=True, points=is_points)


def _width(low: float, high: float, *, whole: bool) -> Decimal:
    """A round width that makes about ten ranges of what lies between."""
    wanted = Decimal(high - low) / _WANTED or Decimal(abs(high)) / _WANTED or Decimal(1)
    # Narrower, and floating numbers could not tell the edges apart.
    wanted = max(wanted, Decimal(max(abs(low), abs(high))) * _NARROWEST, _NARROWEST)
    power = Decimal(10) ** math.floor(wanted.log10())
    width = next(step for step in _NICE if step * power >= wanted * Decimal("0.999999")) * power
    return max(width.to_integral_value(ROUND_CEILING), Decimal(1)) if whole else width


def _labels(
    edges: Sequence[Decimal], shown: Callable[[Decimal], str], above: str | None = None
) -> tuple[str, ...]:
    # Between negative numbers a dash would look like one more minus.
    dash = " to " if edges[0] < 0 else "-"
    between = (f"{shown(low)}{dash}{shown(high)}" for low, high in itertools.pairwise(edges))
    return (f"< {shown(edges[0])}", *between, above or f"≥ {shown(edges[-1])}")


def _shown(number: Decimal, unit: str) -> str:
    size = abs(number).normalize()
    # Cents have two digits.
    size = size if not unit or size == size.to_integral_value() or size != round(size, 2) else round(size, 2)
    return f"{'-' if number < 0 else ''}{unit}{size:,f}"
