"""The life of the process: forks, exits, children."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.delivery.conftest import MakeBench
from tests.support.ingest_sink import Hang, IngestSink, Reply

ROOT = Path(__file__).parents[2]
PRELUDE = """
import os, sys, threading
from pathlib import Path
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.outbox import MemoryOutbox
from payi_otel.delivery.worker import DeliveryConfig, DeliveryWorker
from tests.delivery.conftest import event

def make(url, **config):
    config = {"api_key": "sk-test", "batch_max_age_s": 60, "exit_timeout_s": 5} | config
    return DeliveryWorker(DeliveryConfig(base_url=url, **config), MemoryOutbox(10**7), Ledger())

url = sys.argv[1]
"""


def _run(script: str, url: str) -> subprocess.CompletedProcess[str]:
    code = PRELUDE + textwrap.dedent(script)
    return subprocess.run(
        # Python 3.12 warns of every fork beside a thread.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_d41_what_is_queued_at_exit_is_delivered(sink: IngestSink) -> None:
    done = _run("worker = make(url)\nfor number in range(50): worker.submit_event(event(number))", sink.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(sink.events) == 50


def test_d41_what_an_unhandled_exception_leaves_is_delivered(sink: IngestSink) -> None:
    done = _run("worker = make(url)\nworker.submit_event(event(1))\nraise SystemExit(3)", sink.url)
    assert done.returncode == 3
    assert "resp_1" in sink.events


def test_d41_what_only_a_finalizer_queued_is_delivered(sink: IngestSink) -> None:
    script = """
    worker = make(url)
    worker.defer(lambda: worker.submit_event(event(1)))
    """
    assert _run(script, sink.url).returncode == 0
    assert list(sink.events) == ["resp_1"]


def test_d41_where_no_thread_can_start_the_exit_delivers_by_itself(sink: IngestSink) -> None:
    script = """
    def refuse(self): raise RuntimeError("can't create new thread at interpreter shutdown")
    threading.Thread.start = refuse
    worker = make(url)
    worker.submit_event(event(1))
    worker.defer(lambda: worker.submit_event(event(2)))
    """
    assert _run(script, sink.url).returncode == 0
    assert sorted(sink.events) == ["resp_1", "resp_2"]


def test_d41_a_retry_at_exit_delivers_too(sink: IngestSink) -> None:
    sink.script.append(Reply(503))
    assert _run("worker = make(url)\nworker.submit_event(event(1))", sink.url).returncode == 0
    assert "resp_1" in sink.events


def test_events_submitted_in_later_exit_hooks_are_delivered(sink: IngestSink) -> None:
    script = """
    import atexit
    workers = []
    # Registered first, hence run last, as an SDK provider's shutdown may be.
    atexit.register(lambda: (workers[0].submit_event(event("late")), workers[0].force_flush(5)))
    workers.append(make(url))
    workers[0].submit_event(event("early"))
    """
    done = _run(script, sink.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(sink.events) == {"resp_early", "resp_late"}


def test_a_hung_server_delays_the_exit_by_the_bound_only(sink: IngestSink) -> None:
    sink.script.extend([Hang(), Hang(), Hang()])
    # The subprocess's own timeout of a minute fails this test if the exit waits for the request's 600 seconds.
    done = _run(
        "worker = make(url, timeout_s=600, exit_timeout_s=0.3)\nworker.submit_event(event(1))", sink.url
    )
    assert done.returncode == 0
    assert "1 events and scores undelivered" in done.stderr


def test_an_exit_without_a_key_does_not_wait(sink: IngestSink) -> None:
    done = _run(
        "worker = make(url, api_key=None, exit_timeout_s=600)\nworker.submit_event(event(1))", sink.url
    )
    assert done.returncode == 0
    assert sink.posts == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_d49_a_forked_child_delivers_its_own_events_and_none_of_its_parent(sink: IngestSink) -> None:
    script = """
    worker = make(url)
    worker.submit_event(event("warm"))
    assert worker.force_flush(10)
    for number in range(20): worker.submit_event(event(f"parent-{number}"))
    child = os.fork()
    if child == 0:
        worker.submit_event(event("child"))
        ok = worker.force_flush(10)
        status = worker._ledger.snapshot()
        os._exit(0 if ok and status.delivered == 1 and status.queued == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert worker.force_flush(10)
    """
    done = _run(script, sink.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(sink.stored) == sorted(
        ["resp_warm", "resp_child", *(f"resp_parent-{number}" for number in range(20))]
    )
    ports = {post.ids[0]: post.client_port for post in sink.posts}
    # The same connection in two processes would mix their bytes.
    assert ports["resp_child"] != ports["resp_warm"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_d49_a_fork_that_runs_no_python_hooks_is_noticed(sink: IngestSink, tmp_path: Path, kind: str) -> None:
    # As uWSGI does, before anything has run: CPython itself does not survive such a fork once there are threads.
    script = f"""
    import ctypes
    from payi_otel.delivery.durable import DurableOutbox
    outbox = DurableOutbox(Path({str(tmp_path / "outbox")!r}), max_bytes=10**8, spill_max_bytes=10**8)
    config = DeliveryConfig(api_key="sk", base_url=url, batch_max_age_s=60)
    worker = DeliveryWorker(config, outbox if {kind == "disk"} else MemoryOutbox(10**7), Ledger())
    worker.defer(lambda: worker.submit_event(event("parent")))
    if ctypes.PyDLL(None).fork() == 0:
        worker.submit_event(event("child"))
        os._exit(0 if worker.force_flush(10) else 1)
    assert os.wait()[1] == 0
    assert worker.force_flush(10)
    """
    done = _run(script, sink.url)
    assert (done.returncode, done.stderr) == (0, "")
    # What the parent had queued is the parent's.
    assert sorted(sink.stored) == ["resp_child", "resp_parent"]


@pytest.mark.parametrize("method", sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods())))
def test_d49_children_of_multiprocessing_deliver_before_they_end(
    sink: IngestSink, tmp_path: Path, method: str
) -> None:
    script = PRELUDE + textwrap.dedent(
        """
        import multiprocessing
        worker = make(url)

        def work(number):
            worker.submit_event(event(number))

        if __name__ == "__main__":
            context = multiprocessing.get_context(sys.argv[2])
            processes = [context.Process(target=work, args=(number,)) for number in range(3)]
            for process in processes: process.start()
            for process in processes: process.join()
        """
    )
    path = tmp_path / "app.py"
    path.write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(path), sink.url, method],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(sink.stored) == ["resp_0", "resp_1", "resp_2"]


def test_d43_many_event_loops_post_each_event_once(sink: IngestSink, make_bench: MakeBench) -> None:
    import asyncio

    bench = make_bench()

    async def handler(number: int) -> None:
        bench.submit(number)

    for number in range(3):
        asyncio.run(handler(number))
    assert bench.worker.force_flush(10)
    assert sorted(sink.stored) == ["resp_0", "resp_1", "resp_2"]


def test_d49_loops_and_threads_share_the_threads_of_the_delivery(
    sink: IngestSink, make_bench: MakeBench
) -> None:
    import threading

    bench = make_bench(batch_max_items=1)
    before = set(threading.enumerate())
    bench.submit(*range(10))
    names = sorted(thread.name for thread in threading.enumerate() if thread not in before)
    assert set(names) <= {"payi-delivery", "payi-outbox", "payi-deadline"}
    assert len(names) == len(set(names))
    assert bench.worker.force_flush(10)
    assert len(sink.events) == 10
