"""Which signal handler is installed when, and what becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from payi_otel import process_life
from payi_otel.registry import registry
from tests.examples.world import REPOSITORY

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and forks as POSIX has them")

# Installs the handler, prints whether it is there, and ends by the signal; the flush tells that it ran.
PROGRAM = """
import faulthandler, os, signal, sys, threading, time
from payi_otel import process_life
lock = threading.Lock()
def flush():
    with lock:
        print("flushed", flush=True)
def install():
    process_life.install(True, flush, 0.2)
    print("ours" if callable(signal.getsignal(signal.SIGTERM)) else "none", flush=True)
def end():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    life, handler = registry.process_life, signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    process_life.remove()
    signal.signal(signal.SIGTERM, handler)
    registry.process_life = life


def install(handle_sigterm: bool = True) -> object:
    process_life.install(handle_sigterm, lambda: None, 1.0)
    return signal.getsignal(signal.SIGTERM)


def theirs(number: int, frame: object) -> None:
    raise AssertionError


def run(program: str) -> tuple[int, list[str], str]:
    command = [sys.executable, "-c", PROGRAM + program]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.split(), done.stderr


def test_a_handler_is_installed_where_there_is_none_and_removed_again() -> None:
    assert callable(install())
    process_life.remove()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("handler", [signal.SIG_IGN, theirs])
def test_what_the_application_has_set_stays(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, handler)
    assert install() is handler
    process_life.remove()
    assert signal.getsignal(signal.SIGTERM) is handler


def test_what_the_application_sets_later_stays() -> None:
    install()
    signal.signal(signal.SIGTERM, theirs)
    process_life.remove()
    assert signal.getsignal(signal.SIGTERM) is theirs


def test_no_handler_where_it_is_not_wanted() -> None:
    assert install(handle_sigterm=False) is signal.SIG_DFL


def test_no_handler_from_another_thread() -> None:
    thread = threading.Thread(target=install)
    thread.start()
    thread.join()
    assert registry.process_life is not None
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_no_handler_over_one_in_c() -> None:
    # Python says SIG_DFL.
    status, output, errors = run("faulthandler.register(signal.SIGTERM, chain=True)\ninstall()\nend()")
    assert (status, output) == (-signal.SIGTERM, ["none"])
    assert "most recent call first" in errors


def test_children_start_as_without_us() -> None:
    look = "import signal; print(signal.getsignal(15), signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    command = [sys.executable, "-c", look]
    before = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert callable(install())
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == before


def test_a_signal_flushes_and_ends_the_process_as_without_us() -> None:
    assert run("install()\nend()") == (-signal.SIGTERM, ["ours", "flushed"], "")


def test_a_handler_left_behind_by_another_thread_only_ends_the_process() -> None:
    program = "install()\nt = threading.Thread(target=process_life.remove)\nt.start()\nt.join()\nend()"
    assert run(program) == (-signal.SIGTERM, ["ours"], "")


@pytest.mark.parametrize("held", ["lock", "threading._active_limbo_lock"])
def test_locks_that_the_interrupted_code_holds_delay_the_end_only_so_long(held: str) -> None:
    # The second is what the threading module holds while it starts a thread.
    status, output, errors = run(f"install()\nwith {held}: end()")
    assert (status, errors) == (-signal.SIGTERM, "")
    assert output == (["ours"] if held == "lock" else ["ours", "flushed"])


def test_a_flush_that_fails_costs_only_itself() -> None:
    status, output, errors = run("def flush(): raise OSError('full')\ninstall()\nend()")
    assert (status, output) == (-signal.SIGTERM, ["ours"])
    assert "process_life.end failed (OSError)" in errors


def test_a_call_that_the_signal_interrupts_is_let_finish() -> None:
    program = """
def finish():
    os.kill(os.getpid(), signal.SIGTERM)
    deadline = time.monotonic() + 0.1
    while time.monotonic() < deadline:
        pass
    print("handed", "over", flush=True)

# As if it were code of ours that the signal met.
our_globals = {**globals(), "__name__": "payi_otel.capture.call"}
install()
type(finish)(finish.__code__, our_globals)()
time.sleep(60)
"""
    assert run(program) == (-signal.SIGTERM, ["ours", "handed", "over", "flushed"], "")
