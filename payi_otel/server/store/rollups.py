"""Roll-ups: sums of requests by hour, kept in the transaction that stores or changes the requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from payi_otel.server.store import facets
from payi_otel.server.store.engine import upsert
from payi_otel.server.store.groups import Group, Key, add_counts, regrouped
from payi_otel.server.store.histograms import bucket_of
from payi_otel.server.store.schema_rollups import DETAILS, DIMENSIONS, SUMS, rollup_units, rollups
from payi_otel.server.store.types import split_money


@dataclass(frozen=True, slots=True)
class Delta:
    """A request that comes (`sign` 1) or goes (-1); `values` are its columns by name."""

    values: Mapping[str, Any]
    sign: int = 1


def apply(connection: Connection, application_id: int, deltas: Iterable[Delta]) -> None:
    """Add requests to the roll-ups and facets they belong to, or take them out."""
    detailed: dict[Key, Group] = {}
    for delta in deltas:
        key = (hour_of(delta.values["event_timestamp"]), *(delta.values[name] for name in DIMENSIONS[1:]))
        _add(detailed.setdefault(key, Group()), delta)
    coarse = regrouped(detailed, _without_details)
    found = [(False, key, group) for key, group in coarse.items()]
    found += [(True, key, group) for key, group in detailed.items()]
    rows: list[dict[str, Any]] = []
    units: list[dict[str, Any]] = []
    for is_detailed, key, group in found:
        row_key = _hash(application_id, key, is_detailed=is_detailed)
        if any(group.sums):
            row = {"key": row_key, "application_id": application_id, "is_detailed": is_detailed}
            names = (*DIMENSIONS, *SUMS)
            rows.append({**row, **dict(zip(names, (*key, *group.sums), strict=True))})
        if not is_detailed:
            units += [
                {"key": row_key, "unit": unit, "input": counts[0], "output": counts[1]}
                for unit, counts in group.units.items()
                if any(counts)
            ]
    # In one order everywhere, so that two batches with the same roll-ups cannot block each other.
    rows.sort(key=lambda row: row["key"])
    units.sort(key=lambda row: (row["key"], row["unit"]))
    _increase(connection, rollups, rows, ("key",), SUMS)
    _increase(connection, rollup_units, units, ("key", "unit"), ("input", "output"))
    facets.apply(connection, application_id, detailed)


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour.

    >>> from datetime import timezone
    >>> hour_of(datetime(2026, 1, 1, 13, 59, tzinfo=timezone.utc)).isoformat()
    '2026-01-01T13:00:00+00:00'
    """
    return at.replace(minute=0, second=0, microsecond=0)


def is_failure(values: Mapping[str, Any]) -> bool:
    """Whether a request failed: by its status, or where it has none of its own, by what the sender says."""
    status = values["http_status_code"]
    failed = status is not None and (status >= 400 or status == 299)
    return failed or values["properties"].get("system.failure") is not None


def numbers_of(values: Mapping[str, Any]) -> dict[str, int]:
    """What one request adds to the `SUMS` of its roll-up."""
    input_cost, output_cost = split_money(values["input_cost"]), split_money(values["output_cost"])
    latency = values["end_to_end_latency_ms"]
    return {
        "calls": 1,
        "failures": int(is_failure(values)),
        "estimated": int(values["properties"].get("system.usage_source") == "estimated"),
        "unpriced": int(bool(values["unknown_units"])),
        "input_tokens": values["input_tokens"],
        "output_tokens": values["output_tokens"],
        "latency_ms": latency or 0,
        "latency_calls": int(latency is not None),
        "input_whole": input_cost[0],
        "input_rest": input_cost[1],
        "output_whole": output_cost[0],
        "output_rest": output_cost[1],
    }


def _add(group: Group, delta: Delta) -> None:
    numbers = numbers_of(delta.values)
    group.sums = [total + delta.sign * numbers[name] for total, name in zip(group.sums, SUMS, strict=True)]
    for unit, count in delta.values["units"].items():
        total = group.units.setdefault(unit, [0, 0])
        total[0] += delta.sign * count["input"]
        total[1] += delta.sign * count["output"]
    for name, counts in (
        ("end_to_end_latency_ms", group.latency),
        ("time_to_first_token_ms", group.first_token),
    ):
        if delta.values[name] is not None:
            add_counts(counts, {bucket_of(delta.values[name]): delta.sign})


def _without_details(key: Key) -> Key:
    return tuple(None if name in DETAILS else value for name, value in zip(DIMENSIONS, key, strict=True))


def _hash(application_id: int, key: Key, *, is_detailed: bool) -> str:
    hour, *others = key
    assert isinstance(hour, datetime)
    parts = [application_id, is_detailed, hour.isoformat(), *others]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=20).hexdigest()


def _increase(
    connection: Connection,
    table: Any,
    rows: list[dict[str, Any]],
    key: tuple[str, ...],
    sums: tuple[str, ...],
) -> None:
    if not rows:
        return
    statement = upsert(connection, table)
    added = {name: table.c[name] + statement.excluded[name] for name in sums}
    statement = statement.on_conflict_do_update(index_elements=list(key), set_=added)
    connection.execute(statement, rows)
