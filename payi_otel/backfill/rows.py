"""What every file format yields: rows with their line, and where to go on after each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from payi_otel.backfill.source import Source

LONGEST_ROW_BYTES = 64 * 1024 * 1024
"""A longer row is refused instead of read into memory."""


class FileDamaged(Exception):
    """The file cannot be read any further. What came before is good; the message names the line and the fix."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on: `offset` in bytes of the unpacked content, and the number of the line there, from 1."""

    offset: int = 0
    line: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One event of the file, as it stands there.

    `line` is where it begins and `end` where the next one does. `value` is what was read; where nothing could be
    read, `problem` says why and `text` is the row itself.
    """

    line: int
    end: Position
    value: Any = None
    problem: str | None = None
    text: str | None = None


class Reader(Protocol):
    """Reads the rows of a source from a position that an earlier row ended at."""

    def __call__(self, source: Source, start: Position) -> Iterator[Row]:
        """Yields rows; raises `FileDamaged` where it cannot go on."""
        ...
