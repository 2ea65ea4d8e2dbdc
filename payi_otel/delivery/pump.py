"""The delivery engine: takes what was submitted, batches, sends, tries again. Driven by one thread at a time."""

from __future__ import annotations

import json
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from payi_otel.delivery.answers import Answer, BatchOutcome, read_batch_answer
from payi_otel.delivery.config import DeliveryConfig
from payi_otel.delivery.flushes import Flush, Flushes
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.outbox import Entry, Outbox, Stored
from payi_otel.delivery.retry import backoff_s, classify, retry_after_s
from payi_otel.delivery.scores import KpiRequest, ScoreSender, to_entry
from payi_otel.delivery.transport import Transport
from payi_otel.delivery.warnings import WarningLog
from payi_otel.spans.event import IngestEvent

Settled = Callable[["str | None"], None]
"""Told when a score is settled: None when Pay-i has it, else why it never will."""

AUTH_RETRY_S = 60.0
LONGEST_ASIDE_S = 300.0
# Failures of a kind that may be one event's doing, before the batch is narrowed down to find it.
PATIENCE = 3
REMEMBERED_IDS = 10_000


@dataclass(slots=True)
class _Aside:
    """An id that keeps failing by itself; the rest goes on without it."""

    attempt: int
    due_s: float


class _AllBut:
    def __init__(self, kept: str) -> None:
        self._kept = kept

    def __contains__(self, item: object) -> bool:
        return item != self._kept


