"""How many events a second the self-hosted server takes, in bulk requests of 500, on SQLite and on PostgreSQL.

    python benchmarks/server_ingest.py [--batches 40] [--writers 4] [--calls 1] [--postgresql URL]

The server is a process of its own and commits to disk before it answers; on one machine with its database and the
writers, so all share the cores. How many events it takes in a second of its own CPU time (on Linux) says more on a
machine that others use as well. Without a URL a PostgreSQL is started for the run. Events go to 20 use cases and 100
users, a fifth of them to a limit, and to new instances of `--calls` each, of which one is the hardest. The
dashboard's query is timed on what has been stored.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
from databases import ROOT, add_arguments, databases

KEY, BATCH, LIMIT = "sk-payi-app-benchmark", 500, "benchmark"


def batch(number: int, calls: int = 1) -> bytes:
    """One request's body, with new instances of so many calls."""
    events = [
        {
            "category": "system.openai",
            "resource": "gpt-4o-mini",
            "units": {"text": {"input": 1000 + place, "output": 200}, "text_cache_read": {"input": 64}},
            "event_timestamp": "2026-10-20T12:00:00Z",
            "end_to_end_latency_ms": 900,
            "time_to_first_token_ms": 80,
            "http_status_code": 200,
            "provider_response_id": f"chatcmpl-{number}-{place}",
            "use_case_name": f"case_{place // calls % 20}",
            "use_case_id": f"instance-{number}-{place // calls}",
            "user_id": f"user-{place % 100}",
            "properties": {"tier": "gold"},
            "limit_ids": [LIMIT] if place % 5 == 0 else [],
        }
        for place in range(BATCH)
    ]
    return json.dumps(events).encode()


@contextmanager
def served(database: str) -> Iterator[tuple[str, int]]:
    """A server process: its address and its number."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = (
        f"from payi_otel.server.main import serve; serve(port={port}, database={database!r}, api_key={KEY!r})"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise RuntimeError("the server does not listen")


def cpu_s(process: int) -> float:
    """Seconds of CPU that a process has taken; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(name: str, database: str, batches: int, writers: int, calls: int) -> None:
    """Print one line for a database."""
    with (
        served(database) as (url, process),
        httpx2.Client(base_url=url, headers={"xProxy-api-key": KEY}, timeout=120) as http,
    ):
        http.post("/api/v1/limits", json={"limit_name": LIMIT, "limit_id": LIMIT, "max": 1e6})

        def post(body: bytes) -> float:
            began = time.perf_counter()
            answer = http.post(
                "/api/v1/ingest/bulk-upsert", content=body, headers={"content-type": "application/json"}
            )
            assert answer.json()["ingest_count"] == BATCH
            return time.perf_counter() - began

        bodies = [batch(number, calls) for number in range(batches)]
        post(batch(-1, calls))
        began, cpu_before = time.perf_counter(), cpu_s(process)
        with ThreadPoolExecutor(writers) as pool:
            latencies = list(pool.map(post, bodies))
        took, cpu = time.perf_counter() - began, cpu_s(process) - cpu_before
        began = time.perf_counter()
        http.get("/api/v1/local/summary").raise_for_status()
        dashboard = time.perf_counter() - began
    print(
        f"{name:<11} {batches * BATCH / took:>9,.0f} events/s   "
        f"{batches * BATCH / cpu if cpu else math.nan:>9,.0f} a CPU second   "
        f"{statistics.median(latencies) * 1000:>7.0f} ms a request (median)   "
        f"{dashboard * 1000:>6.0f} ms dashboard of {(batches + 1) * BATCH:,} events",
        flush=True,
    )


def main() -> None:
    """Measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--calls", type=int, default=1, help="of each instance")
    add_arguments(parser)
    arguments = parser.parse_args()
    for name, address in databases(arguments):
        measure(name, address, arguments.batches, arguments.writers, arguments.calls)


if __name__ == "__main__":
    main()
