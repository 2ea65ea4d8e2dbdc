"""Outbox folders that real processes have left, and the command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from payi_otel.cli import main
from payi_otel.delivery.dead import DeadLetters
from payi_otel.delivery.outbox import Entry
from tests.support.ingest_sink import IngestSink, running_sink

PROMPT = "the prompt that nobody may see"
API_KEY = "sk-payi-secret"

# An application with an outbox of its own, and none of the threads that would take up what others leave.
APP = f"""
import json, sys, time
from pathlib import Path
from payi_otel.delivery.durable import DurableOutbox
from payi_otel.delivery.outbox import Entry, Stored
from payi_otel.delivery.scores import KpiScore, to_entry

folder, prefix, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
events = [
    {{
        "provider_response_id": f"{{prefix}}_{{number}}",
        "category": "system.openai",
        "units": {{"text": {{"input": 3}}}},
        "event_timestamp": "2026-10-05T00:00:00+00:00",
        "provider_request_json": {PROMPT!r},
    }}
    for number in range(count)
]
entries = [Entry("event", event["provider_response_id"], json.dumps(event).encode()) for event in events]
if len(sys.argv) > 4:
    entries.append(to_entry(KpiScore("chat", "run-1", "resolved", True)))
outbox = DurableOutbox(folder, max_bytes=10**9, spill_max_bytes=10**6)
assert not outbox.append([Stored(key, entry, time.time()) for key, entry in enumerate(entries, 1)])
print("ready", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Outbox = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The outbox folder, in the environment."""
    path = tmp_path / "outbox"
    monkeypatch.setenv("PAYI_OUTBOX_DIR", str(path))
    monkeypatch.setenv("PAYI_API_KEY", API_KEY)
    return path


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[IngestSink]:
    """A loopback Pay-i, in the environment."""
    with running_sink() as running:
        monkeypatch.setenv("PAYI_BASE_URL", running.url)
        yield running


@pytest.fixture
def outbox(folder: Path, capfd: pytest.CaptureFixture[str]) -> Outbox:
    """`payi-otel outbox ...`. Whatever it prints, it is neither a prompt nor the key."""

    def run(*arguments: Any) -> Done:
        capfd.readouterr()
        try:
            code = main(["outbox", *map(str, arguments)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capfd.readouterr()
        assert PROMPT not in said.out + said.err
        assert API_KEY not in said.out + said.err
        return Done(code, said.out, said.err)

    return run


App = subprocess.Popen[str]


@pytest.fixture
def start_app(folder: Path) -> Iterator[Callable[..., App]]:
    """Start an application whose events wait in its outbox; `kill` leaves an orphan."""
    started: list[App] = []

    def start(prefix: str, count: int, *, score: bool = False) -> App:
        process = subprocess.Popen(
            [sys.executable, "-c", APP, str(folder), prefix, str(count), *(["score"] if score else [])],
            env={**os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        kill(process)
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def kill(process: App) -> None:
    """End a process at once."""
    process.kill()
    process.wait(30)


def add_dead(folder: Path, entry_id: str, reason: str, kind: Any = "event") -> None:
    """A dead letter."""
    payload = (
        b'{"provider_response_id": "%s", "category": "system.openai", "units": {}, '
        b'"event_timestamp": "2026-10-05T00:00:00Z", "provider_request_json": "%s"}'
        % (entry_id.encode(), PROMPT.encode())
    )
    if kind == "score":
        payload = b'{"use_case_name": "chat", "use_case_id": "1", "kpi_name": "resolved", "score": true}'
    DeadLetters(folder).add(Entry(kind, entry_id, payload), reason)
