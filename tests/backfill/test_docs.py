"""The examples of docs/import.md do what it says, as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.backfill.conftest import Import, Stored

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "import.md").read_text()
FILES = dict(re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", DOCUMENT, re.S))
COMMANDS = [
    shlex.split(line, comments=True)[2:]
    for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.S)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("payi-otel import")
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_work_in_their_order(run_import: Import, server: Stored, folder: Path) -> None:
    assert [command[0] for command in COMMANDS] == ["events.jsonl", "events.jsonl", "usage.csv"]
    for command, stored in zip(COMMANDS, (0, 2, 4), strict=True):
        done = run_import(*command)
        assert (done.code, done.err) == (0, "")
        assert len(server.events()) == stored
    by_table = [item for item in server.events() if item["category"] == "system.openai"]
    assert {item["properties"].get("team") for item in by_table} == {"red", "blue"}
    assert {item["use_case_name"] for item in server.events()} == {"chat"}


def test_the_mapping_file_says_the_same(run_import: Import, server: Stored, folder: Path) -> None:
    assert run_import(*COMMANDS[2]).code == 0
    assert run_import("usage.csv", "--mapping", "mapping.json").code == 0
    assert len(server.events()) == 2
