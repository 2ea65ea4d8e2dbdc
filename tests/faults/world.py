"""The server and the provider of the fault tests, each in a process of its own.

    with running_world(folder) as world:
        application = Application(world, ...)

As a program, `python -m tests.faults.world provider`, it runs the fake provider until its standard input ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]
API_KEY = "sk-payi-app-the-secret-key"
PATIENCE_S = 120.0
"""How long anything may take on a slow machine before a test gives it up."""


def wait_until(
    condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S, *, every_s: float = 0.05
) -> None:
    """Wait until `condition()` holds; TimeoutError naming `what` when it does not in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"after {timeout_s:.0f} s still not: {what}")
        time.sleep(every_s)


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without anything of Pay-i's, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAYI_", "OTEL_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **variables}


@dataclass(frozen=True, slots=True)
class World:
    """Addresses of the server and the provider."""

    server_url: str
    provider_url: str

    @property
    def server_address(self) -> tuple[str, int]:
        """Host and port of the server."""
        parts = urlsplit(self.server_url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def stored(self, use_case_name: str) -> Counter[str]:
        """How many requests the server has of each provider response id, in one use case."""
        found: Counter[str] = Counter()
        cursor: str | None = None
        while True:
            asked = {
                "use_case_name": use_case_name,
                "limit": "1000",
                **({"cursor": cursor} if cursor else {}),
            }
            page = self._get(f"/api/v1/local/events?{urlencode(asked)}")
            found.update(item["provider_response_id"] for item in page["items"])
            cursor = page["cursor"]
            if cursor is None:
                return found

    def billed_calls(self, use_case_name: str) -> int:
        """How many calls the server bills for a use case."""
        summary = self._get("/api/v1/local/summary")
        return sum(row["calls"] for row in summary["use_cases"] if row["use_case_name"] == use_case_name)

    def _get(self, path: str) -> Mapping[str, object]:
        request = Request(self.server_url + path, headers={"xProxy-api-key": API_KEY})
        with urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)


@contextmanager
def running_world() -> Iterator[World]:
    """Run the server and the provider for the time of the block."""
    with ExitStack() as stack:
        urls = {name: stack.enter_context(_running(name)) for name in ("server", "provider")}
        yield World(urls["server"], urls["provider"])


@contextmanager
def _running(name: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.world", name],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, f"the {name} did not start"
        yield url
    finally:
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()


def _serve(name: str) -> None:
    with ExitStack() as stack:
        if name == "server":
            from payi_otel.server.main import background_server

            print(stack.enter_context(background_server(api_key=API_KEY)).url, flush=True)
        else:
            from payi_otel.demo.provider import running_provider

            print(stack.enter_context(running_provider()).url, flush=True)
        # Ends with the process that started us, however that ends.
        sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1])
