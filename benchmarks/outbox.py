"""How the outbox behaves as it grows: what putting, taking, acknowledging and adopting an entry costs.

    python benchmarks/outbox.py [--largest 1000000]

On disk, in bulks of 500, at sizes from empty to the largest: microseconds of CPU for an entry. Nothing may grow with
the number of entries that wait. Adopting moves all entries of a file that a dead process left, at most 5,000 ahead of
delivery. Then the same for bulks of several sizes at one size of the outbox.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from payi_otel.delivery.disk import DiskFile
from payi_otel.delivery.durable import DurableOutbox
from payi_otel.delivery.folder import OutboxFolder
from payi_otel.delivery.outbox import Entry, Stored

PAYLOAD = b"{" + b" " * 500 + b"}"
BULK, ROUNDS, NO_LIMIT = 500, 9, 2**40
SIZES = (0, 1_000, 10_000, 100_000, 1_000_000)
BULKS = (1, 10, 100, 500, 2_000)
ADOPTED = (1_000, 10_000, 100_000)


def entries(keys: Iterator[int], count: int) -> list[Stored]:
    """New entries."""
    return [
        Stored(key, Entry("event", f"chatcmpl-{key:024d}", PAYLOAD), 0.0)
        for key in itertools.islice(keys, count)
    ]


def timed(work: Callable[[], object], count: int) -> float:
    """Microseconds of CPU for each of `count`."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / count * 1e6


def steps(outbox: DurableOutbox, keys: Iterator[int], bulk: int) -> dict[str, float]:
    """Each step with one bulk; the outbox is as large afterwards as before. The median of some rounds."""
    took: dict[str, list[float]] = {"put": [], "take": [], "ack": [], "first key": []}
    for _ in range(ROUNDS):
        new = entries(keys, bulk)
        took["put"].append(timed(lambda new=new: outbox.append(new), bulk))
        taken: list[Sequence[Stored]] = []
        took["take"].append(
            timed(lambda taken=taken: taken.append(outbox.peek("events", bulk, NO_LIMIT, ())), bulk)
        )
        acknowledged = [stored.key for stored in taken[0]]
        took["ack"].append(timed(lambda done=acknowledged: outbox.ack(done), bulk))
        took["first key"].append(timed(outbox.first_key, 1))
    return {name: statistics.median(values) for name, values in took.items()}


def adopt_us(folder: Path, count: int) -> float:
    """Microseconds for each of so many entries of a dead process's file."""
    claimed = OutboxFolder(folder).claim_new()
    file = DiskFile(claimed)
    keys = itertools.count(1)
    for _ in range(count // BULK):
        file.append(entries(keys, BULK))
    file.close()
    claimed.release()
    outbox = DurableOutbox(folder, max_bytes=NO_LIMIT, spill_max_bytes=NO_LIMIT)
    own = itertools.count(1)

    def take(items: Sequence[Stored]) -> Collection[int]:
        return outbox.append([Stored(next(own), item.entry, item.since_s) for item in items])

    def adopt_and_deliver() -> None:
        while outbox.adopt(take) or outbox.size()[0]:
            while batch := outbox.peek("events", BULK, NO_LIMIT, ()):
                outbox.ack([stored.key for stored in batch])

    took = timed(adopt_and_deliver, count)
    outbox.release()
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="payi-benchmark-") as folder:
        outbox = DurableOutbox(Path(folder, "own"), max_bytes=NO_LIMIT, spill_max_bytes=NO_LIMIT)
        keys = itertools.count(1)
        print(
            f"{'waiting':>10}{'put':>9}{'take':>9}{'ack':>9}{'first key':>11}   us of CPU an entry, bulks of {BULK}"
        )
        for size in (size for size in SIZES if size <= arguments.largest):
            while outbox.size()[0] < size:
                outbox.append(entries(keys, min(10_000, size - outbox.size()[0])))
            cells = steps(outbox, keys, BULK)
            print(
                f"{size:10,}{cells['put']:9.2f}{cells['take']:9.2f}{cells['ack']:9.2f}{cells['first key']:11.2f}"
            )
        print(
            f"{'bulk of':>10}{'put':>9}{'take':>9}{'ack':>9}{'':11}   us of CPU an entry, {outbox.size()[0]:,} waiting"
        )
        for bulk in BULKS:
            cells = steps(outbox, keys, bulk)
            print(f"{bulk:10,}{cells['put']:9.2f}{cells['take']:9.2f}{cells['ack']:9.2f}")
        print(f"{'adopted':>10}   us of CPU an entry, with its delivery")
        for number, count in enumerate(count for count in ADOPTED if count <= arguments.largest):
            print(f"{count:10,}{adopt_us(Path(folder, f'adopt-{number}'), count):9.2f}")


if __name__ == "__main__":
    main()
