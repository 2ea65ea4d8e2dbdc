"""What the tests of the outbox share."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from payi_otel.delivery.durable import DurableOutbox
from payi_otel.delivery.outbox import Entry, EntryKind, Stored


def outbox_in(folder: Path, *, max_bytes: int = 2**29, spill_max_bytes: int = 2**20) -> DurableOutbox:
    return DurableOutbox(folder, max_bytes=max_bytes, spill_max_bytes=spill_max_bytes)


def stored(
    key: int, name: str | None = None, kind: EntryKind = "event", payload: bytes | None = None
) -> Stored:
    name = name or f"resp_{key}"
    if payload is None:
        payload = json.dumps(
            {"provider_response_id": name, "category": "system.openai", "units": {}}
        ).encode()
    return Stored(key, Entry(kind, name, payload), time.time())


def several(keys: Iterable[int]) -> list[Stored]:
    return [stored(key) for key in keys]


def ids(items: Sequence[Stored]) -> list[str]:
    return [item.entry.id for item in items]


def everything(outbox: DurableOutbox) -> list[str]:
    """The ids that wait, events first."""
    events = outbox.peek("events", 10**6, 10**9, ())
    scores: list[Stored] = []
    while found := outbox.peek("scores", 1, 10**9, [item.entry.id for item in scores]):
        scores += found
    return ids([*events, *scores])


def crash(outbox: DurableOutbox) -> None:
    """What the death of a process does to its outbox: the connection and the lock are gone, the file is not."""
    file = outbox._file
    if file is not None:
        file.close()
        file.claimed.release()
