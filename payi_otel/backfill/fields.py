"""The fields of a bulk event: which there are and what each takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from payi_otel.tracking.naming import valid_use_case_name

LARGEST_COUNT = 2**31 - 1

_SHOWN = 80

Check = Callable[[Any], Any]
"""Takes a field's value and returns what to send; raises `ValueError` with the fix."""


class FieldError(ValueError):
    """A value inside a field is wrong: its `path`, the `value` and the `fix`."""

    def __init__(self, path: str, value: Any, fix: str) -> None:
        super().__init__(f"{path}={shown(value)}: {fix}")


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("give a string")
    return value


def _not_empty(value: Any) -> str:
    if not _text(value):
        raise ValueError("give a string of at least one character")
    return value


def _use_case_name(value: Any) -> str:
    # Repaired as tracking does, so that past and present of a use case meet under one name.
    return valid_use_case_name(_not_empty(value))


def _whole(lowest: int, highest: int) -> Check:
    def check(value: Any) -> int:
        # Tables with gaps write whole numbers as 12.0.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise ValueError(f"give a whole number from {lowest} to {highest}")
        return value

    return check


count = _whole(0, LARGEST_COUNT)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("give an object")
    return cast("dict[str, Any]", value)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("give a list of strings")
    return [_text(item) for item in cast("list[Any]", value)]


def _text_or_texts(value: Any) -> str | list[str]:
    return _texts(value) if isinstance(value, list) else _text(value)


def _named_pairs(second: str) -> Check:
    def check(value: Any) -> list[dict[str, str | None]]:
        fix = f'give a list of objects like {{"name": "...", "{second}": "..."}}'
        if not isinstance(value, list):
            raise ValueError(fix)
        pairs: list[dict[str, str | None]] = []
        for item in cast("list[Any]", value):
            if not isinstance(item, dict):
                raise ValueError(fix)
            pair = cast("dict[str, Any]", item)
            texts = all(isinstance(text, str) or text is None for text in pair.values())
            if not isinstance(pair.get("name"), str) or not texts or pair.keys() - {"name", second}:
                raise ValueError(fix)
            pairs.append(pair)
        return pairs

    return check


def _properties(name: str) -> Check:
    def check(value: Any) -> dict[str, str | None]:
        properties: dict[str, str | None] = {}
        for key, item in _object(value).items():
            if isinstance(item, (dict, list)):
                raise FieldError(f"{name}.{key}", item, "give a string, a number, true, false or null")
            properties[key] = item if item is None else str(item)
        return properties

    return check


def _units(value: Any) -> dict[str, dict[str, int]]:
    units: dict[str, dict[str, int]] = {}
    for name, counts in _object(value).items():
        if isinstance(counts, (int, float)) and not isinstance(counts, bool):
            # The official SDK writes the cache counts of some models as bare numbers; they are input.
            counts = {"input": counts}
        if not isinstance(counts, dict) or not counts:
            raise FieldError(
                f"units.{name}", counts, 'give {"input": <count>, "output": <count>}, or one of them'
            )
        units[name] = {}
        for side, number in cast("dict[str, Any]", counts).items():
            path = f"units.{name}.{side}"
            if side not in {"input", "output"}:
                raise FieldError(path, number, "unknown; a unit has 'input' and 'output'")
            if number is None:
                continue
            try:
                units[name][side] = count(number)
            except ValueError as error:
                raise FieldError(path, number, str(error)) from None
    return units


_milliseconds = count

FIELDS: Mapping[str, Check] = {
    "category": _not_empty,
    "units": _units,
    "resource": _text,
    "scope": _text,
    "end_to_end_latency_ms": _milliseconds,
    "time_to_first_token_ms": _milliseconds,
    "time_to_first_completion_token_ms": _milliseconds,
    "http_status_code": _whole(0, 999),
    "provider_uri": _text,
    "provider_request_json": _text,
    "provider_request_reasoning_json": _text,
    "provider_request_headers": _named_pairs("value"),
    "provider_response_json": _text_or_texts,
    "provider_response_headers": _named_pairs("value"),
    "provider_response_function_calls": _named_pairs("arguments"),
    "provider_response_id": _text,
    "use_case_name": _use_case_name,
    "use_case_id": _text,
    "use_case_version": _whole(1, LARGEST_COUNT),
    "use_case_step": _text,
    "user_id": _text,
    "account_name": _text,
    "limit_ids": _texts,
    "request_tags": _texts,
    "properties": _properties("properties"),
    "use_case_properties": _properties("use_case_properties"),
}
"""Every field but `event_timestamp`, with its check."""

WHOLE_NUMBERS = frozenset(
    {
        "end_to_end_latency_ms",
        "time_to_first_token_ms",
        "time_to_first_completion_token_ms",
        "http_status_code",
        "use_case_version",
    }
)
LISTS = frozenset({"limit_ids", "request_tags"})
JSON_LISTS = frozenset(
    {"provider_request_headers", "provider_response_headers", "provider_response_function_calls"}
)
CONTENT = JSON_LISTS | {"provider_request_json", "provider_request_reasoning_json", "provider_response_json"}
"""Fields that hold what was said or secrets; their values are in no message."""
