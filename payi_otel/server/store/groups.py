"""Requests of one transaction, summed up by what they have in common before the database hears of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from payi_otel.server.store.schema_rollups import SUMS

Key = tuple[object, ...]
K = TypeVar("K", bound=Key)


@dataclass(slots=True)
class Group:
    """What came, less what went: `sums` are `SUMS` in their order, `units` by name input and output.

    `latency` and `first_token` count by bucket.
    """

    sums: list[int] = field(default_factory=lambda: [0] * len(SUMS))
    units: dict[str, list[int]] = field(default_factory=dict[str, "list[int]"])
    latency: dict[int, int] = field(default_factory=dict[int, int])
    first_token: dict[int, int] = field(default_factory=dict[int, int])

    def add(self, other: Group) -> None:
        """Add another group to this one."""
        self.sums = [mine + theirs for mine, theirs in zip(self.sums, other.sums, strict=True)]
        for unit, counts in other.units.items():
            mine = self.units.setdefault(unit, [0, 0])
            mine[0] += counts[0]
            mine[1] += counts[1]
        add_counts(self.latency, other.latency)
        add_counts(self.first_token, other.first_token)


def add_counts(mine: dict[int, int], theirs: Mapping[int, int]) -> None:
    """Add counts by bucket to others."""
    for bucket, number in theirs.items():
        mine[bucket] = mine.get(bucket, 0) + number


def regrouped(groups: Mapping[Key, Group], key_of: Callable[[Key], K | None]) -> dict[K, Group]:
    """The same by another, coarser key; those whose key is None are left out."""
    found: dict[K, Group] = {}
    for key, group in groups.items():
        new = key_of(key)
        if new is not None:
            found.setdefault(new, Group()).add(group)
    return found
