"""Roll-ups: sums of requests by hour, kept in the transaction that stores or changes the requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from payi_otel.server.store.engine import upsert
from payi_otel.server.store.schema_rollups import DETAILS, DIMENSIONS, SUMS, rollup_units, rollups
from payi_otel.server.store.types import split_money


@dataclass(frozen=True, slots=True)
class Delta:
    """A request that comes (`sign` 1) or goes (-1); `values` are its columns by name."""

    values: Mapping[str, Any]
    sign: int = 1


@dataclass(slots=True)
class _Sums:
    row: dict[str, Any]
    units: dict[str, list[int]] = field(default_factory=dict[str, "list[int]"])


def apply(connection: Connection, application_id: int, deltas: Iterable[Delta]) -> None:
    """Add requests to the roll-ups they belong to, or take them out."""
    found: dict[str, _Sums] = {}
    for delta in deltas:
        numbers = numbers_of(delta.values)
        for is_detailed in (True, False):
            sums = _sums_of(found, application_id, delta, is_detailed=is_detailed)
            for name, number in numbers.items():
                sums.row[name] += delta.sign * number
        _add_units(sums, delta)
    # In one order everywhere, so that two batches with the same roll-ups cannot block each other.
    rows = [found[key].row for key in sorted(found) if any(found[key].row[name] for name in SUMS)]
    units = [
        {"key": key, "unit": unit, "input": counts[0], "output": counts[1]}
        for key in sorted(found)
        for unit, counts in sorted(found[key].units.items())
        if any(counts)
    ]
    _increase(connection, rollups, rows, ("key",), SUMS)
    _increase(connection, rollup_units, units, ("key", "unit"), ("input", "output"))


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


def _sums_of(found: dict[str, _Sums], application_id: int, delta: Delta, *, is_detailed: bool) -> _Sums:
    dimensions = {name: delta.values[name] for name in DIMENSIONS[1:]}
    dimensions |= {"hour": hour_of(delta.values["event_timestamp"]), "is_detailed": is_detailed}
    if not is_detailed:
        dimensions |= dict.fromkeys(DETAILS)
    key = _key(application_id, dimensions)
    if key not in found:
        row = {"key": key, "application_id": application_id, **dimensions, **dict.fromkeys(SUMS, 0)}
        found[key] = _Sums(row)
    return found[key]


def _add_units(sums: _Sums, delta: Delta) -> None:
    for unit, count in delta.values["units"].items():
        total = sums.units.setdefault(unit, [0, 0])
        total[0] += delta.sign * count["input"]
        total[1] += delta.sign * count["output"]


def _key(application_id: int, dimensions: Mapping[str, Any]) -> str:
    hour = dimensions["hour"].isoformat()
    parts = [application_id, dimensions["is_detailed"], hour, *(dimensions[name] for name in DIMENSIONS[1:])]
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
