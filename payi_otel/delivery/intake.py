"""The intake: takes what callers submit and puts it into the outbox, without making a caller wait."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any

from payi_otel.delivery.flushes import Flush
from payi_otel.delivery.ledger import Ledger, Tally
from payi_otel.delivery.outbox import Entry, Outbox, Stored
from payi_otel.delivery.scores import KpiRequest, Settled, Waiters, to_entry
from payi_otel.delivery.threads import OnDemandThread
from payi_otel.delivery.turns import Turns
from payi_otel.delivery.warnings import WarningLog
from payi_otel.faults import faults
from payi_otel.spans.event import IngestEvent
from payi_otel.values import value

# What an event takes while it waits to be written as JSON, besides the texts it holds.
_EVENT_OVERHEAD = 1024
_TAKEN_PER_TURN = 1_000
# Between two writes: one event is written at once, a burst in batches, all well within 50 ms.
LINGER_S = 0.02
REMEMBERED_IDS = 5_000
_LONGEST_MAKING_S = 10.0
# Made once: `json.dumps` with these arguments would make one for each event. A body's time becomes ISO 8601; of
# anything else that is no JSON, `isoformat` raises TypeError.
_JSON = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=datetime.isoformat
)


Encode = Callable[[Mapping[str, Any]], bytes]


def plain_json(body: Mapping[str, Any]) -> bytes:
    """An event's body as JSON; raises TypeError, ValueError or RecursionError where it is none.

    >>> plain_json({"units": {}})
    b'{"units":{}}'
    """
    # A lone surrogate, as in a cut emoji, has no UTF-8: better one "?" than a lost event.
    return _JSON.encode(body).encode("utf-8", "replace")


@value
class Score:
    """A KPI request, and who wants to know what becomes of it."""

    item: KpiRequest
    settled: Settled | None


@value
class Later:
    """Events that are made where they are written: `make(of)` runs once, on the thread that writes to the outbox.

    `size` is how many bytes of text they will hold, or hold on to until then.
    """

    make: Callable[[Any], Sequence[IngestEvent]]
    of: Any
    size: int


@value
class NewKey:
    """The API key to use from now on."""

    api_key: str


Forwarded = Flush | NewKey
"""What is for the sender, in its order among the events."""


Item = IngestEvent | Later | Score
_ITEMS = (Later, IngestEvent, Score)
_Queued = Item | Forwarded | threading.Event | Callable[[], None]


class Intake:
    """The way into the outbox.

    A caller pays for an append to a queue; a thread writes to the outbox. With `sync` the caller writes, and
    returns when the entry is stored.

    `last_key` is the highest key given out.

    Args:
        outbox: where entries go.
        ledger: counts them.
        warnings: tells of those that could not be stored.
        queue_max_bytes: bound of everything held in memory; at the bound the newest is refused.
        sync: write on the caller's thread.
        forward: takes what is for the sender.
        waiters: who waits for which score.
        stored: called when something was stored.
    """

    def __init__(
        self,
        outbox: Outbox,
        ledger: Ledger,
        warnings: WarningLog,
        *,
        queue_max_bytes: int,
        sync: bool,
        forward: Callable[[Forwarded], None],
        waiters: Waiters,
        stored: Callable[[], None],
    ) -> None:
        self._outbox = outbox
        self._ledger = ledger
        self._warnings = warnings
        self._queue_max_bytes = queue_max_bytes
        self._sync = sync
        self._forward = forward
        self._waiters = waiters
        self._stored = stored
        self._queue: SimpleQueue[_Queued] = SimpleQueue()
        self._waiting = Tally()
        self._work_done = 0
        self.last_key = 0
        self._recent: OrderedDict[str, int] = OrderedDict()
        # Re-entrant: work that is deferred to this thread submits as well.
        self._storing = threading.RLock()
        self._waited = False
        self._hurry = threading.Event()
        self._turns = Turns()
        self.thread = OnDemandThread("payi-outbox", self._run, lambda: not self._queue.empty())

    # Any thread

    def submit(self, item: Item) -> bool:
        """Take an event or a score; False when there is no room for it."""
        weight = _weight(item)
        if self._waiting.changed("bytes", weight) + self._outbox.memory_bytes > self._queue_max_bytes:
            self._waiting.add("bytes", -weight)
            return self._without_room(item)
        self._ledger.queued(score=item.__class__ is Score)
        if self._sync:
            self._store([item])
        else:
            self._queue.put(item)
            self.thread.wake()
            self._turns.give()
        return True

    def _without_room(self, item: Item) -> bool:
        if isinstance(item, Later):
            # There may be room for the events, though not for what they are made of.
            refused = [event for event in _made(item) if not self.submit(event)]
            return not refused
        score = isinstance(item, Score)
        self._ledger.queued(score=score)
        self._ledger.dropped("queue full", score=score)
        # For the sender, which tells of it.
        self._stored()
        return False

    def put(self, item: Forwarded | threading.Event | Callable[[], None]) -> None:
        """Take something else, in its order: for the sender, an event to set, or work to do. Never starts a thread."""
        self._queue.put(item)
        if not callable(item):
            self._hurry.set()

    def store(self, items: Sequence[IngestEvent | Score], encode: Encode) -> bool:
        """Put items into the outbox on this thread; True when all of them are on disk now.

        What is not there is not kept: who sent it is to send it again, and then finds the rest known.
        """
        scores = sum(isinstance(item, Score) for item in items)
        self._ledger.queued(score=True, count=scores)
        self._ledger.queued(score=False, count=len(items) - scores)
        with self._storing:
            lost = self._append(self._encode(items, encode), spill=False)
        for item in lost:
            self._ledger.withdrawn(score=item.entry.is_score)
        self._stored()
        return not lost

    def before_fork(self) -> None:
        """Let no event be made until `after_fork_in_parent`: what that imports would be locked in a child for ever."""
        self._waited = self._storing.acquire(timeout=_LONGEST_MAKING_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._waited:
            self._storing.release()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be taken."""
        return self._queue.empty()

    # The thread's side

    def drain(self) -> None:
        """Take everything that is in the queue now, on this thread."""
        while not self._queue.empty():
            self._take([])

    def adopt(self, items: Sequence[Stored]) -> Collection[int]:
        """Store what a dead process left, under keys of ours; the keys, as given, of what did not fit."""
        with self._storing:
            ours = {self._next_key(): item for item in items}
            refused = self._outbox.append(
                [Stored(key, item.entry, item.since_s) for key, item in ours.items()]
            )
        for key in ours.keys() - set(refused):
            self._ledger.recovered(score=ours[key].entry.is_score)
        return {ours[key].key for key in refused}

    def _run(self) -> None:
        turns = self._turns
        while True:
            if self._queue.empty():
                turns.idle()
            first = self._queue.get()
            turns.due()
            if self._take([first]):
                break
            turns.due(LINGER_S)
            self._hurry.wait(LINGER_S)
            self._hurry.clear()
        turns.idle()

    def _take(self, taken: list[_Queued]) -> bool:
        """Take `taken` and what else is in the queue; whether a final flush was among it."""
        try:
            while len(taken) < _TAKEN_PER_TURN:
                taken.append(self._queue.get_nowait())
        except Empty:
            pass
        is_final = False
        batch: list[Item] = []
        for item in taken:
            if isinstance(item, _ITEMS):
                batch.append(item)
                continue
            self._store(batch)
            batch = []
            with faults.guard("delivery.item"):
                if isinstance(item, Flush):
                    is_final = self._take_flush(item) or is_final
                elif isinstance(item, NewKey):
                    self._forward(item)
                elif isinstance(item, threading.Event):
                    item.set()
                else:
                    self._work_done += 1
                    item()
        self._store(batch)
        return is_final

    def _take_flush(self, flush: Flush) -> bool:
        if flush.seen_work != self._work_done:
            # Deferred work was done since: what it submitted stands behind this flush, but belongs to it.
            flush.seen_work = self._work_done
            self.put(flush)
            return False
        flush.mark = self.last_key
        self._forward(flush)
        return flush.final

    def _store(self, batch: Sequence[Item]) -> None:
        if not batch:
            return
        with self._storing:
            stored = self._encode(batch)
            for item in self._append(stored, spill=True):
                self._ledger.dropped("queue full", score=item.entry.is_score)
                self._waiters.settle(item.key, "queue full")
        # Summed up here, not by the next caller.
        self._waiting.changed("bytes", -sum(map(_weight, batch)))
        self._stored()

    def _encode(self, items: Sequence[Item], encode: Encode = plain_json) -> list[Stored]:
        now = time.time()
        stored: list[Stored] = []
        for item in items:
            # One by one, so that a fault of one costs one.
            if isinstance(item, Later):
                events = _made(item)
                # It was counted as one event when it was submitted.
                if not events:
                    self._ledger.withdrawn(score=False)
                for _ in events[1:]:
                    self._ledger.queued(score=False)
                stored += self._encode(events)
                continue
            try:
                entry = self._encoded(item, encode) if isinstance(item, IngestEvent) else to_entry(item.item)
                if entry is None:
                    continue
                stored.append(Stored(self._next_key(), entry, now))
                if isinstance(item, Score) and item.settled is not None:
                    self._waiters.expect(stored[-1].key, item.settled)
            except Exception as error:
                faults.report("delivery.item", error)
        return stored

    def _append(self, items: Sequence[Stored], *, spill: bool) -> Sequence[Stored]:
        """Put entries into the outbox; those that are not in it."""
        refused: Collection[int] = ()
        if items:
            try:
                refused = self._outbox.append(items, spill=spill)
            except Exception as error:
                faults.report("outbox.append", error)
                refused = [item.key for item in items]
        lost = [item for item in items if item.key in refused] if refused else []
        for item in lost:
            self._recent.pop(item.entry.id, None)
        return lost

    def _encoded(self, event: IngestEvent, encode: Encode) -> Entry | None:
        """The event's entry; None when it cannot be encoded, or was submitted before."""
        event_id = event.body["provider_response_id"]
        try:
            payload = encode(event.body)
        except (TypeError, ValueError, RecursionError) as error:
            reason = f"{event_id}: not JSON ({type(error).__name__})"
            self._ledger.rejected(reason, score=False)
            self._warnings.warn("rejected", f"last one {reason}")
            return None
        entry, seen = Entry("event", event_id, payload), hash(payload)
        if self._recent.get(entry.id) == seen:
            self._ledger.duplicate()
            return None
        self._recent[entry.id] = seen
        if len(self._recent) > REMEMBERED_IDS:
            self._recent.popitem(last=False)
        return entry

    def _next_key(self) -> int:
        self.last_key += 1
        return self.last_key


def _weight(item: Item) -> int:
    """The bytes it is reckoned to take while it waits."""
    if isinstance(item, Later):
        return _EVENT_OVERHEAD + item.size
    if isinstance(item, Score):
        return _EVENT_OVERHEAD
    body = item.body
    said = len(body.get("provider_request_json", "")) + len(body.get("provider_response_json", ""))
    return _EVENT_OVERHEAD + said


def _made(later: Later) -> Sequence[IngestEvent]:
    with faults.guard("delivery.event"):
        return later.make(later.of)
    return ()
