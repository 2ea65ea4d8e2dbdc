"""Facets: sums and latencies for charts, kept in the transaction that stores or changes the requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from payi_otel.server.store.engine import upsert
from payi_otel.server.store.groups import Group, Key, regrouped
from payi_otel.server.store.schema_facets import FACETS, HISTOGRAMS, Facet, facets
from payi_otel.server.store.schema_rollups import DIMENSIONS, SUMS

_PLACES = {name: place for place, name in enumerate(DIMENSIONS)}
_NOTHING = dict.fromkeys(name for name in (*DIMENSIONS, *HISTOGRAMS) if name in facets.c)
_AT_ONCE = 500


def apply(connection: Connection, application_id: int, groups: Mapping[Key, Group]) -> None:
    """Add requests to the facets they belong to, or take them out; `groups` are by all `DIMENSIONS`."""
    rows: list[dict[str, Any]] = []
    counted: dict[str, Group] = {}
    for facet in FACETS:
        for key, group in regrouped(groups, partial(_key_of, facet)).items():
            if not facet.by_day and (any(group.latency.values()) or any(group.first_token.values())):
                counted[_hash(application_id, facet, key)] = group
            elif not any(group.sums):
                continue
            values = dict(zip(facet.dimensions, key[1:], strict=True))
            row = {"key": _hash(application_id, facet, key), "application_id": application_id}
            sums = dict(zip(SUMS, group.sums, strict=True))
            rows.append({**_NOTHING, **row, "facet": facet.name, "at": key[0], **values, **sums})
    if not rows:
        return
    # In one order everywhere, so that two batches with the same facets cannot block each other.
    rows.sort(key=lambda row: row["key"])
    statement = upsert(connection, facets)
    added = {name: facets.c[name] + statement.excluded[name] for name in SUMS}
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=added), rows)
    _count(connection, counted)


def _key_of(facet: Facet, whole: Key) -> Key | None:
    if facet.of_use_case and whole[_PLACES["use_case_name"]] is None:
        return None
    at = whole[0]
    assert isinstance(at, datetime)
    return (at.replace(hour=0) if facet.by_day else at, *(whole[_PLACES[name]] for name in facet.dimensions))


def _hash(application_id: int, facet: Facet, key: Key) -> str:
    parts = [application_id, facet.name, str(key[0]), *key[1:]]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=20).hexdigest()


def _count(connection: Connection, counted: Mapping[str, Group]) -> None:
    """Count calls in histograms of rows that this transaction has written before, and holds until it ends."""
    keys = sorted(counted)
    changed: list[dict[str, Any]] = []
    for first in range(0, len(keys), _AT_ONCE):
        statement = select(facets.c.key, *(facets.c[name] for name in HISTOGRAMS))
        for row in connection.execute(statement.where(facets.c.key.in_(keys[first : first + _AT_ONCE]))):
            group = counted[row.key]
            latency, first_token = (
                _added(row.latency, group.latency),
                _added(row.first_token, group.first_token),
            )
            changed.append({"row_key": row.key, "latency": latency, "first_token": first_token})
    if changed:
        connection.execute(update(facets).where(facets.c.key == bindparam("row_key")), changed)


def _added(kept: Mapping[str, int] | None, more: Mapping[int, int]) -> dict[str, int] | None:
    counts = dict(kept or {})
    for bucket, number in more.items():
        name = str(bucket)
        counts[name] = counts.get(name, 0) + number
        if not counts[name]:
            del counts[name]
    return counts or None
