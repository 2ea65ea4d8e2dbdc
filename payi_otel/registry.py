"""The one place for state that outlives a call: what is installed in this process, and what it remembers."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from payi_otel.capture.call import Call, Recorder
    from payi_otel.capture.owners import Owners
    from payi_otel.delivery.ledger import Ledger
    from payi_otel.delivery.worker import DeliveryWorker
    from payi_otel.process_life import ProcessLife
    from payi_otel.providers.model import Sdk
    from payi_otel.settings import Settings
    from payi_otel.spans.foreign.collector import ForeignSpans
    from payi_otel.spans.processor import PayiSpanProcessor
    from payi_otel.tracking.context import TrackingContext

_LONGEST_LOADING_S = 10.0


class Registry:
    """Process-wide state of payi_otel; everything is None or empty until `payi_instrument()` runs.

    `calls` finds the open call of an HTTP response without leaving a mark on it; `open_calls` are the calls
    that an interpreter exit must still finish, by id; `sessions` is what a websocket connection told about itself;
    `tracers` are the ones we prepared, by provider; `watched_imports` are modules to be patched once loaded.

    `loading` is held by a thread of ours while it imports a module. A child that is forked meanwhile would wait for
    ever for a module whose importing thread it has not got: a fork waits until it is there.
    """

    def __init__(self) -> None:
        self.renew_locks()
        self.settings: Settings | None = None
        self.process_defaults: TrackingContext | None = None
        self.worker: DeliveryWorker | None = None
        self.ledger: Ledger | None = None
        self.recorder: Recorder | None = None
        self.owners: Owners | None = None
        self.processor: PayiSpanProcessor | None = None
        self.foreign: ForeignSpans | None = None
        self.tracers: WeakKeyDictionary[object, Tracer] = WeakKeyDictionary()
        self.instrumented: set[Sdk] = set()
        self.watched_imports: set[str] = set()
        self.process_life: ProcessLife | None = None
        self.calls: WeakKeyDictionary[object, Call] = WeakKeyDictionary()
        self.sessions: WeakKeyDictionary[object, dict[str, Any]] = WeakKeyDictionary()
        self.open_calls: dict[int, Call] = {}
        self.without_stream_options: set[tuple[str, str]] = set()

    def renew_locks(self) -> None:
        """New locks, in a forked child: another thread of the parent may have held the old ones."""
        self.lock = threading.RLock()
        self.loading = threading.RLock()
        self._waited = False

    def before_fork(self) -> None:
        """Let nothing be imported by a thread of ours until `after_fork_in_parent`."""
        self._waited = self.loading.acquire(timeout=_LONGEST_LOADING_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._waited:
            self.loading.release()


registry = Registry()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=registry.before_fork,
        after_in_parent=registry.after_fork_in_parent,
        after_in_child=registry.renew_locks,
    )
