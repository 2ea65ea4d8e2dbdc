"""Celery's prefork workers, whose children leave by `os._exit`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from celery import Celery

from tests.processes.world import Run, wait, wait_until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and forks as POSIX has them")

WORKER = (
    "-m",
    "celery",
    "--app=tasks",
    "worker",
    "--concurrency=2",
    "--without-gossip",
    "--without-mingle",
    "--loglevel=warning",
)


@pytest.mark.parametrize("options", [(), ("--max-tasks-per-child=1",)], ids=["", "max-tasks-per-child"])
def test_celery(run: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    folder = tmp_path / "messages"
    folder.mkdir()
    run.variables["BROKER_FOLDER"] = str(folder)
    queue = Celery("tasks", broker="filesystem://", set_as_current=False)
    queue.conf.broker_transport_options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(folder / "control"),
    }
    for _ in range(3):
        queue.send_task("tasks.work")
    process = run.start([sys.executable, *WORKER, *options])
    wait_until(lambda: len(run.billed) == 6, process)
    process.send_signal(signal.SIGTERM)
    ended = wait(process)
    assert ended.status == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    run.assert_stored(6)
