"""The figures that charts and tables show of requests, and how they are added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from payi_otel.server.store.histograms import Histogram
from payi_otel.server.store.schema_rollups import SUMS
from payi_otel.server.store.types import read_sum

_NO_SUMS: Mapping[str, int] = dict.fromkeys(SUMS, 0)


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over requests. `sums` are those of a roll-up by name; the rest says what follows from them.

    `latency` and `first_token` (time to first token) are in milliseconds; empty where nobody asked for them.
    """

    sums: Mapping[str, int] = field(default_factory=lambda: _NO_SUMS)
    latency: Histogram = field(default_factory=Histogram)
    first_token: Histogram = field(default_factory=Histogram)

    @property
    def calls(self) -> int:
        """How many requests there were."""
        return self.sums["calls"]

    @property
    def failures(self) -> int:
        """How many of them failed."""
        return self.sums["failures"]

    @property
    def unpriced(self) -> int:
        """How many have units without a price."""
        return self.sums["unpriced"]

    @property
    def estimated(self) -> int:
        """How many have units that the sender worked out because the provider did not tell them."""
        return self.sums["estimated"]

    @property
    def input_tokens(self) -> int:
        """Tokens sent."""
        return self.sums["input_tokens"]

    @property
    def output_tokens(self) -> int:
        """Tokens received."""
        return self.sums["output_tokens"]

    @property
    def input_cost(self) -> Decimal:
        """What was sent cost, in US dollars."""
        return read_sum(self.sums["input_whole"], self.sums["input_rest"])

    @property
    def output_cost(self) -> Decimal:
        """What was received cost, in US dollars."""
        return read_sum(self.sums["output_whole"], self.sums["output_rest"])

    @property
    def cost(self) -> Decimal:
        """What all of it cost, in US dollars."""
        return self.input_cost + self.output_cost

    @property
    def failed_share(self) -> float | None:
        """The share (0 to 1) of requests that failed; None without requests."""
        return self.failures / self.calls if self.calls else None

    @property
    def average_latency(self) -> float | None:
        """How long a request took on average, in milliseconds; None where none said it."""
        return self.sums["latency_ms"] / self.sums["latency_calls"] if self.sums["latency_calls"] else None


@dataclass(frozen=True, slots=True)
class Part:
    """What the requests with `key` in common sum up to: a value for each column they are grouped by, None for none."""

    key: tuple[Any, ...]
    figures: Figures


class Adder:
    """Adds up rows of roll-ups and facets.

    >>> adder = Adder()
    >>> adder.add_sums({**_NO_SUMS, "calls": 2})
    >>> adder.add_histogram("latency", {"49": 2})
    >>> adder.figures().calls, adder.figures().latency.count
    (2, 2)
    """

    def __init__(self) -> None:
        self._sums = dict(_NO_SUMS)
        self._counts: dict[str, dict[str, int]] = {"latency": {}, "first_token": {}}

    def add_sums(self, row: Mapping[str, Any]) -> None:
        """Add a row's `SUMS`."""
        for name in SUMS:
            self._sums[name] += int(row[name])

    def add_histogram(self, name: str, kept: Mapping[str, int] | None) -> None:
        """Add a row's `latency` or `first_token`, by bucket as the database keeps them."""
        counts = self._counts[name]
        for bucket, number in (kept or {}).items():
            counts[bucket] = counts.get(bucket, 0) + number

    def figures(self) -> Figures:
        """All that was added."""
        histograms = {
            name: Histogram({int(bucket): number for bucket, number in counts.items()})
            for name, counts in self._counts.items()
        }
        return Figures(dict(self._sums), **histograms)


def added(many: Iterable[Figures]) -> Figures:
    """The figures of several together.

    >>> added([]).calls
    0
    """
    adder = Adder()
    for one in many:
        adder.add_sums(one.sums)
        for name, histogram in (("latency", one.latency), ("first_token", one.first_token)):
            adder.add_histogram(name, {str(bucket): number for bucket, number in histogram.counts.items()})
    return adder.figures()


def top(parts: Sequence[Part], number: int) -> tuple[Sequence[Part], Figures | None]:
    """The first parts, and the figures of all others together; None where there are no others."""
    others = parts[number:]
    return parts[:number], added(part.figures for part in others) if others else None
