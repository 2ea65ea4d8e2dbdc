"""How fast what an outage has left in the outbox gets into the self-hosted server, by the real delivery.

    python benchmarks/delivery_to_server.py [--events 50000]

The events wait in an outbox on disk, as while the server cannot be reached; from the moment they may go, the time
until the outbox is empty. The server is a process of its own on loopback, with SQLite on disk; each event is of a new
instance, the hardest case. Afterwards the server's file is read: every event must be there once.
"""

from __future__ import annotations

import argparse
import logging
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from delivery import START_NS, attributes
from server_ingest import BATCH, KEY, cpu_s, served

from payi_otel.delivery.durable import DurableOutbox
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.worker import DeliveryConfig, DeliveryWorker
from payi_otel.spans.event import IngestEvent
from payi_otel.spans.reader import read_attributes

LONGEST_S = 600.0


def event(number: int) -> IngestEvent:
    """A billed call of an instance of its own."""
    made = read_attributes({**attributes(number), "payi.use_case_id": f"instance-{number}"}, START_NS)
    assert made is not None
    return made


def deliver(url: str, folder: Path, events: int) -> tuple[float, float]:
    """Seconds, and seconds of the sending thread's CPU, until so many events are out of the outbox."""
    # It says that events wait for a key.
    logging.getLogger("payi_otel").setLevel(logging.ERROR)
    ledger = Ledger()
    outbox = DurableOutbox(folder, max_bytes=2**32, spill_max_bytes=2**20)
    # Without a key everything waits.
    worker = DeliveryWorker(DeliveryConfig(api_key=None, base_url=url), outbox, ledger)
    for start in range(0, events, BATCH):
        assert worker.store([event(number) for number in range(start, min(start + BATCH, events))])
    began = time.perf_counter()
    worker.use_api_key(KEY)
    assert worker.force_flush(LONGEST_S), ledger.snapshot()
    took = time.perf_counter() - began
    sender = next(thread for thread in threading.enumerate() if thread.name == "payi-delivery")
    cpu = time.clock_gettime(time.pthread_getcpuclockid(sender.ident or 0))
    assert outbox.size()[0] == 0
    assert ledger.snapshot().delivered == events, ledger.snapshot()
    assert worker.shutdown(10.0)
    return took, cpu


def stored(database: str) -> tuple[int, int, int]:
    """Requests that the server has, how many ids they have, and the calls in its sums."""
    with closing(sqlite3.connect(database)) as connection:
        requests = connection.execute("SELECT count(*), count(DISTINCT provider_response_id) FROM requests")
        calls = connection.execute("SELECT sum(calls) FROM rollups WHERE is_detailed")
        return (*requests.fetchone(), calls.fetchone()[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=50_000)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory(prefix="payi-benchmark-") as folder:
        database = str(Path(folder, "payi.db"))
        with served(database) as (url, process):
            before = cpu_s(process)
            took, sender = deliver(url, Path(folder, "outbox"), events)
            server = cpu_s(process) - before
        found = stored(database)
    print(
        f"{events / took:,.0f} events/s from the outbox into the server: {took / events * 1e6:.0f} us an event, "
        f"{sender / events * 1e6:.0f} us CPU of the sending thread, {server / events * 1e6:.0f} us of the server"
    )
    if found != (events, events, events):
        sys.exit(f"of {events} events the server has {found} (requests, ids, calls)")


if __name__ == "__main__":
    main()
