"""The commands of docs/outbox.md are understood as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.outbox_commands.conftest import Outbox, add_dead
from tests.support.ingest_sink import IngestSink

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "outbox.md").read_text()
COMMANDS = [
    shlex.split(line, comments=True)[2:]
    for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.S)
    for line in block.splitlines()
]


def test_the_commands_work_in_their_order(
    outbox: Outbox, folder: Path, sink: IngestSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    add_dead(folder, "resp_1", "HTTP 400 invalid_user_id")
    add_dead(folder, "chatcmpl-1", "HTTP 400 category_not_found")
    add_dead(folder, "resp_2", "HTTP 400 category_not_found")
    said = [outbox(*command) for command in COMMANDS]
    assert [done.code for done in said] == [0] * len(COMMANDS)
    assert len(COMMANDS) == 7
    assert "1 put back" in said[3].out
    assert "1 put back" in said[4].out
    assert "dead.jsonl: 1 events" in said[5].out
    assert "all.jsonl: 3 events" in said[6].out
