"""Processes of the Collector's tests: the Collector and gateways."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.collector.build import binary

EXAMPLES = Path(__file__).parents[2] / "examples" / "collector"
DEADLINE_S = 120.0
KEY = "gateway-key-1"


def free_port() -> int:
    """A port nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait until `condition()` holds; fails, and says `what`, when it does not."""
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until, f"not in {deadline_s} s: {what}"
        time.sleep(0.1)


class Process:
    """A process that may be killed and started again; its output is kept in a file."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], health_url: str, log: Path
    ) -> None:
        self._command = list(command)
        self._environment = {**os.environ, **environment}
        self._health_url = health_url
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=output, stderr=subprocess.STDOUT
            )
        wait_for(self._is_healthy, f"{self._command[0]} is healthy; its log:\n{self.text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL: no chance to save anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        return self._end(signal.SIGTERM)

    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _end(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(DEADLINE_S)

    def _is_healthy(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"ended with {self._process.returncode}:\n{self.text()[-3000:]}"
        try:
            with urllib.request.urlopen(self._health_url, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


class Collector(Process):
    """The real Collector with one of the example configurations."""

    def __init__(self, example: str, folder: Path, environment: Mapping[str, str]) -> None:
        grpc, http, health = free_port(), free_port(), free_port()
        self.grpc = f"127.0.0.1:{grpc}"
        self.http = f"http://127.0.0.1:{http}"
        settings = {
            "OTLP_GRPC_ENDPOINT": self.grpc,
            "OTLP_HTTP_ENDPOINT": f"127.0.0.1:{http}",
            "COLLECTOR_HEALTH_ENDPOINT": f"127.0.0.1:{health}",
            "COLLECTOR_STORAGE": str(folder / "collector-storage"),
            "PAYI_GATEWAY_KEY": KEY,
        }
        configurations = (EXAMPLES / example, Path(__file__).with_name("quiet.yaml"))
        command = [str(binary()), *(f"--config={path}" for path in configurations)]
        super().__init__(
            command, {**settings, **environment}, f"http://127.0.0.1:{health}/", folder / "collector.log"
        )


class Gateway(Process):
    """`payi-otel gateway` with an outbox folder that outlives it."""

    def __init__(
        self,
        folder: Path,
        payi_url: str,
        payi_key: str,
        name: str = "gateway",
        arguments: Sequence[str] = (),
        **environment: str,
    ) -> None:
        http, grpc = free_port(), free_port()
        self.http = f"http://127.0.0.1:{http}"
        self.grpc = f"127.0.0.1:{grpc}"
        environment |= {
            "PAYI_BASE_URL": payi_url,
            "PAYI_API_KEY": payi_key,
            "PAYI_OUTBOX_DIR": str(folder / f"{name}-outbox"),
            "PAYI_GATEWAY_KEYS": KEY,
        }
        command = [
            sys.executable, "-m", "payi_otel.cli", "gateway",
            "--http-port", str(http), "--grpc-port", str(grpc), *arguments,
        ]  # fmt: skip
        super().__init__(command, environment, f"{self.http}/readyz", folder / f"{name}.log")


@contextmanager
def running(*processes: Process) -> Iterator[None]:
    """Start processes in this order, and end them with the block."""
    try:
        for process in processes:
            process.start()
        yield
    finally:
        for process in reversed(processes):
            process.kill()
