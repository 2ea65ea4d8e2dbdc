"""Shapes of arguments, and the checks that turn a bad one into an error naming the field, the value and the fix."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypedDict, cast, get_args

from typing_extensions import Required

from payi_otel.client.call import given, iso
from payi_otel.client.errors import InvalidArgumentError

KpiType: TypeAlias = Literal["boolean", "number", "percentage", "likert5", "likert7", "likert10"]
LimitType: TypeAlias = Literal["allow", "block"]
Properties: TypeAlias = Mapping[str, Any]
"""Values are sent as strings; None clears a property."""

LARGEST_COUNT = 2**31 - 1
_USE_CASE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class IngestUnits(TypedDict, total=False):
    """A count of one unit: whole numbers from 0 to 2 147 483 647."""

    input: int
    output: int


class UnitPrices(TypedDict, total=False):
    """US dollars for one single unit."""

    input_price: float
    output_price: float


class LimitConfig(TypedDict, total=False):
    """The limit each new instance of a use case gets. `max` in US dollars; `threshold` from 0.75 to 0.99."""

    max: Required[float]
    limit_type: LimitType
    threshold: float | None
    properties: Properties | None


class HeaderInfo(TypedDict, total=False):
    """A header of a provider's request or response."""

    name: Required[str]
    value: str | None


class FunctionCall(TypedDict, total=False):
    """A tool the model asked for; `arguments` is JSON text."""

    name: Required[str]
    arguments: str | None


class BulkEvent(TypedDict, total=False):
    """One event for `ingest.bulk` and `ingest.bulk_upsert`. Latencies are in milliseconds."""

    category: Required[str]
    units: Required[Mapping[str, IngestUnits]]
    resource: str | None
    scope: str | None
    event_timestamp: str | datetime | None
    end_to_end_latency_ms: int | None
    time_to_first_token_ms: int | None
    time_to_first_completion_token_ms: int | None
    http_status_code: int | None
    provider_uri: str | None
    provider_request_headers: Iterable[HeaderInfo] | None
    provider_request_json: str | None
    provider_request_reasoning_json: str | None
    provider_response_headers: Iterable[HeaderInfo] | None
    provider_response_json: str | list[str] | None
    provider_response_function_calls: Iterable[FunctionCall] | None
    provider_response_id: str | None
    use_case_name: str | None
    use_case_id: str | None
    use_case_version: int | None
    use_case_step: str | None
    use_case_properties: Properties | None
    user_id: str | None
    account_name: str | None
    limit_ids: Iterable[str] | None
    request_tags: Iterable[str] | None
    properties: Properties | None


def reject(field: str, value: Any, fix: str) -> InvalidArgumentError:
    """The error for a bad argument."""
    return InvalidArgumentError(f"{field}={value!r}: {fix}")


def text(field: str, value: Any) -> str:
    """A non-empty string."""
    if not isinstance(value, str) or not value:
        raise reject(field, value, "give a non-empty string")
    return value


def either(name: str, value: str | None, alias: str, other: str | None) -> str:
    """One value that goes by two argument names, of which exactly one must be given."""
    if value is not None and other is not None and value != other:
        raise InvalidArgumentError(
            f"{name}={value!r} and {alias}={other!r}: give one of them, they name the same thing"
        )
    chosen = value if value is not None else other
    if chosen is None:
        raise InvalidArgumentError(f"{name}: missing; give {name} or {alias}")
    return text(name, chosen)


def use_case_name(field: str, value: Any) -> str:
    """A name a new use case may have."""
    if not isinstance(value, str) or not _USE_CASE_NAME.fullmatch(value):
        raise reject(
            field, value, "give 1 to 64 letters, digits, '.', '-' or '_', such as 'document_summary'"
        )
    return value


