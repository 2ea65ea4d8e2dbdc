"""Runs programs beside the fake provider and the real server, and compares what was billed with what is stored."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from payi_otel.demo.provider import FakeProvider
from payi_otel.server.main import RunningServer
from tests.examples.world import REPOSITORY, environment

APPS = Path(__file__).parent / "apps"
# A watchdog for what never ends; nothing here is about how long something takes.
_TIMEOUT_S = 90
_NEXT_PROCESS = "import payi_otel; payi_otel.payi_instrument(instruments=[]); payi_otel.force_flush(30)"


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status, negative for a signal, and what it wrote."""

    status: int
    stdout: str
    stderr: str

    @property
    def normalized(self) -> tuple[int, list[str], list[str]]:
        """The same without process ids, ports, times and the order of lines, which differ from run to run."""
        return self.status, _normalized(self.stdout), _normalized(self.stderr)


@dataclass
class Run:
    """One application: its processes, all with the same outbox, and its events on the server."""

    name: str
    provider: FakeProvider
    server: RunningServer
    outbox: Path
    payi_url: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, command: Sequence[str], *, bare: bool = False) -> subprocess.Popen[str]:
        """Start a program of `apps`; `bare` without payi_otel."""
        variables = environment(self.provider, self.payi_url or self.server.url, self.server.api_key)
        variables |= {
            "RUN": f"{self.name}-bare" if bare else self.name,
            "PAYI_USE_CASE_NAME": self.name,
            "PAYI_INSTRUMENTS": "openai",
            "PAYI_OUTBOX_DIR": str(self.outbox),
            # What a slow machine does not send by then would be in the outbox, for the next process.
            "PAYI_EXIT_TIMEOUT": "60",
            "PYTHONPATH": f"{REPOSITORY}:{APPS}",
            **self.variables,
        }
        if bare:
            variables = {name: value for name, value in variables.items() if not name.startswith("PAYI_")}
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, env=variables, cwd=APPS, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        self._started.append(process)
        return process

    def kill_what_is_left(self) -> None:
        """Kill what a failed test leaves running, children included."""
        for process in self._started:
            if process.returncode is None:
                _kill(process)

    def to_end(self, *arguments: str) -> Ended:
        """Run a Python program of `apps` to its end."""
        return wait(self.start([sys.executable, *arguments]))

    def as_bare(self, *arguments: str, launcher: Sequence[str] = ()) -> Ended:
        """Run it to its end beside a bare one, and check that both ended in the same way."""
        command = [*launcher, sys.executable, *arguments]
        bare, ours = self.start(command, bare=True), self.start(command)
        ended, expected = wait(ours), wait(bare)
        assert ended.normalized == expected.normalized
        return ended

    def start_next_process(self) -> None:
        """What another process of the application does: deliver what dead ones have left."""
        ended = wait(self.start([sys.executable, "-c", _NEXT_PROCESS]))
        assert (ended.status, ended.stderr) == (0, "")

    @property
    def billed(self) -> list[str]:
        """The response ids that the provider has billed, those of bare runs aside."""
        return [
            served.billed.response_id
            for served in self.provider.requests
            if served.billed is not None and served.headers.get("x-run") == self.name
        ]

    @property
    def stored(self) -> list[str]:
        """The response ids that the server has for this application."""
        events = self._get("events", use_case_name=self.name)["items"]
        return [event["provider_response_id"] for event in events]

    @property
    def in_outbox(self) -> int:
        """The entries in the files of the outbox."""
        return sum(_entries(path) for path in self.outbox.glob("outbox-*.db"))

    def assert_stored(self, count: int, *, killed_streams: int = 0) -> None:
        """`count` calls were billed, and each is on the server, once, in its sums as well.

        Further `killed_streams` were open when their process was killed: billed, and nobody could tell any more.
        """
        billed, stored = self.billed, self.stored
        assert len(billed) == count + killed_streams
        assert len(stored) == count
        assert len(set(stored) & set(billed)) == count
        use_cases = {item["use_case_name"]: item for item in self._get("summary")["use_cases"]}
        assert use_cases[self.name]["calls"] == count

    def _get(self, path: str, **query: str) -> dict[str, list[dict[str, object]]]:
        headers = {"xProxy-api-key": self.server.api_key}
        response = httpx2.get(
            f"{self.server.url}/api/v1/local/{path}", params=query, headers=headers, timeout=60
        )
        response.raise_for_status()
        return response.json()


def wait(process: subprocess.Popen[str]) -> Ended:
    """Wait for its end."""
    try:
        stdout, stderr = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        stdout, stderr = _kill(process)
        raise AssertionError(f"does not end: {process.args}\n{stdout}\n{stderr}") from None
    return Ended(process.returncode, stdout, stderr)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for a condition that `process` is to bring about."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError("\n".join(_kill(process)))
        time.sleep(0.02)


def _kill(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Kill it and its children, if they live, and return what it wrote."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def hanging_server() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _normalized(text: str) -> list[str]:
    return sorted(re.sub(r"\d+(\.\d+)?", "<n>", text).splitlines())


def _entries(path: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            return database.execute("SELECT count(*) FROM entries").fetchone()[0]
    except sqlite3.OperationalError:
        # Just made, or just removed.
        return 0
