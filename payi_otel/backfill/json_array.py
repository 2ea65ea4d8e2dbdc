"""One JSON array of events, also the official SDK's offline file, read piece by piece.

The parsers for large JSON files that exist tell neither the line nor the byte of an item; both are needed to name
what is wrong and to go on after a stop.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

from payi_otel.backfill.rows import LONGEST_ROW_BYTES, FileDamaged, Position, Row
from payi_otel.backfill.source import Source, SourceDamaged

_PIECE_BYTES = 256 * 1024
_SPACE = " \t\r\n\ufeff"
# A value that is cut fails at the end of what is there: at most this many characters before it.
_LONGEST_CUT_WORD = 16


def read_json_array(source: Source, start: Position) -> Iterator[Row]:
    """The events of a file that is one JSON array. A damaged place ends the reading: what follows has no start."""
    text = _Text(source, start)
    try:
        source.seek(start.offset)
        first = start.offset == 0
        if first:
            text.expect("[")
        while text.peek() != "]":
            if not first:
                text.expect(",")
                text.peek()
            first = False
            line = text.position.line
            value = text.value()
            yield Row(line, text.position, value)
        text.expect("]")
        if text.peek():
            raise text.damaged("something follows the array")
    except SourceDamaged as error:
        raise text.damaged(str(error)) from None


class _Text:
    """A piece of the file, and the place in it."""

    def __init__(self, source: Source, start: Position) -> None:
        self.position = start
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._piece = ""
        self._at = 0
        self._ended = False

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            at = self._at
            while at < len(self._piece) and self._piece[at] in _SPACE:
                at += 1
            self._move_to(at)
            if at < len(self._piece):
                return self._piece[at]
            if self._ended:
                return ""
            self._fill()

    def expect(self, character: str) -> None:
        found = self.peek()
        if found != character:
            wrong = f"{found!r} stands here" if found else "the file ends here"
            raise self.damaged(f"{wrong} where {character!r} belongs")
        self._move_to(self._at + 1)

    def value(self) -> Any:
        """The JSON value that begins here."""
        while True:
            try:
                value, end = self._json.raw_decode(self._piece, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos > len(self._piece) - _LONGEST_CUT_WORD
                if self._ended or not cut:
                    what = "the file ends inside an event" if cut else f"not JSON ({error.msg})"
                    raise self.damaged(what) from None
                if len(self._piece) - self._at > LONGEST_ROW_BYTES:
                    raise self.damaged(f"an event of more than {LONGEST_ROW_BYTES:,} bytes") from None
            except (ValueError, RecursionError) as error:
                raise self.damaged(f"not readable as JSON ({error})") from None
            else:
                # A number that reaches to the end of the piece may go on in the next one.
                if end < len(self._piece) or self._ended:
                    self._move_to(end)
                    return value
            self._fill()

    def damaged(self, what: str) -> FileDamaged:
        return FileDamaged(
            f"line {self.position.line}: {what}; the events before are not affected, "
            "put the file right and import it again"
        )

    def _move_to(self, at: int) -> None:
        passed = self._piece[self._at : at]
        self.position = Position(
            self.position.offset + len(passed.encode()), self.position.line + passed.count("\n")
        )
        self._at = at

    def _fill(self) -> None:
        rest = self._piece[self._at :]
        # At least doubled, so that a long event is not scanned over and over.
        raw = self._source.read(max(_PIECE_BYTES, len(rest)))
        self._ended = not raw
        try:
            self._piece = rest + self._decoder.decode(raw, final=self._ended)
        except UnicodeDecodeError:
            raise self.damaged("text that is not UTF-8 in what follows here") from None
        self._at = 0
