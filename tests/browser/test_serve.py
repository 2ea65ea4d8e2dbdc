"""`payi-otel serve` on a laptop: from the command to the first page with one click."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opened

ROOT = Path(__file__).parents[2]


def _environment() -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("PAYI_")}
    return {**others, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def _serve(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "payi_otel.cli", "serve", "--port", "0", *arguments],
        cwd=folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )


def _portal_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Portal: "):
            return line
    raise AssertionError("the server did not say where the portal is")


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = _serve(tmp_path)
    yield process
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def test_one_click(serving: subprocess.Popen[str], open_page: Opened, tmp_path: Path) -> None:
    line = _portal_line(serving)
    found = re.search(r"(http://127\.0\.0\.1:\d+)(/portal/sign-in/link\?token=[\w-]+) \(signs in once", line)
    assert found is not None
    url, path = found.groups()
    page = open_page(url)
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(page.get_by_role("heading", name="No calls in this time")).to_be_visible()
    # Another one, for another browser, while the server runs.
    command = [sys.executable, "-m", "payi_otel.cli", "users", "link", "--url", url]
    done = subprocess.run(
        command, cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=True
    )
    other = open_page(url)
    other.goto(done.stdout.strip())
    expect(other.get_by_role("heading", level=1)).to_have_text("Overview")


def test_who_serves_others_prints_no_link(tmp_path: Path) -> None:
    process = _serve(tmp_path, "--host", "0.0.0.0")
    try:
        line = _portal_line(process)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert "token" not in line
    assert "payi-otel users add" in line