class Pump:
    """State of the delivery. It owns the outbox; every method runs on the thread that drives it."""

    def __init__(self, config: DeliveryConfig, outbox: Outbox, ledger: Ledger, transport: Transport) -> None:
        self._config = config
        self._outbox = outbox
        self._ledger = ledger
        self._transport = transport
        self._warnings = WarningLog()
        self._flushes = Flushes(outbox, ledger)
        self._scores = ScoreSender()
        self._settled: dict[int, Settled] = {}
        self._recent: OrderedDict[str, int] = OrderedDict()
        self._aside: dict[str, _Aside] = {}
        self._limit = config.batch_max_items
        self._bytes_limit = config.batch_max_bytes
        self._attempt = 0
        self._retry_at_s = 0.0
        self._server_asked = False
        self._refused_key = False
        self._warned_no_key = False
        self._reported_drops = 0
        # An outbox may hold what an earlier process left.
        self._oldest_s = time.monotonic()

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait in the outbox."""
        return self._outbox.size()[1]

    # What arrives

    def take_event(self, event: IngestEvent) -> None:
        """Put an event into the outbox."""
        try:
            payload = json.dumps(event.to_body(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            self._reject(f"{event.provider_response_id}: not JSON ({type(error).__name__})", is_score=False)
            return
        # A lone surrogate, as in a cut emoji, has no UTF-8: better one "?" than a lost event.
        entry = Entry("event", event.provider_response_id, payload.encode("utf-8", "replace"))
        content = hash(entry.payload)
        if self._recent.get(entry.id) == content:
            self._ledger.duplicate()
            return
        if self._append(entry) is not None:
            self._recent[entry.id] = content
            if len(self._recent) > REMEMBERED_IDS:
                self._recent.popitem(last=False)

    def take_score(self, item: KpiRequest, settled: Settled | None) -> None:
        """Put a score into the outbox; `settled` is told what became of it."""
        key = self._append(to_entry(item))
        if settled is not None:
            if key is None:
                settled("queue full")
            else:
                self._settled[key] = settled

    def take_key(self, api_key: str) -> None:
        """Use this API key from now on."""
        self._transport.api_key = api_key
        self._refused_key = self._warned_no_key = False
        self._retry_at_s = 0.0

    def take_flush(self, flush: Flush) -> None:
        """Hurry until everything in the outbox is delivered or the flush is over."""
        self._flushes.add(flush)
        if flush.final or not self._server_asked:
            self._retry_at_s = 0.0
        for aside in self._aside.values():
            aside.due_s = 0.0

    def _append(self, entry: Entry) -> int | None:
        if self._outbox.size()[0] == 0:
            self._oldest_s = time.monotonic()
        key = self._outbox.append(entry)
        if key is None:
            self._ledger.dropped("queue full", score=entry.is_score)
        return key

    # When to act

    def wait_s(self) -> float | None:
        """Seconds until `turn` has something to do; None when only something new can change that."""
        now = time.monotonic()
        waits = [self._send_wait_s(now), self._flushes.wait_s(now)]
        return min((wait for wait in waits if wait is not None), default=None)

    def _send_wait_s(self, now: float) -> float | None:
        count, size = self._outbox.size()
        if count == 0 or (self._transport.api_key is None and self._warned_no_key):
            return None
        if now < self._retry_at_s:
            return self._retry_at_s - now
        if self._aside and count <= len(self._aside):
            return max(0.0, min(aside.due_s for aside in self._aside.values()) - now)
        full = count >= self._config.batch_max_items or size >= self._config.batch_max_bytes
        if full or self._flushes.waiting:
            return 0.0
        return max(0.0, self._oldest_s + self._config.batch_max_age_s - now)

    def turn(self) -> None:
        """Send one batch if it is time; tell the flushes that are over."""
        now = time.monotonic()
        if self._send_wait_s(now) == 0.0:
            if self._transport.api_key is None:
                self._warned_no_key = True
                count = self._outbox.size()[0]
                self._warnings.warn("no API key", "events wait until PAYI_API_KEY is set", count)
            else:
                self._send(now)
        drops = self._ledger.drops
        if drops != self._reported_drops:
            lost, self._reported_drops = drops - self._reported_drops, drops
            self._warnings.warn("events dropped", "queue full", lost)
        hopeless = self._transport.api_key is None or self._refused_key
        self._flushes.settle(time.monotonic(), hopeless=hopeless)

    def back_off(self) -> None:
        """Pause after a fault of ours, so that it cannot repeat in a tight loop."""
        self._retry_at_s = time.monotonic() + AUTH_RETRY_S / 12

    # Sending

    def _send(self, now: float) -> None:
        alone = next((key for key, aside in self._aside.items() if aside.due_s <= now), None)
        skip: Container[str] = self._aside if alone is None else _AllBut(alone)
        batch = self._outbox.peek_batch(self._limit, self._bytes_limit, skip)
        if not batch:
            if alone is not None:
                del self._aside[alone]
            else:
                self._retry_at_s = min(aside.due_s for aside in self._aside.values())
            return
        timeout_s = self._flushes.bounded(self._config.timeout_s, now)
        entry = batch[0].entry
        if entry.kind == "event":
            answer = self._transport.post_events([stored.entry.payload for stored in batch], timeout_s)
            outcome = read_batch_answer(answer, len(batch))
        else:
            answer = self._scores.send(
                batch[0].key,
                entry,
                lambda method, path, body: self._transport.request(method, path, body, timeout_s),
            )
            outcome = BatchOutcome(classify(answer.status), answer.reason)
        self._conclude(batch, answer, outcome, alone)

    def _conclude(
        self, batch: Sequence[Stored], answer: Answer, outcome: BatchOutcome, alone: str | None
    ) -> None:
        for index, reason in outcome.rejected.items():
            self._refuse(batch[index], reason)
        for index in outcome.repeat:
            self._set_aside(batch[index].entry.id)
        rest = [
            stored
            for index, stored in enumerate(batch)
            if index not in outcome.rejected and index not in outcome.repeat
        ]
        if outcome.verdict != "auth":
            self._refused_key = False
        if outcome.verdict == "delivered":
            self._deliver(rest, alone)
        elif outcome.verdict == "auth":
            self._refuse_key(outcome.reason)
        elif outcome.verdict == "retry":
            self._retry(batch, answer, outcome.reason, alone)
        elif outcome.rejected or outcome.repeat:
            # What was named is out of the way; the rest goes again, at once.
            return
        elif len(batch) == 1:
            self._refuse(batch[0], outcome.reason)
        elif outcome.verdict == "too_large":
            self._bytes_limit = max(1, sum(len(stored.entry.payload) for stored in batch) // 2)
        else:
            self._limit = max(1, len(batch) // 2)

    def _deliver(self, delivered: Sequence[Stored], alone: str | None) -> None:
        self._outbox.ack([stored.key for stored in delivered])
        for stored in delivered:
            self._ledger.delivered(score=stored.entry.is_score)
            self._settle(stored, None)
        if alone is not None and delivered:
            self._aside.pop(alone, None)
        self._attempt = 0
        self._server_asked = False
        self._limit = min(self._limit * 2, self._config.batch_max_items)

    def _refuse_key(self, reason: str) -> None:
        if not self._refused_key:
            self._refused_key = True
            self._warnings.warn("API key refused", f"{reason}: events wait; check PAYI_API_KEY")
        self._retry_at_s = time.monotonic() + AUTH_RETRY_S

    def _retry(self, batch: Sequence[Stored], answer: Answer, reason: str, alone: str | None) -> None:
        self._warnings.warn("delivery failed", f"{reason}: {self._outbox.size()[0]} wait and are tried again")
        if alone is not None and answer.may_depend_on_content:
            self._set_aside(alone)
            return
        asked = retry_after_s(answer.headers, time.time())
        self._server_asked = asked is not None
        delay = asked if asked is not None else backoff_s(self._attempt, random.random())
        self._attempt += 1
        self._retry_at_s = time.monotonic() + delay
        if self._attempt >= PATIENCE and answer.may_depend_on_content:
            if len(batch) > 1:
                self._limit = max(1, len(batch) // 2)
            else:
                self._set_aside(batch[0].entry.id)

    def _set_aside(self, entry_id: str) -> None:
        aside = self._aside.setdefault(entry_id, _Aside(0, 0.0))
        aside.due_s = time.monotonic() + backoff_s(aside.attempt, random.random(), LONGEST_ASIDE_S)
        aside.attempt += 1

    def _refuse(self, stored: Stored, reason: str) -> None:
        reason = f"{stored.entry.id}: {reason}"
        self._outbox.reject(stored.key, reason)
        self._aside.pop(stored.entry.id, None)
        self._reject(reason, is_score=stored.entry.is_score)
        self._settle(stored, reason)

    def _reject(self, reason: str, *, is_score: bool) -> None:
        self._ledger.rejected(reason, score=is_score)
        self._warnings.warn("rejected by Pay-i", f"last one {reason}")

    def _settle(self, stored: Stored, reason: str | None) -> None:
        if stored.entry.is_score:
            self._scores.forget(stored.key)
            settled = self._settled.pop(stored.key, None)
            if settled is not None:
                settled(reason)
