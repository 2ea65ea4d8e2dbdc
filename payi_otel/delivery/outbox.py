"""The outbox: what waits for delivery, in order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

EntryKind = Literal["event", "score", "increment", "definition"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to deliver, as plain data so that an outbox can put it on disk.

    `id` is what it is about: the event's `provider_response_id`, or "use case/instance/KPI" of a score. Entries
    of one id are delivered in their order. `payload` is JSON in UTF-8.
    """

    kind: EntryKind
    id: str
    payload: bytes

    @property
    def is_score(self) -> bool:
        """Whether the ledger counts it among the scores."""
        return self.kind != "event"

    @property
    def size(self) -> int:
        """Bytes it takes, roughly, with what the process needs around it."""
        return len(self.payload) + len(self.id) + 200


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry in the outbox under its `key`; keys only grow."""

    key: int
    entry: Entry


class Outbox(Protocol):
    """Keeps entries in order until they are delivered or refused. Used by one thread at a time."""

    def append(self, entry: Entry) -> int | None:
        """Store at the end; the key, or None when the outbox is full and the entry was not stored."""
        ...

    def peek_batch(self, max_items: int, max_bytes: int, skip: Container[str]) -> Sequence[Stored]:
        """The oldest entries that may travel together, without removing them.

        That is a run of events within both limits (one event may exceed `max_bytes` alone), or a single entry of
        another kind. Entries whose id is in `skip` are passed over; empty when no others are left.
        """
        ...

    def ack(self, keys: Sequence[int]) -> None:
        """Remove delivered entries."""
        ...

    def reject(self, key: int, reason: str) -> None:
        """Remove an entry that can never be delivered."""
        ...

    def first_key(self) -> int | None:
        """The key of the oldest entry, None when empty."""
        ...

    def last_key(self) -> int:
        """The highest key given out so far, 0 before the first."""
        ...

    def size(self) -> tuple[int, int]:
        """Entries and bytes that wait."""
        ...

    def after_fork(self) -> None:
        """In a forked child: forget the parent's entries, which the parent still delivers."""
        ...


class MemoryOutbox:
    """An outbox in memory. Full is full: it refuses the newest entry, so that what was accepted stays.

    Args:
        max_bytes: bound of the payloads held, in bytes.
        max_items: bound of the entries held.
    """

    def __init__(self, max_bytes: int, max_items: int = 1_000_000) -> None:
        self._max_bytes = max_bytes
        self._max_items = max_items
        self._last_key = 0
        # Not a dict: finding its first key slows down with every key removed at the front.
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._bytes = 0

    def append(self, entry: Entry) -> int | None:
        if self._bytes + entry.size > self._max_bytes or len(self._entries) >= self._max_items:
            return None
        self._last_key += 1
        self._entries[self._last_key] = entry
        self._bytes += entry.size
        return self._last_key

    def peek_batch(self, max_items: int, max_bytes: int, skip: Container[str]) -> Sequence[Stored]:
        batch: list[Stored] = []
        used = 0
        for key, entry in self._entries.items():
            if entry.id in skip:
                continue
            if entry.kind != "event":
                return batch or [Stored(key, entry)]
            used += len(entry.payload) + 1
            if batch and (len(batch) >= max_items or used > max_bytes):
                break
            batch.append(Stored(key, entry))
        return batch

    def ack(self, keys: Sequence[int]) -> None:
        for key in keys:
            entry = self._entries.pop(key, None)
            if entry is not None:
                self._bytes -= entry.size

    def reject(self, key: int, reason: str) -> None:
        self.ack([key])

    def first_key(self) -> int | None:
        return next(iter(self._entries), None)

    def last_key(self) -> int:
        return self._last_key

    def size(self) -> tuple[int, int]:
        return len(self._entries), self._bytes

    def after_fork(self) -> None:
        self._entries = OrderedDict()
        self._bytes = 0
