"""Facets: sums and latencies for charts, kept in the transaction that stores or changes the requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, select

from payi_otel.server.store.bulk import add_all, update_all
from payi_otel.server.store.groups import Group, Key, Sums, regrouped, resummed, row_key, total
from payi_otel.server.store.one_of import one_of_given
from payi_otel.server.store.schema_facets import FACETS, HISTOGRAMS, Facet, facets
from payi_otel.server.store.schema_rollups import COARSE, DIMENSIONS, SUMS

_DIMENSIONS = tuple(name for name in DIMENSIONS if name in facets.c)
# Made once: to make a statement takes longer than to execute it.
_HISTOGRAMS = select(facets.c.key, *(facets.c[name] for name in HISTOGRAMS)).where(
    one_of_given(facets.c.key, "wanted")
)
_NAMES = ("key", "application_id", "facet", "at", *_DIMENSIONS, *SUMS)


def apply(
    connection: Connection, application_id: int, coarse: Mapping[Key, Group], detailed: Mapping[Key, Sums]
) -> None:
    """Add requests to the facets they belong to, or take them out.

    `coarse` are by the dimensions of `COARSE`, `detailed` by all `DIMENSIONS`.
    """
    rows: list[tuple[Any, ...]] = []
    counted: dict[str, Group] = {}
    by_day = _by_day(detailed)
    for facet in FACETS:
        groups: Mapping[Key, Group] = {}
        if facet.by_day:
            sums = resummed(by_day, _places(DIMENSIONS, facet))
        else:
            groups = regrouped(coarse, _places(COARSE, facet))
            sums = {key: group.sums for key, group in groups.items()}
        places = [
            facet.dimensions.index(name) + 1 if name in facet.dimensions else None for name in _DIMENSIONS
        ]
        for key, numbers in sums.items():
            if facet.of_use_case and key[1] is None:
                continue
            group = groups.get(key)
            is_counted = group is not None and (
                any(group.latency.values()) or any(group.first_token.values())
            )
            if not is_counted and not any(numbers):
                continue
            name = row_key(application_id, facet.name, *key)
            dimensions = [None if place is None else key[place] for place in places]
            rows.append((name, application_id, facet.name, key[0], *dimensions, *numbers))
            if group is not None and is_counted:
                counted[name] = group
    if not rows:
        return
    # In one order everywhere, so that two batches with the same facets cannot block each other.
    rows.sort(key=itemgetter(0))
    add_all(connection, facets, _NAMES, rows, ("key",), SUMS)
    _count(connection, counted)


def _by_day(detailed: Mapping[Key, Sums]) -> Mapping[Key, Sums]:
    days: dict[object, datetime] = {
        key[0]: key[0].replace(hour=0) for key in detailed if isinstance(key[0], datetime)
    }
    found: dict[Key, list[Sums]] = {}
    for key, numbers in detailed.items():
        found.setdefault((days[key[0]], *key[1:]), []).append(numbers)
    return {key: total(parts) for key, parts in found.items()}


def _places(names: Sequence[str], facet: Facet) -> list[int]:
    return [0, *(names.index(name) for name in facet.dimensions)]


def _count(connection: Connection, counted: Mapping[str, Group]) -> None:
    """Count calls in histograms of rows that this transaction has written before, and holds until it ends."""
    changed: list[tuple[Any, ...]] = []
    for row in connection.execute(_HISTOGRAMS, {"wanted": list(counted)}):
        group = counted[row.key]
        latency, first_token = _added(row.latency, group.latency), _added(row.first_token, group.first_token)
        changed.append((latency, first_token, row.key))
    update_all(connection, facets, HISTOGRAMS, changed, "key")


def _added(kept: Mapping[str, int] | None, more: Mapping[int, int]) -> dict[str, int] | None:
    counts = dict(kept or {})
    for bucket, number in more.items():
        name = str(bucket)
        counts[name] = counts.get(name, 0) + number
        if not counts[name]:
            del counts[name]
    return counts or None
