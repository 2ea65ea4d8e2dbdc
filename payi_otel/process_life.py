"""What becomes of open streams and waiting events when a process ends without exit hooks.

That is: by SIGTERM where nobody handles it, in uvicorn, which raises the signal again once it has shut down, and in
the children of multiprocessing and celery, which leave by `os._exit`.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import wrapt

from payi_otel.capture.call import finish_open_calls
from payi_otel.children import call_at_end_of_children
from payi_otel.faults import faults
from payi_otel.registry import registry

# A flush ends by its own bound; this much later it is stuck behind a lock of the thread that was interrupted.
_GRACE_S = 1.0
_FINISH_TIMEOUT_S = 1.0
# How long a signal may wait for the main thread to come out of our code, and how often it looks.
_PATIENCE_S = 1.0
_LOOK_AGAIN_S = 0.005
# Code that ours calls, or that calls ours, on its way to an event.
_TRANSPARENT = sys.stdlib_module_names | {"opentelemetry", "wrapt"}
# Before the delivery worker's own finalizer, which flushes.
_FINALIZER_PRIORITY = 20
_CELERY_UID = "payi_otel.process_life"


class ProcessLife:
    """Finishes open streams and flushes before this process, or a child forked from it, ends.

    Args:
        flush: delivers what is waiting, or leaves it in the outbox.
        timeout_s: seconds after which `flush` ends by itself.
    """

    def __init__(self, flush: Callable[[], object], timeout_s: float) -> None:
        self._flush = flush
        self._timeout_s = timeout_s
        self._ending_in: int | None = None
        self._patient_until_s: float | None = None

    def end(self) -> None:
        """Finish open streams and flush, on threads of ours, since the calling one may hold any lock. Never raises."""
        _run_bounded(finish_open_calls, min(self._timeout_s, _FINISH_TIMEOUT_S))
        _run_bounded(self._flush, self._timeout_s + _GRACE_S)

    def finish_in_child(self) -> None:
        """Finish open streams in a child of multiprocessing, which exit hooks would do elsewhere."""
        if registry.process_life is self:
            finish_open_calls()

    async def end_async(self) -> None:
        """As `end`, while the event loop goes on."""
        import asyncio

        ended = _start(self.end)
        deadline = time.monotonic() + self._timeout_s + _FINISH_TIMEOUT_S + 2 * _GRACE_S
        while ended.locked() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def on_sigterm(self, signum: int, frame: FrameType | None) -> None:
        """End, then end the process as it would have ended without a handler."""
        if os.getpid() == 1:
            # The first process of a container ignores SIGTERM where it has no handler: it goes on, and so do its
            # streams, until SIGKILL.
            if registry.process_life is self:
                _start(self._flush)
            return
        if self._ending_in == os.getpid():
            # Sent twice, as by a supervisor that signals the process and its group.
            return
        if self._is_patient_with(frame):
            _start(_signal_again)
            return
        self._ending_in = os.getpid()
        try:
            if registry.process_life is self:
                self.end()
        finally:
            # Also when Ctrl-C cuts the wait short.
            if _is_main_thread():
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGTERM)

    def _is_patient_with(self, frame: FrameType | None) -> bool:
        """Whether the interrupted code is ours: about to hand over an event, or holding what a flush needs."""
        # Passed on by a handler of the application, which a second signal would reach once more.
        is_passed_on = signal.getsignal(signal.SIGTERM) != self.on_sigterm
        if is_passed_on or not _is_ours_at_work(frame):
            return False
        if self._patient_until_s is None:
            self._patient_until_s = time.monotonic() + _PATIENCE_S
        return time.monotonic() < self._patient_until_s

    def install_handler(self) -> None:
        """Handle SIGTERM if nobody else does, and if this thread and interpreter may."""
        if not _is_main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return
        if not _is_caught_outside_python():
            try:
                signal.signal(signal.SIGTERM, self.on_sigterm)
            except ValueError:
                # A sub-interpreter.
                return

    def remove_handler(self) -> None:
        """Undo `install_handler`, unless another handler has taken its place."""
        if _is_main_thread() and signal.getsignal(signal.SIGTERM) == self.on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def install(handle_sigterm: bool, flush: Callable[[], object], timeout_s: float) -> None:
    """End well from now on: on SIGTERM, in uvicorn, in celery's children.

    Does nothing on Windows, where processes are not ended by signals.

    Args:
        handle_sigterm: whether to handle SIGTERM where the application does not.
        flush: delivers what is waiting; called on a thread of ours.
        timeout_s: seconds after which `flush` ends by itself.

    >>> install(True, lambda: worker.shutdown(5.0), 5.0)  # doctest: +SKIP
    """
    remove()
    if sys.platform == "win32":
        return
    registry.process_life = life = ProcessLife(flush, timeout_s)
    if handle_sigterm:
        life.install_handler()
    call_at_end_of_children(life, ProcessLife.finish_in_child, _FINALIZER_PRIORITY)
    _hook_what_is_loaded()


def remove() -> None:
    """Undo `install`. Called in another thread than the main one, the handler stays and only ends the process."""
    life, registry.process_life = registry.process_life, None
    if life is None:
        return
    life.remove_handler()
    celery = sys.modules.get("celery.signals")
    if celery is not None:
        celery.worker_process_shutdown.disconnect(dispatch_uid=_CELERY_UID)
    server = _uvicorn_server()
    # Another package may have wrapped ours since: then ours stays, idle.
    if server is not None and _is_ours(server.__dict__["shutdown"]):
        server.shutdown = server.__dict__["shutdown"].__wrapped__


def _hook_what_is_loaded() -> None:
    """Hook into uvicorn and celery where the application has imported them; nothing is imported for it."""
    with faults.guard("process_life.celery"):
        celery = sys.modules.get("celery.signals")
        if celery is not None:
            celery.worker_process_shutdown.connect(_celery_child_ends, weak=False, dispatch_uid=_CELERY_UID)
    with faults.guard("process_life.uvicorn"):
        server = _uvicorn_server()
        if server is not None and not _is_ours(server.__dict__["shutdown"]):
            wrapt.wrap_function_wrapper("uvicorn.server", "Server.shutdown", _uvicorn_shutdown)


def _celery_child_ends(**_: Any) -> None:
    life = registry.process_life
    if life is not None:
        life.end()


def _uvicorn_server() -> Any:
    return getattr(sys.modules.get("uvicorn.server"), "Server", None)


def _is_ours(function: Any) -> bool:
    return getattr(function, "_self_wrapper", None) is _uvicorn_shutdown


async def _uvicorn_shutdown(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    result = await wrapped(*args, **kwargs)
    life = registry.process_life
    if life is not None and _uvicorn_raises_sigterm(instance):
        await life.end_async()
    return result


def _uvicorn_raises_sigterm(server: Any) -> bool:
    """Whether uvicorn will raise the SIGTERM again that stopped it; it tells nobody. As of uvicorn 0.29 to 0.54."""
    return signal.SIGTERM in getattr(server, "_captured_signals", ())


def _is_ours_at_work(frame: FrameType | None) -> bool:
    """Whether a stack is in our code, or in what that calls; not while it waits for the provider's SDK."""
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package == "payi_otel":
            return True
        if package not in _TRANSPARENT:
            return False
        frame = frame.f_back
    return False


