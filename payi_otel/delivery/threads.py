"""A daemon thread that starts when there is work, and again after it has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from opentelemetry.context import Context, attach, detach


@contextmanager
def outside_any_scope() -> Generator[None]:
    """Run our own work in an empty context, not in that of whoever happened to start it."""
    token = attach(Context())
    try:
        yield
    finally:
        detach(token)


class OnDemandThread:
    """Runs `run` on a daemon thread; `wake` starts it where it is not running.

    `has_work` is asked when `run` has returned: what arrived after its last look needs another run.
    """

    def __init__(self, name: str, run: Callable[[], None], has_work: Callable[[], bool]) -> None:
        self._name = name
        self._target = run
        self._has_work = has_work
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def is_running(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None

    def wake(self) -> None:
        """Start the thread unless it runs. Never waits; does nothing when the interpreter is going down."""
        if self._thread is not None or not self._starting.acquire(blocking=False):
            return
        try:
            # Read again: another thread may have started it meanwhile.
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread = thread
                try:
                    thread.start()
                except RuntimeError:
                    # The interpreter is going down.
                    self._thread = None
        finally:
            self._starting.release()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, if there is one."""
        thread = self._thread
        # Another thread may be about to start it: then it has no identity yet, and there is nothing to wait for.
        if thread is not None and thread.ident is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def _run(self) -> None:
        try:
            with outside_any_scope():
                self._target()
        finally:
            self._thread = None
        if self._has_work():
            self.wake()
