"""A server that is killed under load has kept every event it acknowledged, once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

from payi_otel.server.main import background_server
from tests.server.conftest import event

KEY = "sk-payi-app-kill"
WRITERS, BATCH = 4, 20


@pytest.mark.parametrize("acknowledged_first", [3, 25])
def test_every_acknowledged_event_is_there(url: str, acknowledged_first: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = (
        f"from payi_otel.server.main import serve; serve(port={port}, database={url!r}, api_key={KEY!r})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.DEVNULL,
    )
    acknowledged: list[str] = []
    enough, stopped = threading.Event(), threading.Event()

    def write(writer: int) -> None:
        transport = httpx2.HTTPTransport(retries=40)
        headers = {"xProxy-api-key": KEY}
        with httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, transport=transport, timeout=60
        ) as http:
            batch = 0
            while not stopped.is_set():
                ids = [f"{writer}-{batch}-{number}" for number in range(BATCH)]
                items: list[Any] = [
                    event(provider_response_id=one, use_case_name="killed", use_case_id="all") for one in ids
                ]
                try:
                    answer = http.post("/api/v1/ingest/bulk-upsert", json=items)
                except httpx2.HTTPError:
                    return
                assert answer.status_code == 200
                acknowledged.extend(ids)
                if len(acknowledged) >= acknowledged_first * BATCH:
                    enough.set()
                batch += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        assert enough.wait(240)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        stopped.set()
        for thread in threads:
            thread.join(120)
    with (
        background_server(url, api_key=KEY) as server,
        httpx2.Client(base_url=server.url, headers={"xProxy-api-key": KEY}, timeout=60) as http,
    ):
        kept: list[str] = []
        cursor: str | None = None
        while True:
            params: dict[str, Any] = {"use_case_name": "killed", "limit": 1000} | (
                {"cursor": cursor} if cursor else {}
            )
            page = http.get("/api/v1/local/events", params=params).json()
            kept += [item["provider_response_id"] for item in page["items"]]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert len(kept) == len(set(kept))
        assert set(acknowledged) <= set(kept)
        (totals,) = http.get("/api/v1/local/summary").json()["use_cases"]
        assert (totals["calls"], totals["units"]["text"]["input"]) == (len(kept), 1000 * len(kept))
