"""The outbox: what waits for delivery, in order. Here in memory; on disk in `disk.py`."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal, Protocol, TypeVar

from payi_otel.values import value

T = TypeVar("T")
EntryKind = Literal["event", "score", "increment", "definition"]
Lane = Literal["events", "scores"]
"""Events and scores go to endpoints of their own; the trouble of one does not hold up the other."""


@value
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
    def lane(self) -> Lane:
        """The lane it travels in."""
        return "scores" if self.is_score else "events"

    @property
    def size(self) -> int:
        """Bytes it takes, roughly, with what the process needs around it."""
        return len(self.payload) + len(self.id) + 200


@value
class Stored:
    """An entry in an outbox: its `key`, and since when it waits (Unix seconds).

    Keys only grow; whoever appends gives them out.
    """

    key: int
    entry: Entry
    since_s: float


class Outbox(Protocol):
    """Keeps entries in order until they are delivered or refused. All methods are safe in any thread."""

    @property
    def memory_bytes(self) -> int:
        """Bytes it holds in memory."""
        ...

    @property
    def room_bytes(self) -> int:
        """Bytes it still takes."""
        ...

    def append(self, items: Sequence[Stored], *, spill: bool = True) -> Sequence[int]:
        """Store at the end; the keys that were not stored because the outbox is full.

        Without `spill` an outbox on disk refuses what it could only keep in memory.
        """
        ...

    def peek(self, lane: Lane, max_items: int, max_bytes: int, skip: Collection[str]) -> Sequence[Stored]:
        """The oldest entries of a lane that may travel together, without removing them.

        That is events within both limits (one event may exceed `max_bytes` alone), or a single score. Entries
        whose id is in `skip` are passed over; empty when no others are left.
        """
        ...

    def find(self, entry_id: str) -> Stored | None:
        """The oldest entry with this id."""
        ...

    def ack(self, keys: Sequence[int]) -> None:
        """Remove delivered entries. Unknown keys are ignored."""
        ...

    def reject(self, stored: Stored, reason: str) -> None:
        """Remove an entry that can never be delivered; where there is a disk, it is kept there with its reason."""
        ...

    def first_key(self) -> int | None:
        """The key of the oldest entry, None when empty."""
        ...

    def count(self, lane: Lane) -> int:
        """Entries of a lane that wait."""
        ...

    def size(self) -> tuple[int, int]:
        """Entries and bytes that wait."""
        ...

    def adopt(self, take: Callable[[Sequence[Stored]], Collection[int]]) -> bool:
        """Take over what dead processes left; whether some of it is left for the next time.

        `take` puts entries into this outbox under keys of their own, and answers with the keys, as given to it,
        of those that did not fit.
        """
        ...

    def expire(self, older_than_s: float) -> Sequence[Stored]:
        """Give up on what has waited longer than this, up to some hundred at a time."""
        ...

    def checkpoint(self) -> None:
        """Do now what storing left for later."""
        ...

    def before_fork(self) -> None:
        """Let nothing be under way while the process is copied."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        ...

    def after_fork_in_child(self) -> None:
        """Forget the parent's entries, which the parent still delivers."""
        ...

    def release(self) -> None:
        """Give back what an empty outbox holds; the next `append` takes it again."""
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
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.RLock()
        # Not a dict: finding its first key slows down with every key removed at the front.
        self._lanes: dict[Lane, OrderedDict[int, Stored]] = {"events": OrderedDict(), "scores": OrderedDict()}
        self._bytes = 0

    @property
    def memory_bytes(self) -> int:
        return self._bytes

    @property
    def room_bytes(self) -> int:
        return max(0, self._max_bytes - self._bytes)

    def append(self, items: Sequence[Stored], *, spill: bool = True) -> Sequence[int]:
        refused: list[int] = []
        with self._lock:
            for item in items:
                full = self._bytes + item.entry.size > self._max_bytes
                if full or self.size()[0] >= self._max_items:
                    refused.append(item.key)
                    continue
                self._lanes[item.entry.lane][item.key] = item
                self._bytes += item.entry.size
        return refused

    def peek(self, lane: Lane, max_items: int, max_bytes: int, skip: Collection[str]) -> Sequence[Stored]:
        with self._lock:
            items = (item for item in self._lanes[lane].values() if item.entry.id not in skip)
            return fill_batch(items, lane, max_items, max_bytes, lambda item: len(item.entry.payload))

    def find(self, entry_id: str) -> Stored | None:
        with self._lock:
            items = (item for lane in self._lanes.values() for item in lane.values())
            return next((item for item in items if item.entry.id == entry_id), None)

    def ack(self, keys: Sequence[int]) -> None:
        with self._lock:
            for key in keys:
                for lane in self._lanes.values():
                    item = lane.pop(key, None)
                    if item is not None:
                        self._bytes -= item.entry.size

    def reject(self, stored: Stored, reason: str) -> None:
        self.ack([stored.key])

    def first_key(self) -> int | None:
        with self._lock:
            return min((next(iter(lane)) for lane in self._lanes.values() if lane), default=None)

    def count(self, lane: Lane) -> int:
        return len(self._lanes[lane])

    def size(self) -> tuple[int, int]:
        return sum(len(lane) for lane in self._lanes.values()), self._bytes

    def adopt(self, take: Callable[[Sequence[Stored]], Collection[int]]) -> bool:
        return False

    def expire(self, older_than_s: float) -> Sequence[Stored]:
        with self._lock:
            limit_s = time.time() - older_than_s
            items = [
                item for lane in self._lanes.values() for item in lane.values() if item.since_s < limit_s
            ]
        self.ack([item.key for item in items])
        return items

    def checkpoint(self) -> None:
        return

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        self._forget()

    def release(self) -> None:
        return


def fill_batch(
    items: Iterable[T], lane: Lane, max_items: int, max_bytes: int, payload_bytes: Callable[[T], int]
) -> list[T]:
    """Take from the front of one lane what may travel together, as `Outbox.peek` says."""
    batch: list[T] = []
    used = 0
    for item in items:
        used += payload_bytes(item) + 1
        if batch and (len(batch) >= max_items or used > max_bytes):
            break
        batch.append(item)
        if lane == "scores":
            break
    return batch
