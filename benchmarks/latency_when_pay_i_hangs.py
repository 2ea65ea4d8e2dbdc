"""What a provider call takes: bare, and with Pay-i healthy, hung and refusing connections.

    python benchmarks/latency_when_pay_i_hangs.py

The fake provider and the self-hosted server run in processes of their own. Blocks of calls in each state alternate, in
another order each round; the medians over the rounds of each block's median and 99th percentile are shown, with the
spread of the middle half of the rounds, which is the noise to compare differences with. The first calls of a block are
not counted: they open the connection and start the threads.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import openai

import payi_otel

ROUNDS, CALLS, UNCOUNTED = 15, 300, 20
API_KEY = "sk-payi-benchmark"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
PROVIDER = "from payi_otel.demo.provider import running_provider as running; options = {}"
SERVER = (
    f"from payi_otel.server.main import background_server as running; options = {{'api_key': '{API_KEY}'}}"
)
# Ends with us, however we end.
SERVE = "import sys\nwith running(**options) as it: print(it.url, flush=True); sys.stdin.read()"


@contextlib.contextmanager
def running(program: str) -> Iterator[str]:
    """Run a server in a process of its own; its address."""
    command = [sys.executable, "-c", f"{program}\n{SERVE}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


@contextlib.contextmanager
def bound(*, accepts: bool) -> Iterator[str]:
    """An address where connections are refused, or `accepts` them and never answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        if accepts:
            held.listen(128)
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def block_ms(client: openai.OpenAI) -> tuple[float, float]:
    """Median and 99th percentile of a block of calls, in milliseconds."""
    times: list[float] = []
    for number in range(UNCOUNTED + CALLS):
        started = time.perf_counter()
        client.chat.completions.create(**ASK)
        if number >= UNCOUNTED:
            times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def measure(provider_url: str, states: dict[str, str | None]) -> dict[str, list[tuple[float, float]]]:
    """Each state's blocks. A state is the address of Pay-i, None for no instrumentation."""
    blocks: dict[str, list[tuple[float, float]]] = {name: [] for name in states}
    client = openai.OpenAI(api_key="k", base_url=f"{provider_url}/v1")
    for _ in range(ROUNDS):
        for name, url in random.sample(sorted(states.items()), len(states)):
            if url is not None:
                payi_otel.payi_instrument(api_key=API_KEY, base_url=url, config={"exit_timeout_s": 0.1})
            blocks[name].append(block_ms(client))
            payi_otel.uninstrument()
    return blocks


def shown(values: list[float]) -> str:
    """The median and the spread of the middle half."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:8.2f} ±{(high - low) / 2:5.2f}"


def main() -> None:
    """Measure and print."""
    logging.getLogger("payi_otel").setLevel(logging.CRITICAL)
    with (
        tempfile.TemporaryDirectory(prefix="payi-latency-") as folder,
        running(PROVIDER) as provider_url,
        running(SERVER) as healthy,
        bound(accepts=True) as hung,
        bound(accepts=False) as refusing,
    ):
        os.environ["PAYI_OUTBOX_DIR"] = folder
        states = {"bare": None, "Pay-i healthy": healthy, "Pay-i hung": hung, "Pay-i refusing": refusing}
        blocks = measure(provider_url, states)
    print(f"{'ms per call':16}{'p50':>16}{'p99':>16}")
    for name, pairs in blocks.items():
        print(f"{name:16}{shown([p50 for p50, _ in pairs]):>16}{shown([p99 for _, p99 in pairs]):>16}")


if __name__ == "__main__":
    main()
