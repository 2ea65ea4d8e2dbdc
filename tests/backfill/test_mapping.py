"""Columns to fields."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from payi_otel.backfill.mapping import BadMapping, is_field, parse_mapping

HEADER = ["Model", "Prompt Tokens", "out", "when", "team"]
MAPS = ["Model=resource", "Prompt Tokens=units.text.input", "out=units.text.output", "when=event_timestamp"]
SET = ["category=system.openai"]


def test_a_row_becomes_an_event() -> None:
    mapping = parse_mapping([*MAPS, "team=properties.team"], SET)
    columns = mapping.resolve([*HEADER, "junk"])
    assert columns.ignored == ("junk",)
    row = {"Model": "m", "Prompt Tokens": "12", "out": " 3.0 ", "when": "2026-01-02", "team": "", "junk": "x"}
    assert columns.to_event(row) == {
        "resource": "m",
        "units": {"text": {"input": 12, "output": 3}},
        "event_timestamp": "2026-01-02",
    }
    assert mapping.default_fields() == {"category": "system.openai"}


def test_columns_named_like_fields_need_no_entry() -> None:
    header = [
        "category",
        "event_timestamp",
        "units.image.standard.1024x1024.output",
        "limit_ids",
        "provider_response_function_calls",
        "use_case_version",
        "use_case_properties.a.b",
    ]
    cells = ["c", "t", "2", "a, b,", '[{"name": "f"}]', "4", "x=1"]
    assert parse_mapping([]).resolve(header).to_event(dict(zip(header, cells, strict=True))) == {
        "category": "c",
        "event_timestamp": "t",
        "units": {"image.standard.1024x1024": {"output": 2}},
        "limit_ids": ["a", "b"],
        "provider_response_function_calls": [{"name": "f"}],
        "use_case_version": 4,
        "use_case_properties": {"a.b": "x=1"},
    }


def test_an_entry_may_name_the_field_first() -> None:
    turned = [f"{field}={column}" for column, field in (entry.split("=") for entry in MAPS)]
    assert parse_mapping(turned, SET).resolve(HEADER) == parse_mapping(MAPS, SET).resolve(HEADER)


def test_a_column_may_hold_an_equals_sign() -> None:
    header = ["a=b", "event_timestamp", "units.text.input"]
    columns = parse_mapping(["a=b=resource"], SET).resolve(header)
    assert ("a=b", "resource") in columns.pairs


def test_a_mapping_file_and_the_command_line_over_it(tmp_path: Path) -> None:
    path = tmp_path / "mapping.json"
    path.write_text(
        json.dumps({"map": {"Model": "user_id", "n": "resource"}, "set": {"use_case_version": 3}})
    )
    mapping = parse_mapping(["Model=resource"], ["use_case_name=chat"], path)
    assert mapping.pairs == (("Model", "resource"), ("n", "resource"))
    assert mapping.default_fields() == {"use_case_version": 3, "use_case_name": "chat"}


@pytest.mark.parametrize(
    ("maps", "constants", "header", "said"),
    [
        (["Model"], [], HEADER, "--map 'Model': give COLUMN=FIELD"),
        (["=resource"], [], HEADER, "--map '=resource': give COLUMN=FIELD"),
        (["Model=resorce"], [], HEADER, "--map 'Model=resorce': 'resorce' is no field; give units."),
        (
            ["Modell=resource"],
            SET,
            HEADER,
            "--map Modell=resource: no column 'Modell'; columns: Model, Prompt",
        ),
        ([], ["category"], HEADER, "--set 'category': give FIELD=VALUE"),
        ([], ["categry=x"], HEADER, "--set 'categry=x': 'categry' is no field"),
        ([*MAPS, "team=resource"], SET, HEADER, "columns 'Model' and 'team' both map to resource"),
        (MAPS, [], HEADER, "no column gives category; add --map COLUMN=category or --set category=VALUE"),
        (MAPS[:1], SET, HEADER, "no column gives event_timestamp, units.text.input"),
        (MAPS, SET, [*HEADER, "when"], "header: column 'when' occurs twice; rename one"),
    ],
)
def test_what_does_not_fit(maps: list[str], constants: list[str], header: list[str], said: str) -> None:
    with pytest.raises(BadMapping) as caught:
        parse_mapping(maps, constants).resolve(header)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[]", "give an object with 'map' and 'set'"),
        ('{"maps": {}}', "give an object with 'map' and 'set'"),
        ('{"map": ["a"]}', "map=['a']: give an object"),
        ('{"map": {"Model": "resorce"}}', "map.Model='resorce': 'resorce' is no field"),
        ('{"set": {"colour": "x"}}', "set.colour='x': 'colour' is no field"),
    ],
)
def test_a_mapping_file_that_is_wrong(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "mapping.json"
    path.write_text(content)
    with pytest.raises(BadMapping) as caught:
        parse_mapping([], [], path)
    assert f"--mapping {path}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_mapping_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadMapping, match="No such file"):
        parse_mapping([], [], tmp_path / "none.json")


@pytest.mark.parametrize(
    "name", ["units.text.input", "units.a.b.output", "properties.a.b", "resource", "scope"]
)
def test_fields(name: str) -> None:
    assert is_field(name)


@pytest.mark.parametrize(
    "name", ["units", "units.text", "units..input", "units.input", "properties.", "properties", ""]
)
def test_not_fields(name: str) -> None:
    assert not is_field(name)
