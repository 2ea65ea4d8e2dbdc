"""Reading files: every format, from any row on, packed or not, whole or damaged."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payi_otel.backfill import json_array
from payi_otel.backfill.formats import FileFormat, detect_format, reader_for
from payi_otel.backfill.mapping import parse_mapping
from payi_otel.backfill.rows import FileDamaged, Position, Row
from payi_otel.backfill.source import Source, fingerprint

FLAT = parse_mapping([], ["category=c"])
HEADER = ["event_timestamp", "units.text.input", "properties.m"]


def read(path: Path, start: Position | None = None) -> list[Row]:
    """All rows of a file, in the format it shows."""
    with Source(path) as source:
        reader = reader_for(source, detect_format(source), FLAT)
        return list(reader(source, start or Position()))


def read_until_damage(source: Source, file_format: FileFormat) -> tuple[list[Row], str]:
    """The rows before the damage, and what is said of it."""
    rows: list[Row] = []
    try:
        for row in reader_for(source, file_format, FLAT)(source, Position()):
            rows.append(row)
    except FileDamaged as error:
        return rows, str(error)
    raise AssertionError("no damage was found")


def write(path: Path, content: str | bytes, *, packed: bool = False) -> Path:
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path


# What survives every format: no text that CSV or a line would take for its own.
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), max_size=30)
objects = st.fixed_dictionaries(
    {"m": texts, "i": st.text("abc", min_size=1), "n": st.integers(0, 10), "t": st.just("2026-01-01")}
)


def as_lines(items: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)


def as_array(items: list[dict[str, Any]]) -> str:
    return json.dumps(items, ensure_ascii=False)


def as_pretty_array(items: list[dict[str, Any]]) -> str:
    return "\n" + json.dumps(items, indent=2) + "\n"


def as_csv(items: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*HEADER, "user_id"])
    writer.writerows([item["t"], item["n"], item["m"], item["i"]] for item in items)
    return text.getvalue()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", [as_lines, as_array, as_pretty_array, as_csv])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(objects, max_size=8))
def test_reading_goes_on_after_any_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any, packed: bool, items: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(json_array, "_PIECE_BYTES", 16)
    path = write(tmp_path / "file", form(items), packed=packed)
    rows = read(path)
    assert [row.problem for row in rows] == [None] * len(items)
    if form is not as_csv:
        assert [row.value for row in rows] == items
    else:
        assert [row.value.get("properties", {}).get("m", "") for row in rows] == [
            item["m"].strip() for item in items
        ]
    for index, row in enumerate(rows):
        assert read(path, row.end) == rows[index + 1 :]


def table_of(*rows: str) -> str:
    return "\n".join([",".join(HEADER), *rows, ""])


def test_lines_are_counted(tmp_path: Path) -> None:
    lines = write(tmp_path / "a", '{"a": 1}\n\n{"a": 2}\r\n{"a": 3}')
    assert [(row.line, row.value) for row in read(lines)] == [(1, {"a": 1}), (3, {"a": 2}), (4, {"a": 3})]
    array = write(tmp_path / "b", '[\n{"a":\n1},\n\n{"a": 2}]')
    assert [(row.line, row.value) for row in read(array)] == [(2, {"a": 1}), (5, {"a": 2})]
    table = write(tmp_path / "c", table_of('1,2,"x\ny"', "", "3,4,z"))
    assert [(row.line, row.value["properties"]["m"]) for row in read(table)] == [(2, "x\ny"), (5, "z")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"a": 1}', "jsonl"),
        ("", "jsonl"),
        ("\ufeff \n[", "json"),
        ("[]", "json"),
        ("a,b\n1,2\n", "csv"),
        ("\ufeffa;b", "csv"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_formats_are_told_apart(tmp_path: Path, content: str, expected: str, packed: bool) -> None:
    with Source(write(tmp_path / "x.txt", content, packed=packed)) as source:
        assert detect_format(source) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [("a".encode("utf-16"), "UTF-16; save it as UTF-8"), (b"PK\x03\x04\0\0", "no text; give JSON lines")],
)
def test_what_is_no_text(tmp_path: Path, content: bytes, said: str) -> None:
    with Source(write(tmp_path / "x", content)) as source, pytest.raises(FileDamaged, match=said):
        detect_format(source)


def test_byte_order_marks_belong_to_nothing(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a", '\ufeff{"a": 1}\n'))[0].value == {"a": 1}
    assert read(write(tmp_path / "b", '\ufeff[{"a": 1}]'))[0].value == {"a": 1}
    assert read(write(tmp_path / "c", "\ufeff" + table_of("1,2,")))[0].value["event_timestamp"] == "1"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_seen(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path / "c", table_of("1,2,").replace(",", delimiter).replace("\n", "\r\n"))
    assert read(path)[0].value == {"event_timestamp": "1", "units": {"text": {"input": 2}}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"a": 1', "not JSON: .* at column"),
        (b'{"a": 1} {"a": 2}', "not JSON: Extra data"),
        (b'{"a": "\xff"}', "byte 8 of the line is not UTF-8"),
        (b"[" * 100_000, "not readable as JSON|not JSON"),
    ],
)
def test_a_wrong_line_costs_no_other(tmp_path: Path, line: bytes, said: str) -> None:
    path = write(tmp_path / "x", b'{"n": 1}\n' + line + b'\n{"n": 2}\n')
    first, wrong, last = read(path)
    assert (first.value, last.value, last.line) == ({"n": 1}, {"n": 2}, 3)
    assert (wrong.line, wrong.value) == (2, None)
    assert wrong.text is not None
    assert wrong.problem is not None
    assert re.search(said, wrong.problem)


@pytest.mark.parametrize(
    ("row", "said", "lines"),
    [
        (b"1,2,3,4", "4 cells under a header of 3", 1),
        (b"1,2", "2 cells under a header of 3", 1),
        (b'1,"a"b,3', "the line is not CSV", 1),
        (b"1,\xff,3", "byte 3 of the line is not UTF-8", 1),
    ],
)
def test_a_wrong_csv_row_costs_no_other(tmp_path: Path, row: bytes, said: str, lines: int) -> None:
    path = write(tmp_path / "x", table_of("1,1,a").encode() + row + b"\n1,2,b\n")
    first, wrong, last = read(path)
    assert (first.line, wrong.line, last.line) == (2, 3, 3 + lines)
    assert wrong.problem is not None
    assert said in wrong.problem
    assert last.value["properties"] == {"m": "b"}


def test_a_quote_that_never_ends_names_all_lines_it_covers(tmp_path: Path) -> None:
    first, wrong = read(write(tmp_path / "x", table_of("1,1,a", '1,2,"b', "1,3,c", "1,4,d")))
    assert first.problem is None
    assert wrong.problem is not None
    assert wrong.problem.startswith("lines 3 to 5 are not CSV")


def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payi_otel.backfill.json_lines.LONGEST_ROW_BYTES", 100)
    path = write(tmp_path / "x", '{"n": 1}\n' + '{"n": "' + "x" * 950 + '"}\n{"n": 2}\n')
    first, wrong, last = read(path)
    assert (first.value, last.value, last.line) == ({"n": 1}, {"n": 2}, 3)
    assert wrong.problem is not None
    assert "longer than 100 bytes" in wrong.problem


@pytest.mark.parametrize(
    ("content", "good", "said"),
    [
        ('[{"n": 1},\n{"n": 2', 1, "line 2: the file ends inside an event"),
        ('[{"n": 1},\n{"n": "x', 1, "line 2: the file ends inside an event"),
        ('[{"n": 1}', 1, "line 1: the file ends here where ',' belongs"),
        ('[{"n": 1}\n{"n": 2}]', 1, "line 2: '{' stands here where ',' belongs"),
        ('[{"n": 1},\n{n: 2}, {"n": 3}, {"n": 4}]', 1, "line 2: not JSON"),
        ('[{"n": 1}]\n[]', 1, "line 2: something follows the array"),
        ("[", 0, "line 1: the file ends"),
        (b'[{"n": 1},\n{"n": "\xff"}]', 0, "not UTF-8"),
    ],
)
def test_an_array_is_read_up_to_its_damage(tmp_path: Path, content: Any, good: int, said: str) -> None:
    with Source(write(tmp_path / "x", content)) as source:
        rows, damage = read_until_damage(source, "json")
    assert said in damage
    assert len(rows) == good


@pytest.mark.parametrize("form", [as_lines, as_array, as_csv])
def test_packed_data_that_is_cut(tmp_path: Path, form: Any) -> None:
    items = [{"t": "2026-01-01", "n": index, "m": f"{index * 7919:x}", "i": "a"} for index in range(30_000)]
    whole = gzip.compress(form(items).encode())
    path = tmp_path / "x.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with Source(path) as source:
        rows, damage = read_until_damage(source, detect_format(source))
    assert re.match(r"line \d+: ", damage)
    assert 0 < len(rows) < len(items)


def test_one_version_of_a_file_is_told_from_another(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "x" * 200_000)
    before = fingerprint(path)
    assert fingerprint(path.rename(tmp_path / "b")) == before
    path = write(tmp_path / "b", "x" * 200_001)
    assert fingerprint(path) != before
