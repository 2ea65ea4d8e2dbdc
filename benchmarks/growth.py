"""How the cost of a call grows with what it is given: writes benchmarks/GROWTH.md.

    python benchmarks/growth.py [--blocks 9] [--output benchmarks/GROWTH.md]

Bare and instrumented take turns in one process; a number is the median over the blocks of what instrumentation added
in one of them. The provider is an in-process transport without latency; delivery runs, to a service on loopback that
takes everything. The application has a tracer whose exporter does nothing. `benchmarks/outbox.py` measures how the
outbox grows, `benchmarks/table.py` compares with other instrumentations.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import openai
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from peers.processes import sink
from peers.vendor import CHUNKS_HEADER, Vendor

import payi_otel

CALLS, MOST_CHUNKS_A_BLOCK = 60, 10_000
Run = Callable[[int], float]
"""Does so many calls; seconds of CPU."""


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity that grows. `prepare(size)` is the surroundings of the measured calls and what does them.

    `units(size)` is how many units one call has, `calls(size)` how many calls a block makes.
    """

    title: str
    unit: str
    sizes: Sequence[int]
    prepare: Callable[[int], contextlib.AbstractContextManager[Run]]
    units: Callable[[int], int] = lambda size: 1
    calls: Callable[[int], int] = lambda size: CALLS


class NullExporter(SpanExporter):
    """The application's own: does nothing."""

    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class Caller:
    """The application."""

    def __init__(self) -> None:
        http = httpx2.Client(transport=httpx2.MockTransport(Vendor()))
        client = openai.OpenAI(api_key="k", http_client=http)
        self._create: Any = client.chat.completions.create

    def series(self) -> list[Series]:
        """All that is measured."""
        return [
            Series("prompt, kB", "call", (1, 10, 100, 1_000), self._prompt),
            Series("properties of the use case", "call", (0, 5, 50), self._properties),
            Series("use cases around it", "call", (1, 10, 50), self._nested),
            Series("use cases entered", "entered one", (1, 10, 50), self._entering, units=lambda size: size),
            Series("threads, all their CPU", "call", (1, 2, 4, 8, 16), self._threads, calls=lambda size: 320),
            Series(
                "chunks of a stream",
                "chunk",
                (10, 100, 1_000, 10_000),
                self._stream,
                units=lambda size: size,
                calls=lambda size: max(1, min(CALLS, MOST_CHUNKS_A_BLOCK // size)),
            ),
        ]

    def _call(self, prompt: str = "hello") -> None:
        self._create(model="gpt-4o-mini", messages=[{"role": "user", "content": prompt}])

    @contextlib.contextmanager
    def _prompt(self, size: int) -> Iterator[Run]:
        text = "word " * (size * 200)
        yield lambda calls: _timed(lambda: self._call(text), calls)

    @contextlib.contextmanager
    def _properties(self, size: int) -> Iterator[Run]:
        properties = {f"property_{number}": f"value {number}" for number in range(size)}
        with payi_otel.track_context(use_case_name="growth", use_case_properties=properties):
            yield lambda calls: _timed(self._call, calls)

    @contextlib.contextmanager
    def _nested(self, size: int) -> Iterator[Run]:
        with contextlib.ExitStack() as stack:
            for number in range(size):
                stack.enter_context(payi_otel.track_context(use_case_name=f"growth_{number}"))
            yield lambda calls: _timed(self._call, calls)

    @contextlib.contextmanager
    def _entering(self, size: int) -> Iterator[Run]:
        def enter() -> None:
            with contextlib.ExitStack() as stack:
                for _ in range(size):
                    stack.enter_context(payi_otel.track_context(use_case_name="growth"))

        yield lambda calls: _timed(enter, calls)

    @contextlib.contextmanager
    def _stream(self, size: int) -> Iterator[Run]:
        def read() -> None:
            for _ in self._create(
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": "hello"}],
                stream=True,
                extra_headers={CHUNKS_HEADER: str(size)},
            ):
                pass

        yield lambda calls: _timed(read, calls)

    @contextlib.contextmanager
    def _threads(self, size: int) -> Iterator[Run]:
        def run(calls: int) -> float:
            threads = [
                threading.Thread(target=lambda: [self._call() for _ in range(calls // size)])
                for _ in range(size)
            ]
            began = time.process_time()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return time.process_time() - began

        yield run


def _timed(work: Callable[[], object], calls: int) -> float:
    began = time.thread_time()
    for _ in range(calls):
        work()
    return time.thread_time() - began


@contextlib.contextmanager
def instrumented(url: str) -> Generator[None]:
    """With payi_otel, and not any more afterwards."""
    payi_otel.payi_instrument(api_key="sk-payi-benchmark", base_url=url, config={"exit_timeout_s": 0.1})
    try:
        yield
    finally:
        payi_otel.uninstrument()


def measure(series: Series, size: int, blocks: int, url: str) -> tuple[float, float]:
    """Microseconds of CPU: bare, and added, for each unit."""
    calls, units = series.calls(size), series.units(size)
    bare: list[float] = []
    added: list[float] = []
    for _ in range(blocks + 1):
        with series.prepare(size) as run:
            without = run(calls)
            with instrumented(url):
                run(1 if units > 1 else 16)
                took = run(calls)
        bare.append(without / calls / units * 1e6)
        added.append((took - without) / calls / units * 1e6)
    # The first pays for what is imported with the first call.
    return statistics.median(bare[1:]), statistics.median(added[1:])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("GROWTH.md"))
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(NullExporter()))
    trace.set_tracer_provider(provider)
    lines = [
        "# How the cost of a call grows",
        "",
        f"Written by `python benchmarks/growth.py` on {date.today()}: {os.cpu_count()} cores, {platform.system()}, "
        f"CPython {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the start. Medians of "
        f"{arguments.blocks} blocks, microseconds of CPU: the calling thread's, but for *threads*.",
        "",
        "| what grows | to | bare, µs | added, µs | for each |",
        "| --- | --: | --: | --: | --- |",
    ]
    with sink() as url, tempfile.TemporaryDirectory(prefix="payi-benchmark-") as outbox:
        os.environ["PAYI_OUTBOX_DIR"] = outbox
        for series in Caller().series():
            for size in series.sizes:
                bare, added = measure(series, size, arguments.blocks, url)
                lines.append(f"| {series.title} | {size:,} | {bare:,.1f} | {added:,.1f} | {series.unit} |")
                print(lines[-1], flush=True)
    arguments.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
