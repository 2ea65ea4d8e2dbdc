"""What delivery costs beside the calls: converting and serialising on one core, and its threads at 1,000 calls/s.

    python benchmarks/delivery.py [--seconds 10] [--rate 1000]

CPU time, which is an upper bound of the time in which the delivery threads hold the GIL: SQLite and sockets let go of
it. The service is on loopback, in a process of its own; the outbox is on disk.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path

from gateway import CALL
from peers.processes import sink

from payi_otel.delivery.durable import DurableOutbox
from payi_otel.delivery.intake import plain_json
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.worker import DeliveryConfig, DeliveryWorker
from payi_otel.spans.reader import read_attributes

BLOCKS, PER_BLOCK = 9, 10_000
START_NS = 1_763_700_000 * 10**9
THREADS = ("payi-outbox", "payi-delivery")


def attributes(number: int) -> dict[str, str | int]:
    """Attributes of a billed call with an id of its own."""
    return {**CALL, "payi.event_id": f"chatcmpl-{number:024d}"}


def convert(blocks: int) -> list[tuple[float, float]]:
    """Microseconds of CPU for an event of each block: converted, serialised."""
    spans = [attributes(number) for number in range(PER_BLOCK)]
    took: list[tuple[float, float]] = []
    for _ in range(blocks):
        began = time.process_time()
        events = [read_attributes(span, START_NS) for span in spans]
        converted = time.process_time()
        for event in events:
            assert event is not None
            plain_json(event.body)
        per_event = 1e6 / PER_BLOCK
        took.append(((converted - began) * per_event, (time.process_time() - converted) * per_event))
    return took


def threads_share(rate: int, seconds: int) -> dict[str, float]:
    """The share of a core that each delivery thread takes at so many calls a second."""
    with sink() as url, tempfile.TemporaryDirectory(prefix="payi-benchmark-") as folder:
        ledger = Ledger()
        outbox = DurableOutbox(Path(folder, "outbox"), max_bytes=2**30, spill_max_bytes=2**20)
        worker = DeliveryWorker(DeliveryConfig(api_key="sk-payi-benchmark", base_url=url), outbox, ledger)
        _submit(worker, 0, rate, seconds=1)
        before = _cpu_s()
        _submit(worker, rate, rate, seconds=seconds)
        after = _cpu_s()
        assert worker.shutdown(10.0)
    return {name: (after[name] - before[name]) / seconds for name in THREADS}


def _submit(worker: DeliveryWorker, first: int, rate: int, *, seconds: int) -> None:
    began = time.perf_counter()
    for number in range(rate * seconds):
        ahead_s = number / rate - (time.perf_counter() - began)
        if ahead_s > 0:
            time.sleep(ahead_s)
        event = read_attributes(attributes(first + number), START_NS)
        assert event is not None
        worker.submit_event(event)


def _cpu_s() -> dict[str, float]:
    found = {thread.name: thread.ident for thread in threading.enumerate()}
    return {name: time.clock_gettime(time.pthread_getcpuclockid(found[name] or 0)) for name in THREADS}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=1000)
    arguments = parser.parse_args()
    took = convert(BLOCKS)
    converted, serialised = (statistics.median(part) for part in zip(*took, strict=True))
    both = statistics.median(sum(pair) for pair in took)
    print(
        f"convert {converted:.1f} us, serialise {serialised:.1f} us: {1e6 / both:,.0f} events/s on one core"
    )
    shares = threads_share(arguments.rate, arguments.seconds)
    parts = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    print(f"at {arguments.rate:,} calls/s: {sum(shares.values()):.1%} of a core ({parts})")


if __name__ == "__main__":
    main()
