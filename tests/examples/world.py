"""Runs an example as its reader would: a process of its own, its addresses and keys in the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from payi_otel.demo.provider import FakeProvider

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
_TIMEOUT_S = 300


def environment(provider: FakeProvider, payi_url: str, payi_key: str) -> dict[str, str]:
    """What the examples read, pointed at loopback; nothing of the developer's own keys and settings stays."""
    prefixes = ("PAYI_", "OPENAI_", "AZURE_", "ANTHROPIC_", "OTEL_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return inherited | {
        "OPENAI_BASE_URL": provider.openai_base_url,
        "OPENAI_API_KEY": "test",
        "ANTHROPIC_BASE_URL": provider.anthropic_base_url,
        "ANTHROPIC_API_KEY": "test",
        "AZURE_OPENAI_ENDPOINT": provider.azure_endpoint,
        "AZURE_OPENAI_API_KEY": "test",
        "OPENAI_API_VERSION": "2024-10-21",
        "PAYI_BASE_URL": payi_url,
        "PAYI_API_KEY": payi_key,
        # What arrived is looked at when the process is gone; a loaded machine may take its time.
        "PAYI_EXIT_TIMEOUT": "120",
        "PYTHONPATH": str(REPOSITORY),
    }


def run(command: Sequence[str], variables: Mapping[str, str]) -> str:
    """Run a command to its end and return what it printed; it must succeed."""
    done = subprocess.run(
        command, env=dict(variables), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_example(name: str, variables: Mapping[str, str], *arguments: str) -> str:
    """Run `examples/<name>` with this Python."""
    return run([sys.executable, str(EXAMPLES / name), *arguments], variables)


@contextmanager
def serving(module: str, port: int, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Serve `examples/<module>.py`'s `app` with uvicorn, and stop it as a process manager does: by SIGTERM."""
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--port",
        str(port),
        "--app-dir",
        str(EXAMPLES),
        f"{module}:app",
    ]
    process = subprocess.Popen(command, env=dict(variables), stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if "Uvicorn running on" in line:
                break
        else:
            raise AssertionError("".join(lines))
        yield process
        process.terminate()
        process.communicate(timeout=_TIMEOUT_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
