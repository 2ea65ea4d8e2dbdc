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

BEFORE_CELERY = "import calls; calls.instrument(); from celery.__main__ import main; main()"
WORKER = (
    "--app=tasks",
    "worker",
    "--concurrency=2",
    "--without-gossip",
    "--without-mingle",
    "--loglevel=warning",
)


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "celery", *WORKER),
        # As `opentelemetry-instrument celery` does.
        ("-c", BEFORE_CELERY, *WORKER, "--max-tasks-per-child=1"),
    ],
    ids=["", "instrumented before, max-tasks-per-child"],
)
def test_celery(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    folder = tmp_path / "messages"
    folder.mkdir()
    run.variables["BROKER_FOLDER"] = str(folder)
    queue = Celery("tasks", broker="filesystem://", set_as_current=False)
    folders = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder / "control"}
    queue.conf.broker_transport_options = {name: str(path) for name, path in folders.items()}
    for _ in range(3):
        queue.send_task("tasks.work")
    process = run.start([sys.executable, *command])
    wait_until(lambda: len(run.billed) == 6, process)
    process.send_signal(signal.SIGTERM)
    ended = wait(process)
    assert ended.status == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    run.assert_stored(6)
