"""Drives the application of the fault tests as a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.world import API_KEY, PATIENCE_S, ROOT, environment


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning of ours in an application's log: when (Unix seconds), and of what kind."""

    at_s: float
    kind: str


def warnings_in(log: Iterable[str]) -> list[Warned]:
    """Our warnings and errors."""
    found = re.compile(r"([\d.]+) payi_otel\S* (?:WARNING|ERROR|CRITICAL) payi_otel: ([^:]*)")
    matches = (found.match(line) for line in log)
    return [Warned(float(match[1]), match[2]) for match in matches if match]


class Application:
    """A running `tests.faults.app`. `ids` are the responses of its calls, in order."""

    def __init__(self, process: subprocess.Popen[str], log_path: Path) -> None:
        self.ids: list[str] = []
        self._process = process
        self._log_path = log_path

    def call(self, count: int, user_id: str = "u") -> None:
        """Make calls; returns when all of them have returned."""
        self.ids += self._command(do="call", count=count, user_id=user_id)["ids"]

    def status(self) -> dict[str, Any]:
        """Its ledger."""
        return self._command(do="look")["status"]

    def submit(self, count: int, per_s: float) -> None:
        """Hand events to the delivery, without calls."""
        self._command(do="submit", count=count, per_s=per_s)

    def memory(self) -> tuple[int, int]:
        """Its resident memory now and the most so far, in bytes. KeyError where the system does not tell."""
        told = self._command(do="look")
        return told["resident"], told["most_resident"]

    def lookups(self) -> int:
        """How often it looked up `FAULTY_HOST` since `resolve`."""
        return self._command(do="look")["lookups"]

    def resolve(self, mode: str) -> None:
        """Set what becomes of the name `FAULTY_HOST`."""
        self._command(do="resolve", mode=mode)

    def log(self) -> list[str]:
        """Everything it has written to its standard error so far, by lines."""
        return self._log_path.read_text().splitlines()

    def end(self) -> int:
        """Let it end; its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(PATIENCE_S)

    def _command(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the application has died:\n" + "\n".join(self.log()[-30:]))
        return json.loads(answer)


def variables(*, base_url: str, provider_url: str, use_case_name: str) -> dict[str, str]:
    """The environment variables of an application."""
    return {
        "PAYI_API_KEY": API_KEY,
        "PAYI_BASE_URL": base_url,
        "PAYI_USE_CASE_NAME": use_case_name,
        "PAYI_LOG_PROMPT_AND_RESPONSE": "true",
        "PROVIDER_URL": provider_url,
    }


@contextmanager
def running_application(
    folder: Path, *, base_url: str, provider_url: str, use_case_name: str, **settings: str
) -> Iterator[Application]:
    """Run the application for the time of the block, with its log and outbox in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    log_path = folder / "log.txt"
    own = variables(base_url=base_url, provider_url=provider_url, use_case_name=use_case_name)
    own["PAYI_OUTBOX_DIR"] = str(folder / "outbox")
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.app"],
            cwd=ROOT,
            env=environment(**(own | settings)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        yield Application(process, log_path)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
