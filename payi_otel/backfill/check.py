"""Whether a row is an event that Pay-i takes, and what exactly to send for it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from payi_otel.backfill.fields import CONTENT, FIELDS, FieldError, shown
from payi_otel.backfill.times import parse_time

_REQUIRED = ("category", "units", "event_timestamp")
_SPELLINGS = {"resource_scope": "scope"}
"""Names that the official SDK's offline file uses for fields of a bulk event."""
# Pay-i refuses later ones.
_FUTURE = timedelta(minutes=5)
_REJECTED_EVENT = frozenset({"line", "reason", "event"})
_REJECTED_TEXT = frozenset({"line", "reason", "text"})


@dataclass(frozen=True, slots=True)
class Checked:
    """An event ready to send: `body` is its JSON object, `at` its time.

    `assumed_utc` says that the row named no time zone.
    """

    body: Mapping[str, Any]
    at: datetime
    assumed_utc: bool


class BadEvent(ValueError):
    """The row cannot be sent. The message names each field that is wrong, its value and the fix."""


def unwrap(value: Any) -> Any:
    """The event itself, where a row is a line of a file of rejected events.

    Raises `BadEvent` where that line holds none.
    """
    if isinstance(value, dict):
        row = cast("dict[str, Any]", value)
        if row.keys() == _REJECTED_EVENT:
            return row["event"]
        if row.keys() == _REJECTED_TEXT:
            raise BadEvent("text: it could not be read as an event; give the event itself as 'event' instead")
    return value  # pyright: ignore[reportUnknownVariableType]


def with_defaults(value: Any, defaults: Mapping[str, Any]) -> Any:
    """A row with the fields that it lacks; properties and units are merged. What is no object stays as it is."""
    if not isinstance(value, dict) or not defaults:
        return value  # pyright: ignore[reportUnknownVariableType]
    merged = dict(defaults)
    for name, item in cast("dict[str, Any]", value).items():
        default = merged.get(name)
        if isinstance(item, dict) and isinstance(default, dict):
            merged[name] = {**cast("dict[str, Any]", default), **cast("dict[str, Any]", item)}
        elif not _is_unset(name, item) or name not in merged:
            merged[name] = item
    return merged


def check(value: Any, now: datetime) -> Checked:
    """Check a row that was read from a file.

    Raises `BadEvent`. `now` is the time that no event may be after.

    >>> check({"category": "system.openai", "units": {"text": {"input": 3}}, "event_timestamp": 1760000000},
    ...       now).body["event_timestamp"]  # doctest: +SKIP
    '2025-10-09T08:53:20+00:00'
    """
    if not isinstance(value, dict):
        raise BadEvent(f"{shown(value)}: not an event; give a JSON object")
    row: dict[str, Any] = {}
    problems: list[str] = []
    for spelling, item in cast("dict[str, Any]", value).items():
        name = _SPELLINGS.get(spelling, spelling)
        if _is_unset(name, item):
            continue
        if name not in FIELDS and name != "event_timestamp":
            problems.append(_unknown(name))
        row[name] = item
    body: dict[str, Any] = {}
    for name, item in row.items():
        if name in FIELDS:
            try:
                body[name] = FIELDS[name](item)
            except FieldError as error:
                problems.append(str(error))
            except ValueError as error:
                what = type(item).__name__ if name in CONTENT else shown(item)
                problems.append(f"{name}={what}: {error}")
    problems += [f"{name}: missing; {_how_to_give(name)}" for name in _REQUIRED if name not in row]
    at, assumed_utc = None, False
    if "event_timestamp" in row:
        try:
            at, assumed_utc = parse_time(row["event_timestamp"])
            if at > now + _FUTURE:
                raise ValueError("in the future, so Pay-i refuses it; give the time of the call")
            body["event_timestamp"] = at.isoformat()
        except ValueError as error:
            problems.append(f"event_timestamp={shown(row['event_timestamp'])}: {error}")
    if problems or at is None:
        raise BadEvent("; ".join(problems))
    return Checked(body, at, assumed_utc)


def _is_unset(name: str, value: Any) -> bool:
    # An empty category is a mistake; other empty texts are how files write "none".
    return value is None or (value == "" and name != "category")


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, [*FIELDS, "event_timestamp"], n=1)
    return f"{name}: unknown field; " + (f"is it {close[0]!r}?" if close else "remove it")


def _how_to_give(name: str) -> str:
    if name == "units":
        return 'give {"text": {"input": <tokens>, "output": <tokens>}} or what was billed'
    example = "system.openai" if name == "category" else "2026-10-05T13:45:00Z"
    return f"give it, or the same for all with --set {name}={example}"
