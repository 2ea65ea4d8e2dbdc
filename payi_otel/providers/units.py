"""Tolerant reading of usage objects: whatever a provider leaves out, nulls or adds, nothing here raises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import Any

from payi_otel.providers.model import Units

EMPTY: Mapping[str, Any] = {}
# Bodies are dicts: asked first, it spares them the look-up of an abstract class, dozens of times per answer.
_DICT = frozenset({dict})


def whole(value: Any) -> int:
    """A count as a non-negative integer; 0 for whatever is none.

    >>> whole(3), whole(None), whole(-1), whole(2.5), whole("7")
    (3, 0, 0, 3, 0)
    """
    if type(value) is int:
        return value if value > 0 else 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return 0
    return max(0, math.ceil(value))


# These ask for the type, and not whether something is an instance: `isinstance` would have the type checker take a
# value of any type for one of an unknown type, and `cast` is a call.


def section(fields: Any, name: str) -> Mapping[str, Any]:
    """A nested object, empty where it is missing, null or something else."""
    value = fields.get(name) if type(fields) in _DICT or issubclass(type(fields), Mapping) else None
    return value if value and (type(value) in _DICT or issubclass(type(value), Mapping)) else EMPTY


def entries(fields: Any, name: str) -> list[Mapping[str, Any]]:
    """The objects of a nested list."""
    value = fields.get(name) if type(fields) in _DICT or issubclass(type(fields), Mapping) else None
    if not value or not issubclass(type(value), (list, tuple)):
        return []
    return [item for item in value if type(item) in _DICT or issubclass(type(item), Mapping)]


def text_of(fields: Any, name: str) -> str | None:
    """A string field, None where it is empty or something else."""
    value = fields.get(name) if type(fields) in _DICT or issubclass(type(fields), Mapping) else None
    return value if value and isinstance(value, str) else None


def counts_only(usage: Mapping[str, Any], names: Set[str]) -> bool:
    """Whether nothing is counted but whole numbers of these `names`: so it is in most answers.

    >>> counts_only({"input_tokens": 3, "details": {"cached_tokens": 0}, "tier": "default"}, {"input_tokens"})
    True
    """
    for name, value in usage.items():
        if not value:
            continue
        if type(value) is int:
            if name not in names:
                return False
        elif issubclass(type(value), dict):
            if any(value.values()):
                return False
        elif not isinstance(value, str):
            return False
    return True


class Purse:
    """Hands out a total to its parts: a part never takes more than is left, so the parts never exceed it."""

    def __init__(self, total: int) -> None:
        self.left = total

    def take(self, count: int) -> int:
        """Up to `count` of what is left."""
        taken = min(count, self.left)
        self.left -= taken
        return taken


class Tally:
    """Units by name; zero counts are left out, but for `text`, which says that usage was told."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}

    def add(self, name: str, *, input: int = 0, output: int = 0, keep_zero: bool = False) -> None:
        """Add to a unit."""
        if input or output or keep_zero:
            before = self._counts.get(name, (0, 0))
            self._counts[name] = (before[0] + input, before[1] + output)

    def units(self, suffix: str = "", unsuffixed: Set[str] = frozenset()) -> dict[str, Units]:
        """The units; `suffix` is put behind every name that is not in `unsuffixed`."""
        return {
            name if name in unsuffixed else name + suffix: Units(*counts)
            for name, counts in self._counts.items()
        }


def unknown_counters(usage: Mapping[str, Any], known: Set[str], prefix: str = "") -> dict[str, str]:
    """Non-zero numbers nobody here reads, as request properties: new counters appear there before the docs."""
    found: dict[str, str] = {}
    for name, value in usage.items():
        if isinstance(value, (int, float)):
            if value and name not in known and not isinstance(value, bool):
                found[f"system.unknown_usage.{prefix}{name}"] = str(value)
        elif value and issubclass(type(value), Mapping):
            found |= unknown_counters(value, known, f"{prefix}{name}.")
    return found
