"""JSON lines: one event a line. A line that is wrong costs no other line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from payi_otel.backfill.rows import LONGEST_ROW_BYTES, FileDamaged, Position, Row
from payi_otel.backfill.source import Source, SourceDamaged

_BOM = b"\xef\xbb\xbf"


def read_json_lines(source: Source, start: Position) -> Iterator[Row]:
    """The events of a JSON lines file; empty lines are passed over."""
    offset, line = start.offset, start.line
    try:
        source.seek(offset)
        while raw := source.readline(LONGEST_ROW_BYTES):
            size = len(raw)
            too_long = size == LONGEST_ROW_BYTES and not raw.endswith(b"\n")
            if too_long:
                size += _skip_line(source)
            begins, offset, line = line, offset + size, line + 1
            end = Position(offset, line)
            if too_long:
                yield Row(
                    begins, end, problem=f"longer than {LONGEST_ROW_BYTES:,} bytes; make the event smaller"
                )
            elif raw.strip():
                yield _row(raw.removeprefix(_BOM), begins, end)
    except SourceDamaged as error:
        raise FileDamaged(f"line {line}: {error}; pack the file again") from None


def _row(raw: bytes, line: int, end: Position) -> Row:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} of the line is not UTF-8; save the file as UTF-8"
        return Row(line, end, problem=problem, text=raw.decode("utf-8", "backslashreplace"))
    try:
        return Row(line, end, json.loads(text))
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg} at column {error.colno}; give one whole event on each line"
    except (ValueError, RecursionError) as error:
        problem = f"not readable as JSON: {error}"
    return Row(line, end, problem=problem, text=text.rstrip("\r\n"))


def _skip_line(source: Source) -> int:
    skipped = 0
    while raw := source.readline(LONGEST_ROW_BYTES):
        skipped += len(raw)
        if raw.endswith(b"\n"):
            break
    return skipped
