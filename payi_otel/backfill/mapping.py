"""From the columns of a CSV file to the fields of an event."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from payi_otel.backfill.fields import FIELDS, JSON_LISTS, LISTS, WHOLE_NUMBERS, shown

_MAPS = ("properties.", "use_case_properties.")
_SIDES = ("input", "output")
_NEEDED = ("category", "event_timestamp")


class BadMapping(ValueError):
    """A mapping does not fit. The message names the entry and the fix."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column goes to which field. `pairs` is (column, field); `ignored` are the columns that go nowhere."""

    pairs: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]

    def to_event(self, cells: Mapping[str, str]) -> dict[str, Any]:
        """The event of a row. A cell that does not convert stays text, for the check to complain about."""
        event: dict[str, Any] = {}
        for column, name in self.pairs:
            text = cells[column].strip()
            if text:
                put(event, name, text)
        return event


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """What the user says about fields: `pairs` of a column and a field, and `defaults` by field as text."""

    pairs: tuple[tuple[str, str], ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])

    def default_fields(self) -> dict[str, Any]:
        """The defaults as fields of an event."""
        event: dict[str, Any] = {}
        for name, text in self.defaults.items():
            put(event, name, text)
        return event

    def resolve(self, header: Sequence[str]) -> Columns:
        """Fit the mapping to the columns of a file; a column named like a field needs no entry.

        Raises `BadMapping` for a column that is not there, two columns for one field, a column that occurs twice,
        and where nothing gives a field that every event needs.
        """
        doubled = {name for name in header if header.count(name) > 1}
        if doubled:
            raise BadMapping(f"header: column {sorted(doubled)[0]!r} occurs twice; rename one")
        fields = dict(_pointed(left, right, header) for left, right in self.pairs)
        fields |= {name: name for name in header if name not in fields and is_field(name)}
        columns_of: dict[str, str] = {}
        for column, name in fields.items():
            if name in columns_of:
                raise BadMapping(
                    f"columns {columns_of[name]!r} and {column!r} both map to {name}; give one of them"
                )
            columns_of[name] = column
        given = {*columns_of, *self.defaults}
        missing = [name for name in _NEEDED if name not in given]
        if not any(name.startswith("units.") for name in given):
            missing.append("units.text.input")
        if missing:
            raise BadMapping(
                f"no column gives {', '.join(missing)}; add --map COLUMN={missing[0]} or --set {missing[0]}=VALUE. "
                f"Columns: {', '.join(header)}"
            )
        pairs = tuple((column, fields[column]) for column in header if column in fields)
        return Columns(pairs, tuple(column for column in header if column not in fields))


def parse_mapping(
    entries: Sequence[str], constants: Sequence[str] = (), mapping_file: Path | None = None
) -> FieldMapping:
    """The mapping of `--map` entries (`column=field`), `--set` entries (`field=value`) and a mapping file.

    The file is JSON: `{"map": {column: field}, "set": {field: value}}`. An entry of the command line replaces the
    file's. Raises `BadMapping`.
    """
    pairs: dict[str, str] = {}
    defaults: dict[str, str] = {}
    if mapping_file is not None:
        pairs, defaults = _read_file(mapping_file)
    for entry in entries:
        column, separator, name = entry.rpartition("=")
        if not separator or not column or not name:
            raise BadMapping(f"--map {entry!r}: give COLUMN=FIELD, such as prompt_tokens=units.text.input")
        if not is_field(name) and not is_field(column):
            raise BadMapping(f"--map {entry!r}: {_no_field(name)}")
        pairs[column] = name
    for entry in constants:
        name, separator, value = entry.partition("=")
        if not separator or not value:
            raise BadMapping(f"--set {entry!r}: give FIELD=VALUE, such as category=system.openai")
        if not is_field(name):
            raise BadMapping(f"--set {entry!r}: {_no_field(name)}")
        defaults[name] = value
    return FieldMapping(tuple(pairs.items()), defaults)


def is_field(name: str) -> bool:
    """Whether text names one value of an event, such as `resource`, `units.text.input` or `properties.team`."""
    if name.startswith("units."):
        unit, _, side = name.removeprefix("units.").rpartition(".")
        return bool(unit) and side in _SIDES
    if name.startswith(_MAPS):
        return not name.endswith(".")
    return name == "event_timestamp" or name == "resource_scope" or name in _SINGLE


_SINGLE = FIELDS.keys() - {"units", "properties", "use_case_properties"}


def put(event: dict[str, Any], name: str, text: str) -> None:
    """Set the field `name` of an event from text."""
    if name.startswith("units."):
        unit, _, side = name.removeprefix("units.").rpartition(".")
        event.setdefault("units", {}).setdefault(unit, {})[side] = _number(text)
        return
    group, separator, key = name.partition(".")
    if separator:
        event.setdefault(group, {})[key] = text
    elif name in WHOLE_NUMBERS:
        event[name] = _number(text)
    elif name in LISTS:
        event[name] = [item.strip() for item in text.split(",") if item.strip()]
    elif name in JSON_LISTS:
        event[name] = _json(text)
    else:
        event[name] = text


def _pointed(left: str, right: str, header: Sequence[str]) -> tuple[str, str]:
    """Column and field of an entry, in whichever order it names them."""
    if left in header and is_field(right):
        return left, right
    if right in header and is_field(left):
        return right, left
    column = left if is_field(right) else right
    raise BadMapping(f"--map {left}={right}: no column {column!r}; columns: {', '.join(header)}")


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _no_field(name: str) -> str:
    return (
        f"{name!r} is no field; give units.<unit>.input, units.<unit>.output, properties.<name>, "
        f"use_case_properties.<name>, event_timestamp, or one of {', '.join(sorted(_SINGLE))}"
    )


def _read_file(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    example = '{"map": {"prompt_tokens": "units.text.input"}, "set": {"category": "system.openai"}}'
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise BadMapping(f"--mapping {path}: {error.strerror}; give a JSON file like {example}") from None
    except ValueError as error:
        raise BadMapping(f"--mapping {path}: not JSON ({error}); give {example}") from None
    sections: list[dict[str, str]] = []
    known = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    if not known or known.keys() - {"map", "set"}:
        raise BadMapping(f"--mapping {path}: give an object with 'map' and 'set', like {example}")
    for section in ("map", "set"):
        entries = known.get(section, {})
        if not isinstance(entries, dict):
            raise BadMapping(f"--mapping {path}: {section}={shown(entries)}: give an object, like {example}")
        checked: dict[str, str] = {}
        for key, value in cast("dict[str, Any]", entries).items():
            text = value if isinstance(value, str) else json.dumps(value)
            name = text if section == "map" else key
            if not is_field(name):
                raise BadMapping(f"--mapping {path}: {section}.{key}={shown(value)}: {_no_field(name)}")
            checked[key] = text
        sections.append(checked)
    return sections[0], sections[1]
