"""Roll-ups: sums of requests by hour, kept in the transaction that stores or changes the requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import add
from typing import Any

from sqlalchemy import Connection

from payi_otel.server.store import facets
from payi_otel.server.store.bulk import add_all
from payi_otel.server.store.groups import Group, Key, Sums
from payi_otel.server.store.histograms import bucket_of
from payi_otel.server.store.schema_rollups import COARSE, DIMENSIONS, SUMS, rollup_units, rollups
from payi_otel.server.store.types import split_money

_NOTHING = dict.fromkeys(DIMENSIONS)


@dataclass(frozen=True, slots=True)
class Delta:
    """A request that comes (`sign` 1) or goes (-1); `values` are its columns by name, `sums` what it adds."""

    values: Mapping[str, Any]
    sign: int = 1
    sums: Sums = field(init=False)

    def __post_init__(self) -> None:
        numbers = numbers_of(self.values)
        object.__setattr__(self, "sums", tuple([self.sign * numbers[name] for name in SUMS]))


def apply(connection: Connection, application_id: int, deltas: Iterable[Delta]) -> None:
    """Add requests to the roll-ups and facets they belong to, or take them out."""
    detailed: dict[Key, Sums] = {}
    coarse: dict[Key, Group] = {}
    for delta in deltas:
        values, sums = delta.values, delta.sums
        hour = hour_of(values["event_timestamp"])
        key = (hour, *[values[name] for name in DIMENSIONS[1:]])
        before = detailed.get(key)
        detailed[key] = sums if before is None else tuple(map(add, before, sums))
        key = (hour, *[values[name] for name in COARSE[1:]])
        _add(coarse.setdefault(key, Group()), sums, delta)
    rows = [_row(application_id, DIMENSIONS, key, sums) for key, sums in detailed.items() if any(sums)]
    units: list[dict[str, Any]] = []
    for key, group in coarse.items():
        row = _row(application_id, COARSE, key, group.sums)
        if any(group.sums):
            rows.append(row)
        units += [
            {"key": row["key"], "unit": unit, "input": counts[0], "output": counts[1]}
            for unit, counts in group.units.items()
            if any(counts)
        ]
    # In one order everywhere, so that two batches with the same roll-ups cannot block each other.
    rows.sort(key=lambda row: row["key"])
    units.sort(key=lambda row: (row["key"], row["unit"]))
    add_all(connection, rollups, rows, ("key",), SUMS)
    add_all(connection, rollup_units, units, ("key", "unit"), ("input", "output"))
    facets.apply(connection, application_id, coarse, detailed)


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


def _add(group: Group, sums: Sums, delta: Delta) -> None:
    group.sums = tuple(map(add, group.sums, sums))
    for unit, count in delta.values["units"].items():
        total = group.units.setdefault(unit, [0, 0])
        total[0] += delta.sign * count["input"]
        total[1] += delta.sign * count["output"]
    latency, first_token = delta.values["end_to_end_latency_ms"], delta.values["time_to_first_token_ms"]
    if latency is not None:
        bucket = bucket_of(latency)
        group.latency[bucket] = group.latency.get(bucket, 0) + delta.sign
    if first_token is not None:
        bucket = bucket_of(first_token)
        group.first_token[bucket] = group.first_token.get(bucket, 0) + delta.sign


def _row(application_id: int, names: Sequence[str], key: Key, sums: Sums) -> dict[str, Any]:
    """A row of a roll-up whose key has these of the dimensions."""
    dimensions = {**_NOTHING, **dict(zip(names, key, strict=True))}
    is_detailed = names is DIMENSIONS
    parts = [application_id, is_detailed, str(key[0]), *[dimensions[name] for name in DIMENSIONS[1:]]]
    return {
        "key": hashlib.blake2b(json.dumps(parts).encode(), digest_size=20).hexdigest(),
        "application_id": application_id,
        "is_detailed": is_detailed,
        **dimensions,
        **dict(zip(SUMS, sums, strict=True)),
    }
