"""`payi-otel outbox`: list, flush, retry and export what real processes have left."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from payi_otel.cli import main
from payi_otel.delivery.dead import DeadLetters
from tests.outbox_commands.conftest import API_KEY, PROMPT, App, Outbox, add_dead, kill
from tests.support.ingest_sink import IngestSink, Reply
from tests.support.terminal import run_on_terminal

Start = Callable[..., App]


def test_list_shows_who_waits_and_what_was_refused(outbox: Outbox, folder: Path, start_app: Start) -> None:
    gone, alive = start_app("gone", 3), start_app("alive", 2)
    kill(gone)
    for number in range(7):
        add_dead(folder, f"dead_{number}", "HTTP 400 invalid_category")
    add_dead(folder, "old", "not delivered in time")
    (folder / "outbox-1-0000000000000000.db.corrupt").touch()
    done = outbox("list")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == str(folder)
    assert any(f"process {gone.pid} gone: 3 waiting, " in line for line in lines)
    assert any(f"process {alive.pid} alive: 2 waiting, " in line for line in lines)
    assert "  dead letters: 8" in lines
    assert "    7x HTTP 400 invalid_category: dead_0, dead_1, dead_2, dead_3, dead_4, and 2 more" in lines
    assert "    1x not delivered in time: old" in lines
    assert "outbox-1-0000000000000000.db.corrupt  set aside as corrupt" in done.out
    (listed,) = json.loads(outbox("list", "--json").out)
    files = {file["pid"]: file for file in listed["files"]}
    assert (files[gone.pid]["owner"], files[gone.pid]["entries"]) == ("gone", 3)
    assert (files[alive.pid]["owner"], files[alive.pid]["entries"]) == ("alive", 2)
    assert files[gone.pid]["bytes"] > 3 * len(PROMPT)
    assert files[gone.pid]["oldest"].endswith("+00:00")
    assert listed["dead_letters"][0]["ids"] == [f"dead_{number}" for number in range(7)]


def test_list_changes_nothing(outbox: Outbox, folder: Path, start_app: Start) -> None:
    kill(start_app("gone", 1))
    before = sorted((file.name, file.stat().st_size) for file in folder.glob("outbox-*.db*"))
    outbox("list")
    outbox("list")
    assert [entry for entry in before if entry[0].endswith(".db")] == sorted(
        (file.name, file.stat().st_size) for file in folder.glob("outbox-*.db")
    )


def test_list_names_a_file_that_it_cannot_read(outbox: Outbox, folder: Path) -> None:
    folder.mkdir()
    (folder / "outbox-77-0123456789abcdef.db").write_bytes(b"no database" * 1_000)
    assert "process 77 gone: file is not a database" in outbox("list").out


def test_nothing_to_list(outbox: Outbox) -> None:
    assert outbox("list").out == "nothing waits, and no dead letters\n"


def test_list_shows_every_application_where_no_folder_is_set(
    outbox: Outbox, start_app: Start, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(start_app("gone", 1))
    state = tmp_path / "state" / "payi-otel"
    state.mkdir(parents=True)
    folder.rename(state / "outbox-0123456789abcdef")
    monkeypatch.delenv("PAYI_OUTBOX_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (listed,) = json.loads(outbox("list", "--json").out)
    assert listed["folder"] == str(state / "outbox-0123456789abcdef")
    # One of them has to be named; the one of this key is another.
    assert "nothing is left" in outbox("flush").out
    monkeypatch.delenv("PAYI_API_KEY")
    refused = outbox("export", tmp_path / "x")
    assert (refused.code, "which folder? Set PAYI_API_KEY" in refused.err) == (2, True)
    assert outbox("list", "--folder", state / "none").code == 2


def test_flush_delivers_what_dead_processes_left(
    outbox: Outbox, folder: Path, start_app: Start, sink: IngestSink
) -> None:
    first, second, alive = start_app("a", 700), start_app("b", 300, score=True), start_app("c", 5)
    kill(first)
    kill(second)
    done = outbox("flush")
    assert done.code == 0
    assert f"1,001 delivered to {sink.url}, 0 rejected, 0 still wait" in done.out
    assert "5 wait in processes that are alive" in done.out
    assert len(sink.events) == len(sink.stored) == 1_000
    assert sink.scores == {("chat", "run-1", "resolved"): True}
    (file,) = folder.glob("outbox-*.db")
    assert str(alive.pid) in file.name
    assert "nothing is left by processes that are gone" in outbox("flush").out


def test_flush_waits_for_a_server_in_trouble(outbox: Outbox, start_app: Start, sink: IngestSink) -> None:
    kill(start_app("a", 10))
    sink.script += [Reply(503), Reply(503)]
    assert outbox("flush").code == 0
    assert len(sink.events) == 10


def test_flush_shows_its_progress_on_a_terminal(start_app: Start, sink: IngestSink) -> None:
    pytest.importorskip("tqdm")
    kill(start_app("a", 1_200))
    sink.script.append(Reply(503))
    code, out, shown = run_on_terminal([sys.executable, "-m", "payi_otel.cli", "outbox", "flush"], {})
    assert (code, "1,200 delivered" in out) == (0, True)
    assert "outbox: 100%" in shown
    assert "1200/1200" in shown
    assert "delivery of events failed" in shown


def test_flush_keeps_what_it_cannot_deliver_in_time(
    outbox: Outbox, folder: Path, start_app: Start, sink: IngestSink
) -> None:
    kill(start_app("a", 10))
    sink.script += [Reply(503)] * 1_000
    done = outbox("flush", "--timeout", "1")
    assert (done.code, "0 delivered" in done.out, "10 still wait" in done.out) == (3, True, True)
    assert "HTTP 503" in done.err


def test_flush_stops_at_once_where_the_key_is_refused(
    outbox: Outbox, start_app: Start, sink: IngestSink
) -> None:
    kill(start_app("a", 10))
    sink.keys = {"another"}
    done = outbox("flush", "--timeout", "100000")
    assert (done.code, "10 still wait" in done.out) == (3, True)
    assert "API key refused" in done.err
    assert "check PAYI_API_KEY" in done.err


def test_flush_keeps_the_refused_as_dead_letters_and_retry_brings_them_back(
    outbox: Outbox, folder: Path, start_app: Start, sink: IngestSink
) -> None:
    kill(start_app("a", 6))
    sink.item_errors = {
        "a_1": {"statusCode": 400, "xproxy_error": {"code": "invalid_user_id"}},
        "a_2": {"statusCode": 400, "xproxy_error": {"code": "invalid_user_id"}},
        "a_4": {"statusCode": 404, "xproxy_error": {"code": "category_not_found"}},
    }
    done = outbox("flush")
    assert (done.code, "3 delivered" in done.out, "3 rejected, 0 still wait" in done.out) == (1, True, True)
    assert "2x HTTP 400 invalid_user_id: a_1, a_2" in outbox("list").out
    sink.item_errors = {}
    assert "1 put back" in outbox("retry", "--id", "a_1").out
    assert "1 put back" in outbox("retry", "--reason", "category_not").out
    assert outbox("flush").code == 0
    assert sorted(sink.events) == ["a_0", "a_1", "a_3", "a_4", "a_5"]
    assert "1 put back" in outbox("retry", "--all").out
    assert outbox("flush").code == 0
    assert len(sink.events) == len(sink.stored) == 6
    assert DeadLetters(folder).list() == []
    assert "no such dead letters" in outbox("retry", "--all").out


def test_what_is_put_back_is_taken_up_by_the_next_process_too(
    outbox: Outbox, folder: Path, sink: IngestSink
) -> None:
    add_dead(folder, "late", "not delivered in time")
    outbox("retry", "--id", "late", "--id", "unknown")
    (listed,) = json.loads(outbox("list", "--json").out)
    assert [(file["owner"], file["entries"]) for file in listed["files"]] == [("gone", 1)]
    assert listed["dead_letters"] == []
    assert outbox("flush").code == 0
    assert list(sink.events) == ["late"]


def test_export_writes_what_import_reads(
    outbox: Outbox, folder: Path, start_app: Start, sink: IngestSink, tmp_path: Path
) -> None:
    add_dead(folder, "dead_1", "HTTP 400 a")
    add_dead(folder, "dead_2", "HTTP 400 b")
    add_dead(folder, "chat/1/resolved", "HTTP 404", kind="score")
    kill(start_app("orphan", 3))
    start_app("alive", 2)
    path = tmp_path / "dead.jsonl"
    done = outbox("export", path)
    assert (done.code, "2 events; `payi-otel import" in done.out) == (0, True)
    assert "1 KPI scores are not exported" in done.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PROMPT in path.read_text()
    assert outbox("export", path).code == 2
    assert "3 put back" in outbox("retry", "--all").out
    everything = tmp_path / "all.jsonl"
    assert "5 events" in outbox("export", everything, "--all").out
    assert main(["import", str(everything)]) == 0
    assert sorted(sink.events) == ["dead_1", "dead_2", "orphan_0", "orphan_1", "orphan_2"]
    # Nothing was taken from the outbox: what is delivered again has the same ids.
    assert outbox("flush").code == 0
    assert len(sink.events) == 5
    assert len(sink.stored) == 10


def test_export_goes_on_after_a_file_that_it_cannot_read(
    outbox: Outbox, folder: Path, start_app: Start, tmp_path: Path
) -> None:
    kill(start_app("a", 2))
    (folder / "outbox-77-0123456789abcdef.db").write_bytes(b"no database" * 1_000)
    done = outbox("export", tmp_path / "all", "--all")
    assert (done.code, "2 events" in done.out) == (0, True)
    assert "outbox-77-0123456789abcdef.db: file is not a database; `payi-otel outbox flush`" in done.err


def test_export_of_some(outbox: Outbox, folder: Path, tmp_path: Path) -> None:
    for number, reason in enumerate("aab"):
        add_dead(folder, f"dead_{number}", f"HTTP 400 {reason}")
    assert "2 events" in outbox("export", tmp_path / "a", "--reason", "HTTP 400 a").out
    assert "1 events" in outbox("export", tmp_path / "b", "--id", "dead_0").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["retry"], "--id --reason --all"),
        (["retry", "--all", "--id", "x"], "not allowed with"),
        (["flush", "--timeout", "0"], "--timeout"),
        (["list", "--folder", "/none"], "--folder /none: no such folder"),
        (["export", "/none/x"], "/none/x: No such file or directory"),
        ([], "action"),
    ],
)
def test_what_cannot_be_done_says_why(outbox: Outbox, arguments: list[str], said: str) -> None:
    done = outbox(*arguments)
    assert (done.code, said in done.err) == (2, True)


def test_flush_needs_a_key(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAYI_API_KEY")
    done = outbox("flush")
    assert (done.code, "PAYI_API_KEY is not set" in done.err) == (2, True)


def test_ctrl_c_ends_a_flush_and_loses_nothing(outbox: Outbox, start_app: Start, sink: IngestSink) -> None:
    kill(start_app("a", 20))
    sink.script += [Reply(503)] * 10_000
    process = subprocess.Popen(
        [sys.executable, "-m", "payi_otel.cli", "outbox", "flush"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert sink.wait_for_posts(1, 60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "20 still wait" in out) == (130, True)
    assert "Traceback" not in err
    assert API_KEY not in out + err
    sink.script.clear()
    assert outbox("flush").code == 0
    assert len(sink.events) == 20
