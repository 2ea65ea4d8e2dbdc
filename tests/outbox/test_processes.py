"""The outbox folder among real processes: who owns which file, what a death leaves, who takes it up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from payi_otel.delivery.folder import OutboxFolder, destination_folder, owner_pid
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.worker import DeliveryConfig, DeliveryWorker
from tests.delivery.conftest import event
from tests.outbox.parts import crash, everything, outbox_in, several
from tests.support.ingest_sink import IngestSink, running_sink

ROOT = Path(__file__).parents[2]
PRELUDE = """
import os, signal, sys, threading, time
from pathlib import Path
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.worker import DeliveryConfig, DeliveryWorker
from tests.delivery.conftest import event
from tests.outbox.parts import everything, outbox_in, several

url, folder = sys.argv[1], Path(sys.argv[2])

def make(durability="default", **config):
    config = {"api_key": "sk-test", "batch_max_age_s": 0.05, "exit_timeout_s": 0.3, **config}
    return DeliveryWorker(
        DeliveryConfig(base_url=url, durability=durability, **config), outbox_in(folder), Ledger()
    )
"""


def run(script: str, url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    code = PRELUDE + textwrap.dedent(script)
    arguments = [sys.executable, "-c", code, url, str(folder)]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def sink() -> Iterator[IngestSink]:
    with running_sink() as sink:
        yield sink


def deliver_what_is_left(sink: IngestSink, folder: Path) -> Ledger:
    """The next process of the application."""
    ledger = Ledger()
    config = DeliveryConfig(api_key="sk-test", base_url=sink.url, batch_max_age_s=0.05)
    worker = DeliveryWorker(config, outbox_in(folder), ledger)
    worker.submit_event(event("next"))
    assert worker.force_flush(20)
    while ledger.waiting:
        worker.force_flush(20)
    worker.shutdown(5)
    return ledger


def test_what_a_killed_process_left_is_delivered_by_the_next_one(sink: IngestSink, tmp_path: Path) -> None:
    script = """
    worker = make(api_key=None)
    for number in range(20): worker.submit_event(event(number))
    assert worker.persist(20)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run(script, sink.url, tmp_path).returncode == -signal.SIGKILL
    assert len(OutboxFolder(tmp_path).files()) == 1
    status = deliver_what_is_left(sink, tmp_path).snapshot()
    assert sorted(sink.stored) == sorted(["resp_next", *(f"resp_{number}" for number in range(20))])
    assert (status.recovered, status.delivered, status.queued) == (20, 21, 0)
    assert OutboxFolder(tmp_path).files() == []


