"""The delivery engine: batches what is in the outbox, sends, tries again. Driven by one thread at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from payi_otel.delivery.answers import Answer, BatchOutcome, read_batch_answer
from payi_otel.delivery.config import DeliveryConfig
from payi_otel.delivery.flushes import Flush, Flushes
from payi_otel.delivery.lanes import PATIENCE, LaneState
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.lighten import has_content, without_content
from payi_otel.delivery.outbox import Outbox, Stored
from payi_otel.delivery.retry import classify
from payi_otel.delivery.scores import ScoreSender, Waiters
from payi_otel.delivery.transport import Transport
from payi_otel.delivery.warnings import WarningLog

AUTH_RETRY_S = 60.0
FAULT_RETRY_S = 5.0
HOUSEKEEPING_S = 60.0

Adopt = Callable[[Sequence[Stored]], Collection[int]]


class Pump:
    """State of the delivery; every method runs on the thread that drives it.

    `adopt` puts what dead processes left into the outbox.
    """

    def __init__(
        self,
        config: DeliveryConfig,
        outbox: Outbox,
        ledger: Ledger,
        transport: Transport,
        warnings: WarningLog,
        waiters: Waiters,
        adopt: Adopt,
    ) -> None:
        self._config = config
        self._outbox = outbox
        self._ledger = ledger
        self._transport = transport
        self._warnings = warnings
        self._waiters = waiters
        self._adopt = adopt
        self._flushes = Flushes(outbox, ledger)
        self._scores = ScoreSender()
        self._lanes = (
            LaneState("events", config.batch_max_items, config.batch_max_bytes),
            LaneState("scores", 1, config.batch_max_bytes),
        )
        self._paused_until_s = 0.0
        self._lightened: set[int] = set()
        self._refused_key = False
        self._warned_no_key = False
        self._reported_drops = 0
        # At the first turn: another process may have left something.
        self._housekeeping_s = 0.0

    # What arrives

    def take_key(self, api_key: str) -> None:
        """Use this API key from now on."""
        self._transport.api_key = api_key
        self._refused_key = self._warned_no_key = False
        self._paused_until_s = 0.0
        for lane in self._lanes:
            lane.hurry(last_chance=False)

    def take_flush(self, flush: Flush) -> None:
        """Hurry until everything that was in the outbox is delivered or the flush is over."""
        self._flushes.add(flush)
        self._paused_until_s = 0.0
        for lane in self._lanes:
            lane.hurry(last_chance=flush.final)

    # When to act

    def wait_s(self) -> float | None:
        """Seconds until `turn` has something to do; None when only something new can change that."""
        now = time.monotonic()
        waits = [self._send_wait_s(lane, now) for lane in self._lanes]
        waits += [self._flushes.wait_s(now), max(0.0, self._housekeeping_s - now)]
        return min((wait for wait in waits if wait is not None), default=None)

    def _send_wait_s(self, lane: LaneState, now: float) -> float | None:
        count = self._outbox.count(lane.name)
        if count == 0:
            lane.oldest_s = None
            return None
        if lane.oldest_s is None:
            lane.oldest_s = now
        if self._transport.api_key is None and self._warned_no_key:
            return None
        if now < max(lane.open_until_s, self._paused_until_s):
            return max(lane.open_until_s, self._paused_until_s) - now
        aside_due_s = lane.aside_due_s
        if aside_due_s is not None and count <= len(lane.aside):
            return max(0.0, aside_due_s - now)
        full = count >= lane.limit or self._outbox.size()[1] >= lane.bytes_limit
        if full or self._flushes.waiting or self._is_before_a_score(lane, now):
            return 0.0
        return max(0.0, lane.oldest_s + self._config.batch_max_age_s - now)

    def _is_before_a_score(self, lane: LaneState, now: float) -> bool:
        # A score needs its instance, which an event before it may have made; and scores travel one by one, at once.
        scores = self._lanes[1]
        return lane is not scores and self._send_wait_s(scores, now) == 0.0

    def comes_by_itself(self) -> bool:
        """Whether what was just stored can wait until the driver's next turn. For any thread.

        An event that others wait with can: to wake the driver for each would cost an application that computes.
        """
        events, scores = self._lanes
        if events.oldest_s is None or self._outbox.count(scores.name):
            return False
        wait_s = self._send_wait_s(events, time.monotonic())
        return wait_s != 0.0 and self._ledger.drops == self._reported_drops

    def turn(self) -> None:
        """Send one batch of each lane whose time it is; tell the flushes that are over."""
        self._keep_house(time.monotonic())
        for lane in self._lanes:
            now = time.monotonic()
            if self._send_wait_s(lane, now) == 0.0:
                if self._transport.api_key is None:
                    self._warned_no_key = True
                    count = self._outbox.size()[0]
                    self._warnings.warn("no API key", "events wait until PAYI_API_KEY is set", count)
                else:
                    self._send(lane, now)
        drops = self._ledger.drops
        if drops != self._reported_drops:
            lost, self._reported_drops = drops - self._reported_drops, drops
            self._warnings.warn("events dropped", self._ledger.last_drop or "", lost)
        self._outbox.checkpoint()
        hopeless = self._transport.api_key is None or self._refused_key
        self._flushes.settle(time.monotonic(), hopeless=hopeless)

    def _keep_house(self, now: float) -> None:
        if now < self._housekeeping_s:
            return
        # Set first: a fault of ours must not repeat in a tight loop.
        self._housekeeping_s = now + HOUSEKEEPING_S
        for stored in self._outbox.expire(self._config.outbox_max_age_s):
            self._ledger.dropped("too old", score=stored.entry.is_score)
            self._waiters.settle(stored.key, "too old")
        if self._outbox.adopt(self._adopt):
            self._housekeeping_s = now + self._config.batch_max_age_s

    def back_off(self) -> None:
        """Pause after a fault of ours, so that it cannot repeat in a tight loop."""
        self._paused_until_s = time.monotonic() + FAULT_RETRY_S

    # Sending

    def _send(self, lane: LaneState, now: float) -> None:
        due_id = lane.due_id(now)
        batch = self._peek(lane, due_id)
        if not batch:
            if due_id is not None:
                lane.take_back(due_id)
            else:
                lane.open_until_s = lane.aside_due_s or 0.0
            return
        timeout_s = self._flushes.bounded(self._config.timeout_s, now)
        if lane.name == "events":
            answer = self._transport.post_events([self._payload(stored) for stored in batch], timeout_s)
            outcome = read_batch_answer(answer, len(batch))
        else:
            answer = self._scores.send(
                batch[0].key,
                batch[0].entry,
                lambda method, path, body: self._transport.request(method, path, body, timeout_s),
            )
            outcome = BatchOutcome(classify(answer.status), answer.reason)
        self._conclude(lane, batch, answer, outcome, due_id)

    def _peek(self, lane: LaneState, due_id: str | None) -> Sequence[Stored]:
        if due_id is None:
            return self._outbox.peek(lane.name, lane.limit, lane.bytes_limit, lane.aside)
        found = self._outbox.find(due_id)
        return () if found is None else (found,)

    def _payload(self, stored: Stored) -> bytes:
        payload = stored.entry.payload
        return without_content(payload) if stored.key in self._lightened else payload

    def _conclude(
        self,
        lane: LaneState,
        batch: Sequence[Stored],
        answer: Answer,
        outcome: BatchOutcome,
        due_id: str | None,
    ) -> None:
        for index, reason in outcome.rejected.items():
            self._refuse(lane, batch[index], reason)
        for index in outcome.repeat:
            lane.set_aside(batch[index].entry.id)
        rest = [
            stored
            for index, stored in enumerate(batch)
            if index not in outcome.rejected and index not in outcome.repeat
        ]
        if outcome.verdict != "auth":
            self._refused_key = False
        if outcome.verdict == "delivered":
            self._deliver(lane, rest, due_id)
        elif outcome.verdict == "auth":
            self._refuse_key(outcome.reason)
        elif outcome.verdict == "retry":
            self._retry(lane, batch, answer, outcome.reason, due_id)
        elif outcome.rejected or outcome.repeat:
            # What was named is out of the way; the rest goes again, at once.
            return
        elif len(batch) > 1:
            size = sum(len(stored.entry.payload) for stored in batch)
            lane.narrow(len(batch), size, by_bytes=outcome.verdict == "too_large")
        elif outcome.verdict == "too_large" and self._can_lighten(batch[0]):
            self._lightened.add(batch[0].key)
        else:
            self._refuse(lane, batch[0], outcome.reason)

    def _can_lighten(self, stored: Stored) -> bool:
        return stored.key not in self._lightened and has_content(stored.entry.payload)

    def _deliver(self, lane: LaneState, delivered: Sequence[Stored], due_id: str | None) -> None:
        self._outbox.ack([stored.key for stored in delivered])
        self._ledger.delivered(score=lane.name == "scores", count=len(delivered))
        for stored in delivered:
            self._settle(stored, None)
        if due_id is not None and delivered:
            lane.take_back(due_id)
        lane.oldest_s = None
        lane.succeeded()

    def _refuse_key(self, reason: str) -> None:
        if not self._refused_key:
            self._refused_key = True
            self._warnings.warn("API key refused", f"{reason}: events wait; check PAYI_API_KEY")
        self._paused_until_s = time.monotonic() + AUTH_RETRY_S

    def _retry(
        self, lane: LaneState, batch: Sequence[Stored], answer: Answer, reason: str, due_id: str | None
    ) -> None:
        waiting = self._outbox.count(lane.name)
        self._warnings.warn(
            f"delivery of {lane.name} failed", f"{reason}: {waiting} wait and are tried again"
        )
        if due_id is not None and answer.may_depend_on_content:
            lane.set_aside(due_id)
            return
        lane.failed(answer.headers)
        if lane.failures >= PATIENCE and answer.may_depend_on_content:
            if len(batch) > 1:
                lane.narrow(len(batch), 0, by_bytes=False)
                # A smaller batch is a new question: its pause is short again, or one event would hold up the rest.
                lane.failures = PATIENCE - 1
            else:
                lane.set_aside(batch[0].entry.id)

    def _refuse(self, lane: LaneState, stored: Stored, reason: str) -> None:
        self._outbox.reject(stored, reason)
        lane.take_back(stored.entry.id)
        reason = f"{stored.entry.id}: {reason}"
        self._ledger.rejected(reason, score=stored.entry.is_score)
        self._warnings.warn("rejected by Pay-i", f"last one {reason}")
        self._settle(stored, reason)

    def _settle(self, stored: Stored, reason: str | None) -> None:
        self._lightened.discard(stored.key)
        if stored.entry.is_score:
            self._scores.forget(stored.key)
            self._waiters.settle(stored.key, reason)
