"""The file of what could not be stored, with the reasons; put right, it can be imported itself."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of the file that is not stored: its `line`, the `reason`, and the `event`, or its `text` if it is none."""

    line: int
    reason: str
    event: Any = None
    text: str | None = None

    def to_json(self) -> bytes:
        """A line of the file."""
        what = {"event": self.event} if self.text is None else {"text": self.text}
        record = {"line": self.line, "reason": self.reason, **what}
        return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class RejectedFile:
    """Collects rejected rows in a file that only its owner can read; it is made with the first of them.

    `size` is what an interrupted import had settled: what it wrote after that is written again, so it is cut off.
    Methods raise `OSError` where the file cannot be written.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path = path
        self.size = size
        self.moved_to: Path | None = None
        self._file: BufferedWriter | None = None

    def keep_earlier(self) -> None:
        """Give a file that is there already another name, `moved_to`: somebody may be putting it right."""
        if self.path.exists() and self.path.stat().st_size:
            number = 1
            while (aside := self.path.with_name(f"{self.path.name}.{number}")).exists():
                number += 1
            self.moved_to = self.path.rename(aside)

    def write(self, rows: Sequence[Rejected]) -> None:
        """Add rows; they are on disk afterwards."""
        if not rows:
            return
        if self._file is None:
            self._file = self._open()
        for row in rows:
            self._file.write(row.to_json())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.size = self._file.tell()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> BufferedWriter:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        file = os.fdopen(fd, "wb")
        # Smaller where somebody has taken away what was there.
        settled = min(self.size, os.fstat(fd).st_size)
        file.truncate(settled)
        file.seek(settled)
        return file