def test_sync_has_it_on_disk_when_submit_returns(sink: IngestSink, tmp_path: Path) -> None:
    script = """
    worker = make("sync", api_key=None)
    worker.submit_event(event(1))
    os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run(script, sink.url, tmp_path).returncode == -signal.SIGKILL
    deliver_what_is_left(sink, tmp_path)
    assert sorted(sink.stored) == ["resp_1", "resp_next"]


def test_what_cannot_be_sent_in_time_waits_for_the_next_process(sink: IngestSink, tmp_path: Path) -> None:
    done = run("make(api_key='sk').submit_event(event(1))", "http://127.0.0.1:9", tmp_path)
    assert done.returncode == 0
    # It is not lost, so nobody is alarmed.
    assert "undelivered" not in done.stderr
    deliver_what_is_left(sink, tmp_path)
    assert sorted(sink.stored) == ["resp_1", "resp_next"]


def test_a_living_process_keeps_its_file(tmp_path: Path) -> None:
    living, other = outbox_in(tmp_path), outbox_in(tmp_path)
    living.append(several([1]))
    [path] = other.folder.files()
    assert owner_pid(path) == os.getpid()
    assert other.folder.is_orphan(path) is False
    assert other.adopt(lambda items: other.append(items)) is False
    assert (everything(living), everything(other)) == (["resp_1"], [])
    crash(living)
    assert other.folder.is_orphan(path) is True
    other.adopt(lambda items: other.append(items))
    assert everything(other) == ["resp_1"]


def test_a_forked_child_neither_keeps_nor_takes_its_parents_file(sink: IngestSink, tmp_path: Path) -> None:
    script = """
    outbox = outbox_in(folder)
    outbox.append(several(range(1, 11)))
    ready, go = os.pipe(), os.pipe()
    outbox.before_fork()
    pid = os.fork()
    if pid == 0:
        outbox.after_fork_in_child()
        os.close(go[1])
        assert everything(outbox) == []
        os.write(ready[1], b".")
        # The parent is dying when this returns; a lock that the child had kept would never go.
        os.read(go[0], 1)
        [path] = outbox.folder.files()
        deadline = time.monotonic() + 30
        while not outbox.folder.is_orphan(path) and time.monotonic() < deadline: time.sleep(0.01)
        print(outbox.folder.is_orphan(path), flush=True)
        outbox.adopt(lambda items: outbox.append(items))
        print(len(everything(outbox)), flush=True)
        os._exit(0)
    outbox.after_fork_in_parent()
    os.read(ready[0], 1)
    assert len(everything(outbox)) == 10
    os.kill(os.getpid(), signal.SIGKILL)
    """
    done = run(script, sink.url, tmp_path)
    assert (done.stdout, done.stderr) == ("True\n10\n", "")


def test_a_fork_amid_writing_loses_and_doubles_nothing(sink: IngestSink, tmp_path: Path) -> None:
    script = """
    worker = make()
    def work(name):
        for number in range(100): worker.submit_event(event(f"{name}-{number}"))
    threads = [threading.Thread(target=work, args=(f"parent-{n}",)) for n in range(3)]
    for thread in threads: thread.start()
    children = []
    for n in range(5):
        pid = os.fork()
        if pid == 0:
            work(f"child-{n}")
            worker.shutdown(30)
            os._exit(0)
        children.append(pid)
    for pid in children: assert os.waitpid(pid, 0)[1] == 0
    for thread in threads: thread.join()
    assert worker.shutdown(30)
    """
    done = run(script, sink.url, tmp_path)
    assert done.returncode == 0, done.stderr
    names = [f"parent-{n}" for n in range(3)] + [f"child-{n}" for n in range(5)]
    assert sorted(sink.stored) == sorted(f"resp_{name}-{n}" for name in names for n in range(100))


def test_many_adopters_deliver_each_event_once(sink: IngestSink, tmp_path: Path) -> None:
    for number in range(6):
        outbox = outbox_in(tmp_path)
        outbox.append(several(range(number * 50, number * 50 + 50)))
        crash(outbox)
    script = """
    worker = make()
    worker.submit_event(event(f"adopter-{os.getpid()}"))
    worker.force_flush(20)
    worker.shutdown(20)
    """
    code = PRELUDE + textwrap.dedent(script)
    processes = [
        subprocess.Popen([sys.executable, "-c", code, sink.url, str(tmp_path)], cwd=ROOT) for _ in range(4)
    ]
    assert [process.wait(120) for process in processes] == [0] * 4
    delivered = [name for name in sink.stored if "adopter" not in name]
    assert sorted(delivered) == sorted(f"resp_{number}" for number in range(300))


def test_every_destination_has_a_folder_of_its_own_that_tells_no_key(tmp_path: Path) -> None:
    url = "https://api.pay-i.com"
    folders = {
        destination_folder(tmp_path, url, "sk-secret-1", "/app.py"),
        destination_folder(tmp_path, url, "sk-secret-2", "/app.py"),
        destination_folder(tmp_path, "http://127.0.0.1:8080", "sk-secret-1", "/app.py"),
        destination_folder(tmp_path, url, None, "/app.py"),
        destination_folder(tmp_path, url, None, "/other.py"),
    }
    assert len(folders) == 5
    assert destination_folder(tmp_path, url, "sk-secret-1", "/a") == destination_folder(
        tmp_path, url, "sk-secret-1", "/b"
    )
    assert not any("secret" in str(folder) for folder in folders)


def test_with_delivery_off_nothing_is_kept_or_sent(sink: IngestSink, tmp_path: Path) -> None:
    script = """
    from payi_otel.delivery.scores import KpiScore
    worker = make(delivery=False)
    worker.submit_event(event(1))
    told = []
    worker.submit_score(KpiScore("chat", "1", "solved", True), told.append)
    assert worker.force_flush(10)
    print(told, folder.exists())
    """
    done = run(script, sink.url, tmp_path / "outbox")
    assert (done.stdout, done.stderr) == ("['delivery is off in this process'] False\n", "")
    assert sink.posts == []
