"""Scripts, and every way to end one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.processes.world import Run, hanging_server, wait, wait_until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and forks as POSIX has them")

AS_FIRST_PROCESS = ("unshare", "--map-root-user", "--pid", "--fork", "--")
HAS_NAMESPACES = bool(shutil.which("unshare")) and subprocess.call([*AS_FIRST_PROCESS, "true"]) == 0


@pytest.mark.parametrize(
    "ending",
    [
        "returns",
        "unhandled_exception",
        "sigint",
        "sigterm",
        "sigterm_in_an_event_loop",
        "sigterm_handled_by_the_application",
        "sigterm_passed_on_by_the_application",
        "sigterm_handled_by_the_event_loop",
    ],
)
def test_everything_is_stored_when_the_process_has_ended(run: Run, ending: str) -> None:
    run.as_bare("script.py", ending)
    run.assert_stored(3)
    assert run.in_outbox == 0


@pytest.mark.parametrize("ending", ["os_exit", "sigkill"])
def test_what_was_written_before_a_hard_end_is_stored_by_the_next_process(run: Run, ending: str) -> None:
    run.variables["PAYI_DURABILITY"] = "sync"
    run.as_bare("script.py", ending)
    run.start_next_process()
    run.assert_stored(2, killed_streams=1)


def test_exec_leaves_its_events_to_the_program_it_becomes(run: Run) -> None:
    run.variables["PAYI_DURABILITY"] = "sync"
    assert run.to_end("script.py", "exec_").status == 0
    run.assert_stored(5, killed_streams=1)


def test_by_default_events_survive_sigkill_once_they_are_on_disk(run: Run) -> None:
    with hanging_server() as run.payi_url:
        process = run.start([sys.executable, "script.py", "waits_to_be_killed"])
        wait_until(lambda: run.in_outbox == 2 and len(run.billed) == 3, process)
        process.kill()
        assert wait(process).status == -signal.SIGKILL
    run.payi_url = ""
    run.start_next_process()
    run.assert_stored(2, killed_streams=1)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("returns", 0),
        ("sigterm_twice", -signal.SIGTERM),
        ("sigterm_then_ctrl_c", -signal.SIGTERM),
    ],
)
def test_with_pay_i_hung_the_process_ends_and_leaves_everything_in_the_outbox(
    run: Run, ending: str, status: int
) -> None:
    run.variables |= {"PAYI_TIMEOUT": "600", "PAYI_EXIT_TIMEOUT": "1"}
    with hanging_server() as run.payi_url:
        assert run.to_end("script.py", ending).status == status
    assert run.stored == []
    assert run.in_outbox == 3
    run.payi_url = ""
    run.start_next_process()
    run.assert_stored(3)


@pytest.mark.skipif(not HAS_NAMESPACES, reason="no process namespaces on this system")
def test_the_first_process_of_a_container_goes_on_after_sigterm(run: Run) -> None:
    ended = run.as_bare("script.py", "sigterm_that_is_ignored", launcher=AS_FIRST_PROCESS)
    assert ended.status == 0
    run.assert_stored(4)
