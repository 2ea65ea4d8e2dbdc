"""Roll-ups: sums of requests by hour, kept in the transaction that stores or changes the requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from payi_otel.server.store import facets
from payi_otel.server.store.bulk import add_all
from payi_otel.server.store.groups import Group, Key, Sums, row_key, total
from payi_otel.server.store.histograms import bucket_of
from payi_otel.server.store.schema_rollups import COARSE, DIMENSIONS, SUMS, rollup_units, rollups
from payi_otel.server.store.types import split_money

_NAMES = ("key", "application_id", "is_detailed", *DIMENSIONS, *SUMS)
_UNIT_NAMES = ("key", "unit", "input", "output")
_GAPS: tuple[bool, ...] = tuple(name not in COARSE for name in DIMENSIONS)
_dimensions: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*DIMENSIONS[1:])
_coarse: Callable[[Key], Key] = itemgetter(*map(DIMENSIONS.index, COARSE))


@dataclass(slots=True)
class Delta:
    """A request that comes (`sign` 1) or goes (-1); `values` are its columns by name, `sums` what it adds."""

    values: Mapping[str, Any]
    sign: int = 1
    sums: Sums = field(init=False)

    def __post_init__(self) -> None:
        sums = sums_of(self.values)
        self.sums = sums if self.sign == 1 else tuple([-number for number in sums])


def apply(connection: Connection, application_id: int, deltas: Iterable[Delta]) -> None:
    """Add requests to the roll-ups and facets they belong to, or take them out."""
    details_by_number: dict[Key, list[Delta]] = {}
    for delta in deltas:
        # The hour as a number, in UTC as all times are: its own datetime would take longer than all the rest.
        at = delta.values["event_timestamp"]
        key = (at.toordinal() * 24 + at.hour, *_dimensions(delta.values))
        alike = details_by_number.get(key)
        if alike is None:
            details_by_number[key] = [delta]
        else:
            alike.append(delta)
    details = {
        (hour_of(alike[0].values["event_timestamp"]), *key[1:]): alike
        for key, alike in details_by_number.items()
    }
    detailed = {key: total([delta.sums for delta in alike]) for key, alike in details.items()}
    coarse: dict[Key, Group] = {}
    parts: dict[Key, list[Sums]] = {}
    for key, alike in details.items():
        place = _coarse(key)
        group = coarse.setdefault(place, Group())
        parts.setdefault(place, []).append(detailed[key])
        for delta in alike:
            _count(group, delta)
    for key, group in coarse.items():
        group.sums = total(parts[key])
    rows: list[tuple[Any, ...]] = [
        (row_key(application_id, True, *key), application_id, True, *key, *sums)
        for key, sums in detailed.items()
        if any(sums)
    ]
    units: list[tuple[Any, ...]] = []
    for key, group in coarse.items():
        dimensions = _without_details(key)
        name = row_key(application_id, False, *dimensions)
        if any(group.sums):
            rows.append((name, application_id, False, *dimensions, *group.sums))
        units += [(name, unit, *counts) for unit, counts in group.units.items() if any(counts)]
    # In one order everywhere, so that two batches with the same roll-ups cannot block each other.
    rows.sort(key=itemgetter(0))
    units.sort()
    add_all(connection, rollups, _NAMES, rows, ("key",), SUMS)
    add_all(connection, rollup_units, _UNIT_NAMES, units, ("key", "unit"), ("input", "output"))
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


def sums_of(values: Mapping[str, Any]) -> Sums:
    """What one request adds to the `SUMS` of its roll-up, in their order."""
    input_whole, input_rest = split_money(values["input_cost"])
    output_whole, output_rest = split_money(values["output_cost"])
    latency = values["end_to_end_latency_ms"]
    return (
        1,
        int(is_failure(values)),
        int(values["properties"].get("system.usage_source") == "estimated"),
        int(bool(values["unknown_units"])),
        values["input_tokens"],
        values["output_tokens"],
        latency or 0,
        int(latency is not None),
        input_whole,
        input_rest,
        output_whole,
        output_rest,
    )


def _count(group: Group, delta: Delta) -> None:
    """Add what a group has beside its sums."""
    sign, values = delta.sign, delta.values
    for unit, count in values["units"].items():
        counted = group.units.get(unit)
        if counted is None:
            counted = group.units[unit] = [0, 0]
        counted[0] += sign * count["input"]
        counted[1] += sign * count["output"]
    latency, first_token = values["end_to_end_latency_ms"], values["time_to_first_token_ms"]
    if latency is not None:
        bucket = bucket_of(latency)
        group.latency[bucket] = group.latency.get(bucket, 0) + sign
    if first_token is not None:
        bucket = bucket_of(first_token)
        group.first_token[bucket] = group.first_token.get(bucket, 0) + sign


def _without_details(key: Key) -> Key:
    """A coarse key with nothing for each of `DETAILS`, in the order of `DIMENSIONS`."""
    parts = iter(key)
    return tuple([None if is_gap else next(parts) for is_gap in _GAPS])
