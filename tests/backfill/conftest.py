"""A file, the command, and where it sends to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from payi_otel.cli import main
from payi_otel.server.main import background_server
from tests.support.ingest_sink import IngestSink, running_sink

WHEN = "2026-10-05T12:00:00Z"


def event(number: int | None = None, **changes: Any) -> dict[str, Any]:
    """A small event; with a number it has an id."""
    known = {} if number is None else {"provider_response_id": f"resp_{number}"}
    return {
        "category": "system.openai",
        "resource": "gpt-4o-mini",
        "units": {"text": {"input": 1000, "output": 500}},
        "event_timestamp": WHEN,
        **known,
        **changes,
    }


def write_lines(path: Path, events: Iterable[Any]) -> Path:
    """A JSON lines file; what is text already is a line as it is."""
    lines = (item if isinstance(item, str) else json.dumps(item) for item in events)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def read_lines(path: Path) -> list[Any]:
    """What a JSON lines file holds."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Import = Callable[..., Done]


@pytest.fixture
def run_import(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Import:
    """`payi-otel import ...` in this process, with its state in a folder of the test."""
    monkeypatch.setenv("PAYI_OUTBOX_DIR", str(tmp_path / "state"))

    def run(*arguments: Any) -> Done:
        capsys.readouterr()
        try:
            code = main(["import", *map(str, arguments)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[IngestSink]:
    """A loopback Pay-i that fails on request, and the environment that points at it."""
    with running_sink() as running:
        monkeypatch.setenv("PAYI_API_KEY", "sk-test")
        monkeypatch.setenv("PAYI_BASE_URL", running.url)
        yield running


class Stored:
    """What the self-hosted server holds."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.api_key = api_key

    def events(self) -> list[dict[str, Any]]:
        """Every stored request."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        with httpx2.Client(base_url=self.url, headers={"xProxy-api-key": self.api_key}) as client:
            while True:
                more = {"cursor": cursor} if cursor else {}
                page = client.get("/api/v1/local/events", params={"limit": 1000, **more}).json()
                items += page["items"]
                cursor = page["cursor"]
                if cursor is None:
                    return items


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    """The real self-hosted server, and the environment that points at it."""
    with background_server() as running:
        monkeypatch.setenv("PAYI_API_KEY", running.api_key)
        monkeypatch.setenv("PAYI_BASE_URL", running.url)
        yield Stored(running.url, running.api_key)
