"""Children of multiprocessing and of fork."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from tests.processes.world import Run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and forks as POSIX has them")


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_multiprocessing(run: Run, method: str) -> None:
    ended = run.to_end("children.py", method)
    assert (ended.status, ended.stderr) == (0, "")
    run.assert_stored(2 * (2 + 2 + 2))


def test_fork_of_a_threaded_process(run: Run) -> None:
    # Since 3.12 Python warns of forks beside any thread, and this application has threads of its own.
    ended = run.as_bare("-Wignore::DeprecationWarning", "forks.py")
    assert ended.status == 0
    run.assert_stored(1 + 2 * 5 + 2 * (2 + 1))
