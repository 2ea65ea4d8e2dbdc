"""What the doctor says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]
_MARKS = {"ok": " ok ", "note": "note", "problem": "FAIL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A "problem" says what to do about it; a "note" is good to know."""

    level: Level
    topic: str
    text: str


def report(findings: Iterable[Finding]) -> str:
    """The findings as lines of text.

    >>> report([Finding("ok", "key", "accepted")])
    ' ok   key           accepted'
    """
    return "\n".join(f"{_MARKS[one.level]}  {one.topic:<13} {one.text}" for one in findings)
