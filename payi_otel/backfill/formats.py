"""Which format a file has."""

from __future__ import annotations

from typing import Literal

from payi_otel.backfill.csv_rows import open_table
from payi_otel.backfill.json_array import read_json_array
from payi_otel.backfill.json_lines import read_json_lines
from payi_otel.backfill.mapping import FieldMapping
from payi_otel.backfill.rows import FileDamaged, Reader
from payi_otel.backfill.source import Source, SourceDamaged

FileFormat = Literal["jsonl", "json", "csv"]
FORMATS: tuple[FileFormat, ...] = ("jsonl", "json", "csv")

_HEAD_BYTES = 4096
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def detect_format(source: Source) -> FileFormat:
    """The format a file's first characters show; an empty file passes for JSON lines.

    Raises `FileDamaged` for what is no text.
    """
    source.seek(0)
    try:
        head = source.read(_HEAD_BYTES)
    except SourceDamaged as error:
        raise FileDamaged(f"{error}; pack the file again") from None
    if head.startswith(_UTF16_BOMS):
        raise FileDamaged("the file is UTF-16; save it as UTF-8")
    if b"\0" in head:
        raise FileDamaged("the file is no text; give JSON lines, a JSON array or CSV, as it is or as gzip")
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"[":
        return "json"
    return "jsonl" if first in (b"{", b"") else "csv"


def reader_for(
    source: Source, file_format: FileFormat, mapping: FieldMapping, delimiter: str | None = None
) -> Reader:
    """What reads the rows of the file.

    Raises `BadMapping` where a mapping does not fit, and `FileDamaged` where not even a header can be read.
    """
    if file_format == "json":
        return read_json_array
    if file_format == "jsonl":
        return read_json_lines
    return open_table(source, mapping, delimiter)