def _signal_again() -> None:
    time.sleep(_LOOK_AGAIN_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _is_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


def _is_caught_outside_python() -> bool:
    """Whether C code handles SIGTERM, as in an embedding server; Python knows only of what preceded it.

    False where the system does not tell.
    """
    try:
        with open("/proc/self/status", "rb") as status:
            for line in status:
                if line.startswith(b"SigCgt:"):
                    return bool(int(line.removeprefix(b"SigCgt:"), 16) >> (signal.SIGTERM - 1) & 1)
    except (OSError, ValueError):
        pass
    return False


def _run_bounded(work: Callable[[], object], timeout_s: float) -> None:
    _start(work).acquire(timeout=timeout_s)


def _start(work: Callable[[], object]) -> _thread.LockType:
    """Run `work` on a thread of its own; the lock is free when it has ended.

    Without `threading`, whose own locks a signal handler may find taken by the code it has interrupted.
    """
    running = _thread.allocate_lock()
    running.acquire()

    def run() -> None:
        try:
            with faults.guard("process_life.end"):
                work()
        finally:
            running.release()

    try:
        _thread.start_new_thread(run, ())
    except RuntimeError:
        # The interpreter is going down: its exit hooks are at work already.
        running.release()
    return running


def _after_fork_in_child() -> None:
    # What the parent imported after `install`, as celery's command line does.
    if registry.process_life is not None:
        _hook_what_is_loaded()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
