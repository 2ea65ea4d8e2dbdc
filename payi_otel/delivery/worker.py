"""The delivery worker: a queue that never blocks its callers, and the thread that drives the pump."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import multiprocessing.util
import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from opentelemetry.context import Context, attach, detach

from payi_otel.delivery.config import DeliveryConfig
from payi_otel.delivery.flushes import Flush
from payi_otel.delivery.ledger import Ledger, Tally
from payi_otel.delivery.outbox import Outbox
from payi_otel.delivery.pump import Pump, Settled
from payi_otel.delivery.scores import KpiRequest
from payi_otel.delivery.transport import Transport
from payi_otel.faults import faults
from payi_otel.spans.event import IngestEvent

__all__ = ["DeliveryConfig", "DeliveryWorker"]

# What an event takes while it waits to be written as JSON, besides the texts it holds.
_EVENT_OVERHEAD = 1024
# A flush answers within its timeout; its caller waits a little longer to hear the answer.
_GRACE_S = 0.25
_LONGEST_FLUSH_S = 86_400.0
_TAKEN_PER_TURN = 1_000

logger = logging.getLogger("payi_otel.delivery")


@dataclass(frozen=True, slots=True)
class _Score:
    item: KpiRequest
    settled: Settled | None


@dataclass(frozen=True, slots=True)
class _NewKey:
    api_key: str


@dataclass(frozen=True, slots=True)
class _Submitted:
    """Something in the queue, with the bytes it is reckoned to take."""

    item: IngestEvent | _Score | _NewKey | Flush | Callable[[], None]
    weight: int = 0


class DeliveryWorker:
    """Delivers events and scores in the background.

    Submitting only puts an item into a queue: no lock is waited for, nothing is encoded, sent or logged, and it is
    safe in a finalizer. The thread starts with the first event or score, is a daemon, and is replaced in a forked
    child, which starts empty: the parent delivers what it had queued. At exit the rest is flushed for up to
    `config.exit_timeout_s`.

    `kpi_types` are the types of KPIs defined in this process, by use case and KPI.

    >>> worker = DeliveryWorker(DeliveryConfig(api_key="sk-..."), outbox, ledger)  # doctest: +SKIP
    >>> worker.submit_event(event)  # doctest: +SKIP
    >>> worker.force_flush(5.0)  # doctest: +SKIP
    True
    """

    def __init__(self, config: DeliveryConfig, outbox: Outbox, ledger: Ledger) -> None:
        self.config = config
        self.kpi_types: dict[tuple[str, str], str] = {}
        self._outbox = outbox
        self._ledger = ledger
        self._begin()
        atexit.register(self._exit)
        reference: weakref.ref[DeliveryWorker] = weakref.ref(self)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: _revive(reference))
        # A child of multiprocessing ends without atexit: with its own finalizers only.
        multiprocessing.util.register_after_fork(self, DeliveryWorker._flush_at_end_of_child)
        if multiprocessing.parent_process() is not None:
            self._flush_at_end_of_child()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._queue: SimpleQueue[_Submitted] = SimpleQueue()
        self._waiting = Tally()
        self._pending_bytes = 0
        self._pump = Pump(self.config, self._outbox, self._ledger, Transport(self.config))
        self._pending_bytes = self._pump.pending_bytes
        self._work_done = 0
        self._final: Flush | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._driving = threading.Lock()
        self._exiting = False

    # The caller's side

    def submit_event(self, event: IngestEvent) -> None:
        """Deliver an event."""
        weight = _EVENT_OVERHEAD
        weight += len(event.provider_request_json or "") + len(event.provider_response_json or "")
        self._submit(_Submitted(event, weight), score=False)
        self.wake()

    def submit_score(self, item: KpiRequest, settled: Settled | None = None) -> None:
        """Deliver a KPI score, increment or definition; `settled` is told, on the worker thread, what became of it."""
        if not self._submit(_Submitted(_Score(item, settled), _EVENT_OVERHEAD), score=True) and settled:
            settled("queue full")
        self.wake()

    def defer(self, work: Callable[[], None]) -> None:
        """Run `work` on the worker thread. Never starts that thread, since a finalizer must not."""
        self._check_process()
        self._queue.put(_Submitted(work))

    def use_api_key(self, api_key: str) -> None:
        """Deliver with this key from now on, also what has waited for one."""
        self._check_process()
        self._queue.put(_Submitted(_NewKey(api_key)))
        self.wake()

    def wake(self) -> None:
        """Start the thread if it is not running."""
        if self._thread is not None or self._exiting or not self._starting.acquire(blocking=False):
            return
        try:
            # Read again: another thread may have started it meanwhile.
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="payi-delivery", daemon=True)
                self._thread = thread
                try:
                    thread.start()
                except RuntimeError:
                    # The interpreter is going down: the flush at exit does without a thread.
                    self._thread = None
        finally:
            self._starting.release()

    def force_flush(self, timeout_s: float) -> bool:
        """Deliver everything submitted so far.

        True only if Pay-i has accepted it all. False when something is still waiting after `timeout_s` seconds, when
        it cannot be delivered for want of a valid API key (at once), or when anything was rejected or dropped
        since the previous flush.
        """
        return self._flush(timeout_s, final=False)

    def shutdown(self, timeout_s: float) -> bool:
        """As `force_flush`, and stop the thread. What is submitted later starts it again."""
        return self._flush(timeout_s, final=True)

    def revive_after_fork(self) -> None:
        """Start afresh in a forked child."""
        self._outbox.after_fork()
        self._ledger.reset()
        self._begin()

    def _submit(self, submitted: _Submitted, *, score: bool) -> bool:
        self._check_process()
        self._ledger.queued(score=score)
        if self._waiting["bytes"] + self._pending_bytes + submitted.weight > self.config.queue_max_bytes:
            self._ledger.dropped("queue full", score=score)
            return False
        self._waiting.add("bytes", submitted.weight)
        self._queue.put(submitted)
        return True

    def _check_process(self) -> None:
        # A fork in C, as uWSGI's, does not run Python's hooks.
        if self._pid != os.getpid():
            self.revive_after_fork()

    def _flush(self, timeout_s: float, *, final: bool) -> bool:
        self._check_process()
        timeout_s = min(max(timeout_s, 0.0), _LONGEST_FLUSH_S)
        flush = Flush(time.monotonic() + timeout_s, final)
        self._queue.put(_Submitted(flush))
        self.wake()
        thread = self._thread
        if thread is None:
            self._drive(until=flush, timeout_s=timeout_s)
        elif not flush.done.wait(timeout_s + _GRACE_S):
            flush.abandoned = True
        elif final:
            thread.join(_GRACE_S)
        return flush.done.is_set() and flush.ok

    def _exit(self) -> None:
        if self._pid != os.getpid():
            return
        self._exiting = True
        # Asked of the ledger: what the thread has just taken is neither in the queue nor in the outbox yet.
        if self._ledger.waiting or not self._queue.empty():
            self.shutdown(self.config.exit_timeout_s)
            waiting, _ = self._outbox.size()
            if waiting:
                logger.warning("payi_otel: the process ends with %d events and scores undelivered", waiting)

    def _flush_at_end_of_child(self) -> None:
        multiprocessing.util.Finalize(None, self._exit, exitpriority=10)

    # The thread's side

    def _run(self) -> None:
        self._drive()
        self._thread = None
        # Submitted after the last look and before the line above: nobody else will start a thread for it.
        if not self._queue.empty():
            self.wake()

    def _drive(self, until: Flush | None = None, timeout_s: float = -1) -> None:
        """Drive the pump until a final flush is over, or `until`."""
        if not self._driving.acquire(timeout=timeout_s):
            return
        # Not the scope of whoever happened to start this thread.
        token = attach(Context())
        try:
            # Asked before each wait: another driver may have seen `until` through while this one waited its turn.
            while not self._is_over(until):
                with faults.guard("delivery.queue"):
                    self._take(self._pump.wait_s())
                try:
                    self._pump.turn()
                except Exception as error:
                    faults.report("delivery.turn", error)
                    self._pump.back_off()
                self._pending_bytes = self._pump.pending_bytes
        finally:
            detach(token)
            self._driving.release()

    def _is_over(self, until: Flush | None) -> bool:
        final = self._final
        if final is not None and final.done.is_set():
            self._final = None
            return True
        return until is not None and until.done.is_set()

    def _take(self, wait_s: float | None) -> None:
        """Move what was submitted into the outbox, after waiting for the first of it."""
        try:
            self._take_one(self._queue.get(timeout=wait_s))
            for _ in range(_TAKEN_PER_TURN):
                self._take_one(self._queue.get_nowait())
        except Empty:
            return

    def _take_one(self, submitted: _Submitted) -> None:
        item, pump = submitted.item, self._pump
        with faults.guard("delivery.item"):
            if isinstance(item, IngestEvent):
                pump.take_event(item)
            elif isinstance(item, _Score):
                pump.take_score(item.item, item.settled)
            elif isinstance(item, _NewKey):
                pump.take_key(item.api_key)
            elif isinstance(item, Flush):
                self._take_flush(item)
            else:
                self._work_done += 1
                item()
        if submitted.weight:
            self._pending_bytes = pump.pending_bytes
            self._waiting.add("bytes", -submitted.weight)

    def _take_flush(self, flush: Flush) -> None:
        if flush.seen_work != self._work_done:
            # Deferred work was done since: what it submitted stands behind this flush, but belongs to it.
            flush.seen_work = self._work_done
            self._queue.put(_Submitted(flush))
            return
        if flush.final:
            self._final = flush
        self._pump.take_flush(flush)


def _revive(reference: weakref.ref[DeliveryWorker]) -> None:
    worker = reference()
    if worker is not None:
        worker.revive_after_fork()
