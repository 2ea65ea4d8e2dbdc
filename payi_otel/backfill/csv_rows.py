"""CSV with a header line. A row that is wrong costs no other row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from payi_otel.backfill.mapping import Columns, FieldMapping
from payi_otel.backfill.rows import LONGEST_ROW_BYTES, FileDamaged, Position, Row
from payi_otel.backfill.source import Source, SourceDamaged

_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV file whose header is read: what parts its cells, and which column goes where."""

    header: Sequence[str]
    columns: Columns
    delimiter: str
    first: Position
    """Where the rows begin."""

    def __call__(self, source: Source, start: Position) -> Iterator[Row]:
        """The events of the file."""
        lines = _Lines(source, start if start.offset else self.first)
        rows = csv.reader(lines, delimiter=self.delimiter, strict=True)
        while True:
            begins = lines.position.line
            try:
                cells = next(rows)
            except StopIteration:
                return
            except SourceDamaged as error:
                raise FileDamaged(f"line {begins}: {error}; pack the file again") from None
            except csv.Error as error:
                yield Row(begins, lines.position, problem=_not_csv(error, begins, lines.position.line - 1))
                continue
            except UnicodeDecodeError as error:
                problem = f"byte {error.start + 1} of the line is not UTF-8; save the file as UTF-8"
                yield Row(begins, lines.position, problem=problem)
                continue
            if not any(cell.strip() for cell in cells):
                continue
            end = lines.position
            if len(cells) != len(self.header):
                problem = f"{len(cells)} cells under a header of {len(self.header)}"
                text = self.delimiter.join(cells)
                yield Row(
                    begins, end, problem=f"{problem}; quote cells that hold {self.delimiter!r}", text=text
                )
            else:
                yield Row(begins, end, self.columns.to_event(dict(zip(self.header, cells, strict=True))))


def open_table(source: Source, mapping: FieldMapping, delimiter: str | None) -> CsvTable:
    """Read the header. The delimiter is what parts it best, of comma, semicolon, tab and bar, unless given.

    Raises `BadMapping` where the mapping does not fit the columns.
    """
    # The only setting for it, and the process is the command's own. A cell of a row is not longer than the row.
    csv.field_size_limit(LONGEST_ROW_BYTES)
    lines = _Lines(source, Position())
    try:
        first = next(lines).removeprefix("\ufeff")
        chosen = delimiter or max(_DELIMITERS, key=first.count)
        header = next(csv.reader([first], delimiter=chosen, strict=True))
    except (csv.Error, SourceDamaged, UnicodeDecodeError) as error:
        raise FileDamaged(f"line 1: the header is not CSV ({error}); save the file as CSV in UTF-8") from None
    names = [name.strip() for name in header]
    return CsvTable(names, mapping.resolve(names), chosen, lines.position)


def _not_csv(error: csv.Error, first: int, last: int) -> str:
    where = f"lines {first} to {last} are" if last > first else "the line is"
    return f"{where} not CSV ({error}); put cells with quotes, delimiters or line ends in double quotes"


class _Lines:
    """The lines of a source as text, for the CSV reader, which takes no line ahead of time."""

    def __init__(self, source: Source, start: Position) -> None:
        self.position = start
        self._source = source
        source.seek(start.offset)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._source.readline(LONGEST_ROW_BYTES)
        if not raw:
            raise StopIteration
        self.position = Position(self.position.offset + len(raw), self.position.line + 1)
        return raw.decode()
