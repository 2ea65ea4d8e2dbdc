"""What a chunk of a chat stream costs beside the SDK's own work, too little to be seen in a whole stream.

    python benchmarks/chunk.py [--blocks 51]

The chunks are the SDK's objects, parsed before: a stream replays them. Bare and instrumented streams take turns in one
process; a number is the median over the blocks of what instrumentation added. CPU time of the calling thread.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import httpx2
import openai
from growth import instrumented
from peers.processes import sink
from peers.vendor import CHUNKS_HEADER, Vendor

CHUNKS = 5_000
ASKED: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


class Streams:
    """Clients of both kinds whose streams replay `chunks`."""

    def __init__(self) -> None:
        transport = httpx2.MockTransport(Vendor())
        self._sync: Any = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport))
        self._async: Any = openai.AsyncOpenAI(
            api_key="k", http_client=httpx2.AsyncClient(transport=transport)
        )
        asked = {**ASKED, "extra_headers": {CHUNKS_HEADER: str(CHUNKS)}}
        chunks: Sequence[Any] = list(self._sync.chat.completions.create(**asked))

        def replay(stream: object) -> Iterator[Any]:
            yield from chunks

        async def replay_async(stream: object) -> AsyncIterator[Any]:
            for chunk in chunks:
                yield chunk

        streams: Any = (openai.Stream, openai.AsyncStream)
        streams[0].__stream__, streams[1].__stream__ = replay, replay_async

    def read(self) -> float:
        """Nanoseconds for each chunk of a stream."""
        stream = self._sync.chat.completions.create(**ASKED)
        began = time.thread_time_ns()
        for _ in stream:
            pass
        return (time.thread_time_ns() - began) / CHUNKS

    def read_async(self) -> float:
        """The same with the async client."""

        async def read() -> float:
            stream = await self._async.chat.completions.create(**ASKED)
            began = time.thread_time_ns()
            async for _ in stream:
                pass
            return (time.thread_time_ns() - began) / CHUNKS

        return asyncio.run(read())


def measure(read: Callable[[], float], blocks: int, url: str) -> tuple[float, float]:
    """Nanoseconds a chunk: bare, and added."""
    bare: list[float] = []
    added: list[float] = []
    for _ in range(blocks):
        without = read()
        with instrumented(url):
            added.append(read() - without)
        bare.append(without)
    return statistics.median(bare), statistics.median(added)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=51)
    blocks = parser.parse_args().blocks
    logging.disable(logging.CRITICAL)
    streams = Streams()
    with sink() as url, tempfile.TemporaryDirectory(prefix="payi-benchmark-") as outbox:
        os.environ["PAYI_OUTBOX_DIR"] = outbox
        gc.disable()
        for title, read in (("sync", streams.read), ("async", streams.read_async)):
            bare, added = measure(read, blocks, url)
            print(
                f"chat chunk, {title}: {added:,.0f} ns added to {bare:,.0f} ns of an iteration that parses nothing"
            )


if __name__ == "__main__":
    main()
