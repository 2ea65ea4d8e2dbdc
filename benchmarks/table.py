"""What instrumentation costs the caller, ours beside every peer, in one table: writes benchmarks/RESULTS.md.

    python benchmarks/table.py [--blocks 31] [--memory-calls 100000] [--output benchmarks/RESULTS.md]

Each contender is installed into an environment of its own in the user's cache directory, the first time. Takes about
half an hour on two idle cores, a third of it memory after 100,000 calls; `--memory-calls 0` leaves that out. The
measured processes run one at a time, so nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from peers import measure
from peers.contenders import CONTENDERS
from peers.environments import python_of
from peers.measure import FEWER_BLOCKS, Measurements
from peers.report import render


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=31, help=f"at least {FEWER_BLOCKS}")
    parser.add_argument("--memory-calls", type=int, default=100_000, help="0 leaves memory out")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    arguments = parser.parse_args()
    if arguments.blocks < FEWER_BLOCKS:
        parser.error(f"--blocks {arguments.blocks}: give {FEWER_BLOCKS} or more")
    pythons = {contender.name: python_of(contender) for contender in CONTENDERS}
    results = Measurements(arguments.blocks)
    measure.measure_start(pythons, results)
    measure.measure_calls(pythons, results)
    measure.measure_latency(pythons, results)
    if arguments.memory_calls:
        marks = sorted({min(10_000, arguments.memory_calls), arguments.memory_calls})
        measure.measure_memory(pythons, results, marks)
    arguments.output.write_text(render(results, pythons, "python benchmarks/table.py"))
    print(f"\n{arguments.output}", file=sys.stderr)


if __name__ == "__main__":
    main()
