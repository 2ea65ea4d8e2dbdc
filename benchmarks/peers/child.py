"""A contender's process: told by lines of JSON what to run, it answers each with a line of numbers.

python -m peers.child CONTENDER URL
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai

from peers.setups import SETUPS
from peers.vendor import CHUNKS_HEADER, Vendor

Numbers = dict[str, float]

# Calls before those that count: another contender has had the processor's caches since, which is nobody's cost.
WARM_UP = 5


class Work:
    """The calls that are measured. Every method answers with numbers for all its calls together."""

    def __init__(self) -> None:
        vendor = Vendor()
        http = httpx2.Client(transport=httpx2.MockTransport(vendor))
        self._openai = openai.OpenAI(api_key="k", http_client=http)
        self._anthropic = anthropic.Anthropic(api_key="k", http_client=http)
        self._vendor = vendor
        self._process_s = time.process_time()

    def chat(self, calls: int, prompt: int = 5) -> Numbers:
        """Chat completions with a prompt of so many characters."""
        messages = [{"role": "user", "content": "x" * prompt}]
        create: Any = self._openai.chat.completions.create
        return self._measured(lambda: create(model="gpt-4o-mini", messages=messages), calls)

    def message(self, calls: int) -> Numbers:
        """Anthropic messages."""
        messages = [{"role": "user", "content": "hello"}]
        create: Any = self._anthropic.messages.create
        return self._measured(
            lambda: create(model="claude-haiku-4-5", max_tokens=9, messages=messages), calls
        )

    def stream(self, calls: int, chunks: int) -> Numbers:
        """Chat streams of so many chunks."""
        create: Any = self._openai.chat.completions.create
        asked = _streamed(chunks)

        def run() -> None:
            for _ in create(**asked):
                pass

        return self._measured(run, calls)

    def stream_async(self, calls: int, chunks: int) -> Numbers:
        """The same with the async client."""
        asked = _streamed(chunks)

        async def run(client: openai.AsyncOpenAI) -> None:
            create: Any = client.chat.completions.create
            async for _ in await create(**asked):
                pass

        return self._measured_async(run, calls, at_once=1)

    def concurrent(self, calls: int) -> Numbers:
        """Async chat completions, fifty at once."""
        messages = [{"role": "user", "content": "hello"}]

        async def run(client: openai.AsyncOpenAI) -> None:
            create: Any = client.chat.completions.create
            await create(model="gpt-4o-mini", messages=messages)

        return self._measured_async(run, calls, at_once=50)

    def latency(self, calls: int) -> Numbers:
        """Chat completions, each timed by itself: milliseconds."""
        messages = [{"role": "user", "content": "hello"}]
        create: Any = self._openai.chat.completions.create
        took: list[float] = []
        for _ in range(calls):
            began = time.perf_counter()
            create(model="gpt-4o-mini", messages=messages)
            took.append((time.perf_counter() - began) * 1000)
        p99 = statistics.quantiles(took, n=100, method="inclusive")[98] if calls > 1 else took[0]
        return {"mean": statistics.fmean(took), "p50": statistics.median(took), "p99": p99}

    def memory(self, calls: int) -> Numbers:
        """Resident memory after so many more chat completions: MiB."""
        self.chat(calls)
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        return {"rss": pages * os.sysconf("SC_PAGE_SIZE") / 2**20}

    def _measured(self, run: Callable[[], object], calls: int) -> Numbers:
        warm_up = min(calls, WARM_UP)
        for _ in range(warm_up):
            run()
        clock = _Clock()
        for _ in range(calls):
            run()
        return clock.read() | self._process(calls / (calls + warm_up))

    def _measured_async(self, run: Callable[[Any], Any], calls: int, at_once: int) -> Numbers:
        async def all_of_them() -> Numbers:
            transport = httpx2.MockTransport(self._vendor)
            async with httpx2.AsyncClient(transport=transport) as http:
                client = openai.AsyncOpenAI(api_key="k", http_client=http)

                async def worker(count: int) -> None:
                    for _ in range(count):
                        await run(client)

                await worker(warm_up)
                clock = _Clock()
                await asyncio.gather(*(worker(calls // at_once) for _ in range(at_once)))
                return clock.read()

        warm_up = min(calls, WARM_UP)
        return asyncio.run(all_of_them()) | self._process(calls / (calls + warm_up))

    def _process(self, share: float) -> Numbers:
        """That share of the CPU seconds of all threads since the last time, also while others were measured."""
        before, self._process_s = self._process_s, time.process_time()
        return {"process": (self._process_s - before) * share}


class _Clock:
    """Seconds since it was made; `caller` is this thread's CPU time."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._caller = time.thread_time()

    def read(self) -> Numbers:
        """What the clock shows."""
        return {"caller": time.thread_time() - self._caller, "wall": time.perf_counter() - self._wall}


def _streamed(chunks: int) -> dict[str, Any]:
    return {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "extra_headers": {CHUNKS_HEADER: str(chunks)},
    }


def main() -> None:
    """Instrument, then do as told."""
    logging.disable(logging.CRITICAL)
    # Another's own tracing, of whoever sets up OpenTelemetry, is not what is compared here.
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    # Whoever prints must not disturb the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    name, url = sys.argv[1:]
    SETUPS[name]()(url)
    work = Work()
    for line in sys.stdin:
        told = json.loads(line)
        print(json.dumps(getattr(work, told.pop("do"))(**told)), file=answers, flush=True)


if __name__ == "__main__":
    main()
