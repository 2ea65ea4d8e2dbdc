"""One import: reads, checks, sends, and keeps what is settled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from payi_otel.backfill.check import BadEvent, Checked, check, unwrap, with_defaults
from payi_otel.backfill.ids import content_digest, event_id
from payi_otel.backfill.progress import Progress
from payi_otel.backfill.rejected import Rejected, RejectedFile
from payi_otel.backfill.rows import FileDamaged, Position, Reader, Row
from payi_otel.backfill.sender import Outgoing, Sender
from payi_otel.backfill.source import Source
from payi_otel.backfill.totals import Totals

BATCH_EVENTS = 500
BATCH_BYTES = 1_000_000
_LARGEST_PART = 2_000

Told = Callable[[Rejected], None]


@dataclass(frozen=True, slots=True)
class Input:
    """The rows of a file: how they are read, and the fields of those that lack them."""

    source: Source
    reader: Reader
    defaults: Mapping[str, Any]


@dataclass(slots=True)
class _Part:
    """Rows that are settled together, and the position after them."""

    end: Position
    good: list[tuple[int, Checked]] = field(default_factory=list[tuple[int, Checked]])
    bad: list[Rejected] = field(default_factory=list[Rejected])


def dry_run(rows: Input, rejected: Told, advanced: Callable[[], None]) -> tuple[Totals, str | None]:
    """Check every row and send none; the totals, and why the file cannot be read to its end if so.

    `rejected` is told each row that is wrong; `advanced` that some rows are done.
    """
    totals = Totals()
    try:
        for part in _parts(rows, Position()):
            for _, event in part.good:
                totals.add(event)
            for row in part.bad:
                totals.rejected += 1
                rejected(row)
            advanced()
    except FileDamaged as error:
        return totals, str(error)
    return totals, None


def send_all(
    rows: Input,
    sender: Sender,
    progress: Progress,
    rejects: RejectedFile,
    rejected: Told,
    advanced: Callable[[], None],
) -> str | None:
    """Send what `progress` has not settled yet; why the file cannot be read to its end if so.

    Raises what `Sender.send` raises, and `OSError` where a file cannot be written; what is settled by then stays
    so. `progress.totals` counts all runs.
    """
    totals = Totals.from_json(progress.totals.to_json())
    try:
        for part in _parts(rows, progress.position):
            refused = _send(part, sender, progress, totals)
            totals.sent += len(part.good) - len(refused)
            wrong = sorted([*part.bad, *refused], key=lambda row: row.line)
            totals.rejected += len(wrong)
            rejects.write(wrong)
            progress.save(part.end, totals, rejects.size)
            for row in wrong:
                rejected(row)
            advanced()
    except FileDamaged as error:
        return str(error)
    progress.finish()
    return None


def _send(part: _Part, sender: Sender, progress: Progress, totals: Totals) -> list[Rejected]:
    outgoing: list[Outgoing] = []
    for line, event in part.good:
        totals.add(event)
        body = event.body
        if "provider_response_id" not in body:
            digest = content_digest(body)
            body = {"provider_response_id": event_id(digest, progress.occurrence(digest)), **body}
        # A lone surrogate, as in a cut emoji, has no UTF-8: better one "?" than a lost event.
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        outgoing.append(Outgoing(line, text.encode("utf-8", "replace")))
    if not outgoing:
        return []
    refusals = sender.send(outgoing)
    # With the id they were sent under, so that a corrected line replaces nothing else.
    return [Rejected(item.event.line, item.reason, json.loads(item.event.payload)) for item in refusals]


def _parts(rows: Input, start: Position) -> Iterator[_Part]:
    part = _Part(start)
    size = 0
    try:
        for row in rows.reader(rows.source, start):
            _sort_in(part, row, rows.defaults)
            size += row.end.offset - part.end.offset
            part.end = row.end
            count = len(part.good) + len(part.bad)
            if len(part.good) >= BATCH_EVENTS or count >= _LARGEST_PART or size >= BATCH_BYTES:
                yield part
                part, size = _Part(row.end), 0
    except FileDamaged:
        # What came before the damage is good.
        if part.good or part.bad:
            yield part
        raise
    if part.good or part.bad:
        yield part


def _sort_in(part: _Part, row: Row, defaults: Mapping[str, Any]) -> None:
    if row.problem is not None:
        part.bad.append(Rejected(row.line, row.problem, text=row.text or ""))
        return
    event = row.value
    try:
        event = with_defaults(unwrap(event), defaults)
        part.good.append((row.line, check(event, datetime.now(timezone.utc))))
    except BadEvent as error:
        part.bad.append(Rejected(row.line, str(error), event))