def number(field: str, value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise reject(field, value, "give a finite number")
    return value


def score(field: str, value: Any) -> bool | float | None:
    """A KPI score: a boolean, a finite number, or None to clear it."""
    return value if value is None or isinstance(value, bool) else number(field, value)


def kpi_type(field: str, value: Any) -> str:
    """One of the six KPI types."""
    if value not in get_args(KpiType):
        raise reject(field, value, f"give one of {', '.join(get_args(KpiType))}")
    return value


def limit_fields(
    prefix: str, *, max: Any, limit_type: Any = None, threshold: Any = None, properties: Any = None
) -> dict[str, Any]:
    """The checked fields that limits and limit configurations share."""
    if number(f"{prefix}max", max) < 0:
        raise reject(f"{prefix}max", max, "give US dollars, 0 or more")
    if limit_type is not None and limit_type not in get_args(LimitType):
        raise reject(
            f"{prefix}limit_type", limit_type, "give 'allow' (track) or 'block' (refuse, proxy only)"
        )
    if threshold is not None and not 0.75 <= number(f"{prefix}threshold", threshold) <= 0.99:
        raise reject(
            f"{prefix}threshold", threshold, "give a share of max from 0.75 to 0.99, or leave it out"
        )
    values = None if properties is None else property_values(f"{prefix}properties", properties)
    return given(max=max, limit_type=limit_type, threshold=threshold, properties=values)


def limit_config(field: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """A checked `LimitConfig`."""
    config = mapping(field, value)
    unknown = config.keys() - LimitConfig.__annotations__.keys()
    if unknown:
        raise reject(
            field, value, f"remove {min(unknown)!r}; known are {', '.join(LimitConfig.__annotations__)}"
        )
    return limit_fields(f"{field}.", **{"max": None, **config})


def property_values(field: str, value: Any) -> dict[str, str | None]:
    """Properties as the API takes them: string → string or None."""
    result: dict[str, str | None] = {}
    for key, item in mapping(field, value).items():
        result[text(f"a key of {field}", key)] = None if item is None else str(item)
    return result


def units(field: str, value: Any) -> dict[str, dict[str, int]]:
    """Checked unit counts by unit name."""
    return {
        text(f"a key of {field}", name): _sides(f"{field}[{name!r}]", counts)
        for name, counts in mapping(field, value).items()
    }


def unit_prices(field: str, value: Any) -> dict[str, dict[str, float]]:
    """Checked prices by unit name."""
    prices: dict[str, dict[str, float]] = {}
    for name, entry in mapping(field, value).items():
        where = f"{field}[{name!r}]"
        sides = mapping(where, entry)
        if not sides or sides.keys() - UnitPrices.__annotations__.keys():
            raise reject(
                where, entry, "give {'input_price': ..., 'output_price': ...} in US dollars for one unit"
            )
        prices[name] = {side: number(f"{where}[{side!r}]", price) for side, price in sides.items()}
    if not prices:
        raise reject(
            field, value, "give the prices of at least one unit, such as {'text': {'input_price': 1e-6}}"
        )
    return prices


def timestamp(field: str, value: Any) -> str:
    """An instant as ISO 8601 text."""
    if isinstance(value, datetime):
        return iso(value)
    if not isinstance(value, str) or not value:
        raise reject(field, value, "give a datetime, or ISO 8601 text such as '2026-01-31T12:00:00Z'")
    return value


def names(field: str, value: Any) -> list[str]:
    """A list of strings, blank ones left out."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise reject(field, value, "give a list of strings")
    items = list(cast("Iterable[Any]", value))
    for item in items:
        if not isinstance(item, str):
            raise reject(field, value, f"give a list of strings; {item!r} is none")
    return [item.strip() for item in items if item.strip()]


def mapping(field: str, value: Any) -> Mapping[str, Any]:
    """A dict."""
    if not isinstance(value, Mapping):
        raise reject(field, value, "give a dict")
    return cast("Mapping[str, Any]", value)


def events(value: Any) -> list[dict[str, Any]]:
    """Checked bulk events."""
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise reject("events", value, "give a list of events")
    return [_event(f"events[{index}]", item) for index, item in enumerate(cast("Iterable[Any]", value))]


def _event(field: str, value: Any) -> dict[str, Any]:
    event = {name: item for name, item in mapping(field, value).items() if item is not None}
    unknown = event.keys() - BulkEvent.__annotations__.keys()
    if unknown:
        raise InvalidArgumentError(f"{field}.{min(unknown)}: unknown field; see BulkEvent for the known ones")
    text(f"{field}.category", event.get("category"))
    for name, check in _EVENT_CHECKS.items():
        if name in event:
            event[name] = check(f"{field}.{name}", event[name])
    if "units" not in event:
        raise InvalidArgumentError(f"{field}.units: missing; give counts such as {{'text': {{'input': 12}}}}")
    return event


_EVENT_CHECKS = {
    "units": units,
    "event_timestamp": timestamp,
    "properties": property_values,
    "use_case_properties": property_values,
    "limit_ids": names,
}


def _sides(field: str, value: Any) -> dict[str, int]:
    sides = mapping(field, value)
    if sides.keys() - IngestUnits.__annotations__.keys():
        raise reject(field, value, "give {'input': ..., 'output': ...}")
    for side, count in sides.items():
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= LARGEST_COUNT:
            raise reject(f"{field}[{side!r}]", count, f"give a whole number from 0 to {LARGEST_COUNT}")
    return dict(sides)
