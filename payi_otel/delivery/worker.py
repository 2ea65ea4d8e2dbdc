"""The delivery worker: the intake that never blocks its callers, and the thread that drives the pump."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

from payi_otel.children import call_at_end_of_children
from payi_otel.delivery.config import DeliveryConfig
from payi_otel.delivery.flushes import Flush
from payi_otel.delivery.intake import Encode, Forwarded, Intake, Later, NewKey, Score, plain_json
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.outbox import Outbox
from payi_otel.delivery.pump import Pump
from payi_otel.delivery.scores import KpiRequest, Settled, Waiters
from payi_otel.delivery.threads import OnDemandThread, outside_any_scope
from payi_otel.delivery.transport import Transport
from payi_otel.delivery.warnings import WarningLog
from payi_otel.faults import faults
from payi_otel.spans.event import IngestEvent

__all__ = ["DeliveryConfig", "DeliveryWorker"]

T = TypeVar("T")

# A flush answers within its timeout; its caller waits a little longer to hear the answer.
_GRACE_S = 0.25
_LONGEST_FLUSH_S = 86_400.0
_FINALIZER_PRIORITY = 10

logger = logging.getLogger("payi_otel.delivery")


class DeliveryWorker:
    """Delivers events and scores in the background.

    Two daemon threads: one writes what is submitted to the outbox, one sends what is in the outbox, so that a slow
    Pay-i never keeps an event from the disk. They start with the first event or score, and are replaced in a
    forked child, which starts empty: the parent delivers what it had. Submitting only puts an item into a queue:
    no lock is waited for, nothing is encoded, sent or logged; with `config.durability="sync"` an event is on disk
    when `submit_event` returns. At exit the rest is flushed for up to `config.exit_timeout_s`.

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
            os.register_at_fork(
                before=lambda: _at_fork(reference, DeliveryWorker._before_fork),
                after_in_parent=lambda: _at_fork(reference, DeliveryWorker._after_fork_in_parent),
                after_in_child=lambda: _at_fork(reference, DeliveryWorker.revive_after_fork),
            )
        call_at_end_of_children(self, DeliveryWorker._exit, _FINALIZER_PRIORITY)

    def _begin(self) -> None:
        self._pid = os.getpid()
        # None only wakes the sender.
        self._inbox: SimpleQueue[Forwarded | None] = SimpleQueue()
        self._final: Flush | None = None
        self._final_mark = 0
        self._driving = threading.Lock()
        warnings, waiters = WarningLog(), Waiters()
        self._intake = Intake(
            self._outbox,
            self._ledger,
            warnings,
            queue_max_bytes=self.config.queue_max_bytes,
            sync=self.config.durability == "sync",
            forward=self._forward,
            waiters=waiters,
            stored=self._wake_sender,
        )
        self._pump = Pump(
            self.config,
            self._outbox,
            self._ledger,
            Transport(self.config),
            warnings,
            waiters,
            adopt=self._intake.adopt,
        )
        self._sender = OnDemandThread("payi-delivery", self._drive, self._has_work)

    # The caller's side

    def submit_event(self, event: IngestEvent) -> None:
        """Deliver an event."""
        self._check_process()
        if self.config.delivery:
            self._intake.submit(event)

    def submit_later(self, make: Callable[[T], Sequence[IngestEvent]], of: T, size: int = 0) -> None:
        """Deliver the events that `make(of)` gives, called on a thread of ours (`durability="sync"`: here).

        `size` is how many bytes of text it holds on to until then.
        """
        self._check_process()
        if self.config.delivery:
            self._intake.submit(Later(make, of, size))

    def submit_score(self, item: KpiRequest, settled: Settled | None = None) -> None:
        """Deliver a KPI score, increment or definition; `settled` is told, on a thread of ours, what became of it."""
        self._check_process()
        refusal = None if self.config.delivery else "delivery is off in this process"
        if refusal is None and not self._intake.submit(Score(item, settled)):
            refusal = "queue full"
        if refusal is not None and settled is not None:
            settled(refusal)

    def defer(self, work: Callable[[], None]) -> None:
        """Run `work` on a thread of ours. Never starts that thread, since a finalizer must not."""
        self._check_process()
        self._intake.put(work)

    def use_api_key(self, api_key: str) -> None:
        """Deliver with this key from now on, also what has waited for one."""
        self._check_process()
        self._intake.put(NewKey(api_key))
        self._intake.thread.wake()

    def wake(self) -> None:
        """Start the threads if they are not running, for work that was deferred."""
        self._intake.thread.wake()

    def store(self, items: Sequence[IngestEvent | KpiRequest], encode: Encode = plain_json) -> bool:
        """Put events and scores into the outbox in one write, on this thread; True when all are on disk.

        What is not there is not kept either: who sent it is to send it again. For a gateway, which acknowledges
        only what cannot be lost any more.

        >>> worker.store([event])  # doctest: +SKIP
        True
        """
        self._check_process()
        return self._intake.store(
            [item if isinstance(item, IngestEvent) else Score(item, None) for item in items], encode
        )

    @property
    def room_bytes(self) -> int:
        """How many bytes of payload the outbox still takes."""
        return self._outbox.room_bytes

    def persist(self, timeout_s: float) -> bool:
        """Write everything submitted so far to disk, without the network; True when that is done.

        >>> worker.persist(1.0)  # doctest: +SKIP
        True
        """
        self._check_process()
        written = threading.Event()
        self._intake.put(written)
        self._take_in()
        return written.wait(timeout_s) and self._outbox.memory_bytes == 0

    def force_flush(self, timeout_s: float) -> bool:
        """Deliver everything submitted so far.

        True only if Pay-i has accepted it all. False when something is still waiting after `timeout_s` seconds, when
        it cannot be delivered for want of a valid API key (at once), or when anything was rejected or dropped
        since the previous flush.
        """
        return self._flush(timeout_s, final=False)

    def shutdown(self, timeout_s: float) -> bool:
        """As `force_flush`, and stop the threads. What is submitted later starts them again."""
        ok = self._flush(timeout_s, final=True)
        if not self._sender.is_running:
            with faults.guard("outbox.release"):
                self._outbox.release()
        return ok

    def revive_after_fork(self) -> None:
        """Start afresh in a forked child."""
        self._outbox.after_fork_in_child()
        self._ledger.reset()
        self._begin()

    def _check_process(self) -> None:
        # A fork in C, as uWSGI's, does not run Python's hooks.
        if self._pid != os.getpid():
            self.revive_after_fork()

    def _before_fork(self) -> None:
        self._intake.before_fork()
        self._outbox.before_fork()

    def _after_fork_in_parent(self) -> None:
        self._outbox.after_fork_in_parent()
        self._intake.after_fork_in_parent()

    def _flush(self, timeout_s: float, *, final: bool) -> bool:
        self._check_process()
        timeout_s = min(max(timeout_s, 0.0), _LONGEST_FLUSH_S)
        flush = Flush(time.monotonic() + timeout_s, final)
        self._intake.put(flush)
        self._take_in()
        flush.taken.wait(timeout_s + _GRACE_S)
        if flush.taken.is_set() and not self._sender.is_running and not flush.done.is_set():
            with outside_any_scope():
                self._drive(until=flush, timeout_s=timeout_s)
        if not flush.done.wait(max(0.0, flush.deadline_s + _GRACE_S - time.monotonic())):
            flush.abandoned = True
        elif final:
            self._sender.join(_GRACE_S)
            self._intake.thread.join(_GRACE_S)
        return flush.done.is_set() and flush.ok

    def _take_in(self) -> None:
        self._intake.thread.wake()
        # Late in the exit of an interpreter no thread starts any more.
        if not self._intake.thread.is_running:
            with outside_any_scope():
                self._intake.drain()

    def _exit(self) -> None:
        if self._pid != os.getpid():
            return
        # Asked of the ledger: what a thread has just taken is neither in the queue nor in the outbox yet.
        if self._ledger.waiting or not self._intake.is_empty:
            try:
                self.shutdown(self.config.exit_timeout_s)
            except KeyboardInterrupt:
                # Whoever waits has had enough, and is not to see our stack for it.
                pass
            waiting = self._outbox.size()[0]
            if waiting and self._outbox.memory_bytes:
                logger.warning("payi_otel: the process ends with %d events and scores undelivered", waiting)
            elif waiting:
                logger.info(
                    "payi_otel: %d events and scores wait in the outbox for the next process", waiting
                )

    # The sender's side

    def _forward(self, item: Forwarded) -> None:
        self._inbox.put(item)
        self._sender.wake()
        if isinstance(item, Flush):
            item.taken.set()

    def _wake_sender(self) -> None:
        if self._inbox.empty() and not self._pump.comes_by_itself():
            self._inbox.put(None)
        self._sender.wake()

    def _drive(self, until: Flush | None = None, timeout_s: float = -1) -> None:
        """Drive the pump until a final flush is over, or `until`."""
        if not self._driving.acquire(timeout=timeout_s):
            return
        try:
            # Asked before each wait: another driver may have seen `until` through while this one waited its turn.
            while not self._is_over(until):
                try:
                    self._take(self._pump.wait_s())
                    self._pump.turn()
                except Exception as error:
                    faults.report("delivery.turn", error)
                    self._pump.back_off()
        finally:
            self._driving.release()

    def _has_work(self) -> bool:
        """Whether anything came after the final flush that ended the thread."""
        came: list[Forwarded] = []
        with contextlib.suppress(Empty):
            while True:
                item = self._inbox.get_nowait()
                if item is not None:
                    came.append(item)
        for item in came:
            self._inbox.put(item)
        return bool(came) or self._intake.last_key > self._final_mark

    def _is_over(self, until: Flush | None) -> bool:
        final = self._final
        if final is not None and final.done.is_set():
            self._final = None
            self._final_mark = final.mark
            return True
        return until is not None and until.done.is_set()

    def _take(self, wait_s: float | None) -> None:
        """Tell the pump what came, after waiting for the first of it."""
        try:
            item = self._inbox.get(timeout=wait_s)
            while True:
                if isinstance(item, NewKey):
                    self._pump.take_key(item.api_key)
                elif item is not None:
                    if item.final:
                        self._final = item
                    self._pump.take_flush(item)
                item = self._inbox.get_nowait()
        except Empty:
            return


def _at_fork(reference: weakref.ref[DeliveryWorker], step: Callable[[DeliveryWorker], None]) -> None:
    worker = reference()
    if worker is not None:
        step(worker)
