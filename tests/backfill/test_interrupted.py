"""Imports that are killed or interrupted, in processes of their own, and then gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.backfill.conftest import Stored, event, read_lines, write_lines
from tests.support.ingest_sink import IngestSink, Post, Reply, Reset

EVENTS = 4_000
WRONG_EVERY = 500
DEADLINE_S = 120


def mixed_file(path: Path) -> Path:
    """Events with ids, equal ones without, and wrong ones."""
    lines: list[Any] = []
    for number in range(EVENTS):
        if number % WRONG_EVERY == 7:
            lines.append(event(use_case_version="two", user_id=f"wrong-{number}"))
        elif number % 2:
            lines.append(event(number))
        else:
            lines.append(event(user_id=f"u{number % 40}"))
    return write_lines(path, lines)


def start(path: Path, state: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "payi_otel.cli", "import", str(path)],
        env={**os.environ, "PAYI_OUTBOX_DIR": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out, err


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def has_come_to(count: float, server: Stored, process: subprocess.Popen[str]) -> bool:
    return len(server.events()) >= count or process.poll() is not None


def check_rejected(path: Path) -> None:
    rows = read_lines(path.with_name(f"{path.name}.rejected.jsonl"))
    assert [row["line"] for row in rows] == list(range(8, EVENTS + 1, WRONG_EVERY))


def test_killed_again_and_again_everything_is_stored_once(server: Stored, tmp_path: Path) -> None:
    path = mixed_file(tmp_path / "events.jsonl")
    expected = EVENTS - EVENTS // WRONG_EVERY
    kills = 0
    for share in (0.1, 0.4, 0.7):
        process = start(path, tmp_path / "state")
        wait_for(partial(has_come_to, share * expected, server, process))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.communicate(timeout=DEADLINE_S)
    assert kills >= 1
    code, out, _ = finish(start(path, tmp_path / "state"))
    assert code == 1
    # On a slow machine the last one to be killed may have come to its end, which this one then tells of.
    assert f"{expected:,} stored" in out
    assert f"{EVENTS // WRONG_EVERY} rejected" in out
    ids = [item["provider_response_id"] for item in server.events()]
    assert len(ids) == len(set(ids)) == expected
    check_rejected(path)


@pytest.mark.parametrize("when", ["before it is stored", "after it is stored"])
def test_killed_while_a_batch_is_under_way(
    sink: IngestSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    path = mixed_file(tmp_path / "events.jsonl")
    expected = EVENTS - EVENTS // WRONG_EVERY
    work = sink.work
    processes: list[subprocess.Popen[str]] = []

    def fatal(post: Post) -> Reply:
        reply = work(post) if when == "after it is stored" or len(sink.posts) != 4 else Reply(503)
        if len(sink.posts) == 4:
            processes[0].kill()
            processes[0].wait()
        return reply

    monkeypatch.setattr(sink, "work", fatal)
    processes.append(start(path, tmp_path / "state"))
    processes[0].communicate(timeout=DEADLINE_S)
    assert processes[0].returncode == -signal.SIGKILL
    assert len(sink.posts) == 4
    code, out, err = finish(start(path, tmp_path / "state"))
    assert (code, len(sink.events)) == (1, expected)
    assert "goes on at line" in err
    assert f"{expected:,} stored" in out
    # Only the batch that nobody knew the fate of was sent again, under the same ids.
    assert sink.posts[3].ids == sink.posts[4].ids
    assert len(sink.stored) == expected + (len(sink.posts[3].ids) if when == "after it is stored" else 0)
    check_rejected(path)


def test_ctrl_c_says_where_it_stands(sink: IngestSink, tmp_path: Path) -> None:
    path = mixed_file(tmp_path / "events.jsonl")
    sink.script += [None, None, *[Reset()] * 100]
    process = start(path, tmp_path / "state")
    assert sink.wait_for_posts(3, DEADLINE_S)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert "interrupted. Run the same command to go on." in err
    assert "Traceback" not in err
    sink.script.clear()
    assert finish(start(path, tmp_path / "state"))[0] == 1
    assert len(sink.events) == EVENTS - EVENTS // WRONG_EVERY
    check_rejected(path)


def test_killed_before_anything_is_settled(
    sink: IngestSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mixed_file(tmp_path / "events.jsonl")
    work = sink.work
    processes: list[subprocess.Popen[str]] = []

    def fatal(post: Post) -> Reply:
        if len(sink.posts) == 1:
            processes[0].kill()
            processes[0].wait()
        return work(post)

    monkeypatch.setattr(sink, "work", fatal)
    processes.append(start(path, tmp_path / "state"))
    processes[0].communicate(timeout=DEADLINE_S)
    assert finish(start(path, tmp_path / "state"))[0] == 1
    assert len(sink.events) == EVENTS - EVENTS // WRONG_EVERY
    check_rejected(path)
    assert not list(tmp_path.glob("*.rejected.jsonl.*"))
