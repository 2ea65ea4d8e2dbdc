"""README and docs: the quickstart does what it says, other code runs, commands and links are right."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from payi_otel.cli import build_parser
from payi_otel.demo.provider import running_provider
from payi_otel.demo.report import read_summary

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks of a page in one of the languages; "" is a block that names none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.S | re.M)
    return [code for language, code in found if language in languages]


def commands() -> list[str]:
    """Every call of `payi-otel` in a block, on one line."""
    lines = [
        line
        for page in PAGES
        for block in blocks(page, "", "sh")
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [line.strip() for line in lines if line.strip().startswith("payi-otel ")]


def test_the_quickstart_brings_a_cost_and_a_score(tmp_path):
    pytest.importorskip("fastapi", reason="the server extra is not installed")
    from payi_otel.server.main import background_server

    (code,) = (code for code in blocks(ROOT / "README.md", "python") if "OpenAI" in code)
    (tmp_path / "app.py").write_text(code)
    with background_server() as server, running_provider() as provider:
        done = subprocess.run(
            [sys.executable, "app.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={
                **os.environ,
                "OPENAI_API_KEY": "k",
                "OPENAI_BASE_URL": provider.openai_base_url,
                "PAYI_API_KEY": server.api_key,
                "PAYI_BASE_URL": server.url,
                "PAYI_OUTBOX_DIR": str(tmp_path),
                "PAYI_EXIT_TIMEOUT": "120",
                "PYTHONPATH": str(ROOT),
            },
        )
        assert (done.returncode, done.stderr) == (0, "")
        (use_case,) = read_summary(server.url, server.api_key)
        assert (use_case.name, use_case.calls) == ("support_chat", 1)
        assert use_case.cost > 0
        (kpi,) = use_case.kpis
        assert (kpi.name, kpi.goal, kpi.average) == ("resolved", 0.8, 1.0)


@pytest.mark.parametrize("command", commands())
def test_the_command_takes_these_arguments(command):
    words = shlex.split(command, comments=True)
    # Exits, and with it fails, where there is no such command or option.
    assert callable(build_parser().parse_args(words[1:]).run)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)", page.read_text())
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_the_scopes_of_the_readme_are_right_python():
    (code,) = (code for code in blocks(ROOT / "README.md", "python") if "use_case_step" in code)
    names = {}
    exec(code, names)
    assert asyncio.run(names["research"]("tides")) is None
