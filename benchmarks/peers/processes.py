"""The processes of a run: one for each contender, asked one at a time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from peers.environments import cache_folder

_HERE = Path(__file__).parents[1]


class TooLong(Exception):
    """A process did not answer in time; it is ended."""


class Child:
    """A contender's process."""

    def __init__(self, python: Path, contender: str, url: str, outbox: str) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "peers.child", contender, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(outbox),
            cwd=_HERE,
        )

    def ask(self, do: str, timeout_s: float = 600.0, **arguments: int) -> dict[str, float]:
        """The numbers of one piece of work; raises `TooLong`, and RuntimeError when the process died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not ready:
            self.end()
            raise TooLong
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{do}: the process of {self._process.args!r} ended")
        return json.loads(line)

    def end(self) -> None:
        """End the process, without a wait for what it would still send."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@contextlib.contextmanager
def children(pythons: dict[str, Path], urls: dict[str, tuple[str, str]]) -> Generator[dict[str, Child]]:
    """A process for each name of `urls`, which gives the contender and the address of the service."""
    with tempfile.TemporaryDirectory(prefix="payi-benchmark-") as outbox, contextlib.ExitStack() as stack:
        started: dict[str, Child] = {}
        for name, (contender, url) in urls.items():
            started[name] = Child(pythons[contender], contender, url, outbox)
            stack.callback(started[name].end)
        yield started


def environment(outbox: str) -> dict[str, Any]:
    """The environment of a child: nothing of the user's settings of any contender."""
    prefixes = (
        "PAYI_",
        "OTEL_",
        "LANGFUSE_",
        "LOGFIRE_",
        "TRACELOOP_",
        "OPENINFERENCE_",
        "ANTHROPIC_",
        "OPENAI_",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    # Applications start from compiled files, as everybody here is to; ours would be compiled into the checkout.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        **kept,
        "PYTHONPATH": str(_HERE),
        "PYTHONPYCACHEPREFIX": str(cache_folder() / "bytecode"),
        "PAYI_OUTBOX_DIR": outbox,
        "LOGFIRE_IGNORE_NO_CONFIG": "1",
    }


@contextlib.contextmanager
def sink() -> Generator[str]:
    """The address of a service that takes everything."""
    process = subprocess.Popen(
        [sys.executable, "-m", "peers.sink"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_HERE,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def bound(*, accepts: bool) -> Generator[str]:
    """An address where connections are refused, or `accepts` them and never answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        if accepts:
            held.listen(1024)
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
