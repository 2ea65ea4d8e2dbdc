"""Who started work whose usage comes later, on disk: across processes and forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from payi_otel.capture.owners import Owners
from payi_otel.tracking.context import TrackingContext

FILE_DESCRIPTORS = Path("/proc/self/fd")
WRITER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("writing", flush=True)
sys.stdin.read()
"""
MINE = TrackingContext(use_case_name="claims", use_case_id="7", limit_ids=("team",))


def opened(path: Path) -> int:
    """How many descriptors of this process are on a file."""
    links = [link for link in FILE_DESCRIPTORS.iterdir() if link.is_symlink()]
    return sum(os.readlink(link) == str(path) for link in links if os.path.lexists(link))


def test_another_process_finds_what_was_saved(tmp_path: Path) -> None:
    one = Owners(tmp_path)
    one.remember("batch:1", MINE)
    one.save("batch:1")
    found = Owners(tmp_path).find("batch:1")
    assert found is not None
    assert (found.use_case_name, found.use_case_id, found.limit_ids) == ("claims", "7", ("team",))


@pytest.mark.skipif(not FILE_DESCRIPTORS.is_dir(), reason="tells open files by Linux's /proc")
def test_no_connection_is_carried_over_a_fork(tmp_path: Path) -> None:
    owners = Owners(tmp_path)
    owners.remember("batch:1", MINE)
    owners.save("batch:1")
    path = tmp_path / "owners.db"
    assert opened(path) == 0
    other = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout is not None
        # The next save waits for this one, with its connection open.
        assert other.stdout.readline()
        saving = threading.Thread(target=owners.save, args=("batch:1",))
        saving.start()
        while saving.is_alive() and not opened(path):
            pass
        child = os.fork()
        if child == 0:
            # pytest must not end twice.
            os._exit(opened(path))
        saving.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    # And the parent goes on.
    owners.save("batch:1")
    assert Owners(tmp_path).find("batch:1") is not None


def test_a_forked_child_saves_and_finds(tmp_path: Path) -> None:
    owners = Owners(tmp_path)
    child = os.fork()
    if child == 0:
        owners.remember("batch:1", MINE)
        owners.save("batch:1")
        os._exit(0 if Owners(tmp_path).find("batch:1") == MINE else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert owners.find("batch:1") == MINE
