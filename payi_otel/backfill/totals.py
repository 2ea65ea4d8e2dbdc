"""What a file holds and what became of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, cast

from payi_otel.backfill.check import Checked

_MOST_USE_CASES = 1_000
_OTHERS = "(others)"
_NONE = "(none)"


@dataclass(slots=True)
class Totals:
    """Counts of one import, over all its runs.

    events: rows that are right. sent: events that Pay-i has. rejected: rows that are wrong and events that Pay-i
    refused. without_id: events that got an id from their content. assumed_utc: events whose time names no zone.
    units: unit → [input, output]. use_cases: name → events. first, last: earliest and latest time, ISO 8601.
    """

    events: int = 0
    sent: int = 0
    rejected: int = 0
    without_id: int = 0
    assumed_utc: int = 0
    first: str | None = None
    last: str | None = None
    units: dict[str, list[int]] = field(default_factory=dict[str, "list[int]"])
    use_cases: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, event: Checked) -> None:
        """Count an event that is right."""
        self.events += 1
        self.without_id += "provider_response_id" not in event.body
        self.assumed_utc += event.assumed_utc
        at = event.at.isoformat()
        # Read back as times: with and without a fraction they do not sort as text.
        if self.first is None or event.at < datetime.fromisoformat(self.first):
            self.first = at
        if self.last is None or event.at > datetime.fromisoformat(self.last):
            self.last = at
        for name, counts in cast("Mapping[str, Mapping[str, int]]", event.body["units"]).items():
            sums = self.units.setdefault(name, [0, 0])
            sums[0] += counts.get("input", 0)
            sums[1] += counts.get("output", 0)
        name = event.body.get("use_case_name", _NONE)
        if name not in self.use_cases and len(self.use_cases) >= _MOST_USE_CASES:
            name = _OTHERS
        self.use_cases[name] = self.use_cases.get(name, 0) + 1

    def to_json(self) -> str:
        """As text to keep."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Totals:
        """From the text of `to_json`."""
        return cls(**cast("dict[str, Any]", json.loads(text)))
