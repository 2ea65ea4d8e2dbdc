"""The command, against the real self-hosted server and against one that fails."""

from __future__ import annotations

import gzip
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from payi_otel.backfill.progress import Progress
from tests.backfill.conftest import Import, Stored, event, read_lines, write_lines
from tests.support.ingest_sink import IngestSink, Reply


def test_everything_is_stored_once(run_import: Import, server: Stored, tmp_path: Path) -> None:
    events = [event(number, use_case_name="chat") for number in range(1_200)]
    path = write_lines(tmp_path / "events.jsonl", events)
    done = run_import(path)
    assert (done.code, done.err) == (0, "")
    assert f"1,200 stored at {server.url}, 0 rejected" in done.out
    assert "text 1,200,000 in, 600,000 out" in done.out
    assert "chat 1,200" in done.out
    stored = server.events()
    assert sorted(item["provider_response_id"] for item in stored) == sorted(
        item["provider_response_id"] for item in events
    )
    assert {item["event_timestamp"] for item in stored} == {"2026-10-05T12:00:00Z"}
    again = run_import(path)
    assert (again.code, "Nothing was sent now; --again sends it again." in again.out) == (0, True)
    assert run_import(path, "--again").code == 0
    assert len(server.events()) == 1_200


def test_equal_lines_are_calls_of_their_own(run_import: Import, server: Stored, tmp_path: Path) -> None:
    lines = [event(), event(user_id="a"), event(), event()]
    assert run_import(write_lines(tmp_path / "a.jsonl", lines)).code == 0
    first = {item["provider_response_id"] for item in server.events()}
    assert len(first) == 4
    # The same calls from another export: other order, one more of them.
    assert run_import(write_lines(tmp_path / "b.jsonl", [event(user_id="b"), *reversed(lines)])).code == 0
    second = {item["provider_response_id"] for item in server.events()}
    assert (len(second), first < second) == (5, True)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["lines", "array", "csv"])
def test_every_format_stores_the_same(
    run_import: Import, server: Stored, tmp_path: Path, form: str, packed: bool
) -> None:
    events = [event(number, user_id="ü", properties={"team": "red"}) for number in range(3)]
    path = tmp_path / "export"
    if form == "lines":
        text = "\n".join(json.dumps(item) for item in events)
    elif form == "array":
        text = json.dumps(events, indent=1)
    else:
        text = "id,model,in,out,at,user_id,team\n" + "".join(
            f"resp_{number},gpt-4o-mini,1000,500,2026-10-05 12:00:00+00:00,ü,red\n" for number in range(3)
        )
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    maps = {
        "id": "provider_response_id",
        "model": "resource",
        "in": "units.text.input",
        "out": "units.text.output",
        "at": "event_timestamp",
        "team": "properties.team",
    }
    mapping = [f"--map={column}={field}" for column, field in maps.items()] if form == "csv" else []
    done = run_import(path, *mapping, "--set", "category=system.openai")
    assert (done.code, done.err) == (0, "")
    stored = sorted(server.events(), key=lambda item: item["provider_response_id"])
    assert [item["provider_response_id"] for item in stored] == ["resp_0", "resp_1", "resp_2"]
    for item in stored:
        assert item["units"] == {"text": {"input": 1000, "output": 500}}
        assert (item["user_id"], item["properties"]["team"]) == ("ü", "red")
        assert (item["resource"], item["event_timestamp"]) == ("gpt-4o-mini", "2026-10-05T12:00:00Z")
        assert item["cost"]["total"]["base"] > 0


def test_the_rejected_are_kept_and_can_be_put_right(
    run_import: Import, server: Stored, tmp_path: Path
) -> None:
    wrong = event(2, use_case_version="two", provider_request_json="secret")
    refused = event(use_case_name="chat", use_case_id="x" * 600)
    path = write_lines(tmp_path / "events.jsonl", [event(1), wrong, "{", refused, event(3)])
    done = run_import(path)
    assert done.code == 1
    assert "2 stored" in done.out
    assert "3 rejected" in done.out
    assert "line 2: use_case_version='two': give a whole number from 1" in done.err
    assert "line 3: not JSON: " in done.err
    assert "line 4: HTTP 400 invalid_json: use_case_id: " in done.err
    assert "secret" not in done.err
    rejected = tmp_path / "events.jsonl.rejected.jsonl"
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600
    rows = read_lines(rejected)
    assert [row["line"] for row in rows] == [2, 3, 4]
    assert rows[0]["event"] == wrong
    assert rows[1]["text"] == "{"
    # The one that Pay-i refused keeps the id it was sent with.
    assert rows[2]["event"]["provider_response_id"].startswith("payi_import_")
    rows[0]["event"]["use_case_version"] = 2
    rows[2]["event"]["use_case_id"] = "x"
    corrected = write_lines(tmp_path / "corrected.jsonl", [rows[0], rows[2]])
    assert run_import(corrected).code == 0
    assert len(server.events()) == 4


def test_an_earlier_rejected_file_is_not_overwritten(
    run_import: Import, sink: IngestSink, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "e.jsonl", ["{"])
    assert run_import(path).code == 1
    rejected = tmp_path / "e.jsonl.rejected.jsonl"
    rejected.write_text("being put right\n")
    done = run_import(path, "--again")
    assert (tmp_path / "e.jsonl.rejected.jsonl.1").read_text() == "being put right\n"
    assert f"what was there before is now {rejected}.1" in done.out
    assert len(read_lines(rejected)) == 1


def test_rejected_go_where_they_are_told(run_import: Import, sink: IngestSink, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "e.jsonl", ["{"])
    assert run_import(path, "--rejected", tmp_path / "bad.jsonl").code == 1
    assert len(read_lines(tmp_path / "bad.jsonl")) == 1
    assert not (tmp_path / "e.jsonl.rejected.jsonl").exists()


def test_dry_run_checks_everything_and_sends_nothing(
    run_import: Import, sink: IngestSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PAYI_API_KEY")
    events = [
        event(1, use_case_name="chat"),
        event(use_case_name="chat", event_timestamp="2026-09-01T10:00:00"),
        event(2, units={"image": {"output": 2}}),
        event(3, user_id=7),
        *["{"] * 12,
    ]
    path = write_lines(tmp_path / "e.jsonl", events)
    done = run_import(path, "--dry-run")
    assert (done.code, sink.posts) == (1, [])
    assert done.out.splitlines() == [
        f"{path}: 3 events right, 13 wrong; nothing was sent",
        "  times      2026-09-01 10:00:00 UTC to 2026-10-05 12:00:00 UTC",
        "  units      image 0 in, 2 out; text 2,000 in, 1,000 out",
        "  use cases  chat 2; (none) 1",
        "  ids        1 event without provider_response_id: one is made of the content",
        "  time zone  1 event without one: taken as UTC",
    ]
    assert "line 4: user_id=7: give a string" in done.err
    assert "further wrong lines are not shown; they are counted below" in done.err
    assert not list(tmp_path.glob("*.rejected*"))
    assert not (tmp_path / "state").exists()


def test_a_damaged_file_is_sent_up_to_its_damage(
    run_import: Import, sink: IngestSink, tmp_path: Path
) -> None:
    path = tmp_path / "cut.json"
    path.write_text(json.dumps([event(number) for number in range(700)])[:-20])
    done = run_import(path)
    assert (done.code, len(sink.events)) == (1, 699)
    assert "line 1: the file ends inside an event" in done.err
    assert run_import(path).code == 1
    assert run_import(path, "--dry-run").code == 1


def test_an_outage_is_waited_for_or_continued_later(
    run_import: Import, sink: IngestSink, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "e.jsonl", [event(number) for number in range(1_300)])
    sink.script += [None, None, *[Reply(503)] * 40]
    done = run_import(path, "--give-up-after", "1")
    assert done.code == 3
    assert f"{sink.url}: HTTP 503; trying again" in done.err
    assert "stopped at line 1,001 (1,000 stored, 0 rejected)" in done.err
    assert "Run the same command to go on." in done.err
    sink.script.clear()
    done = run_import(path)
    assert (done.code, len(sink.events), len(sink.stored)) == (0, 1_300, 1_300)
    assert "goes on at line 1,001 (1,000 stored, 0 rejected before)" in done.err
    assert "1,300 stored" in done.out


def test_a_refused_key_stops_and_the_right_one_goes_on(
    run_import: Import, sink: IngestSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.keys = {"sk-right"}
    path = write_lines(tmp_path / "e.jsonl", [event(1)])
    done = run_import(path)
    assert (done.code, len(sink.posts)) == (3, 1)
    assert "refuses the API key (HTTP 401 invalid_api_key); check PAYI_API_KEY" in done.err
    assert "sk-test" not in done.err + done.out
    monkeypatch.setenv("PAYI_API_KEY", "sk-right")
    assert run_import(path).code == 0


def test_another_destination_is_another_import(
    run_import: Import, sink: IngestSink, server: Stored, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "e.jsonl", [event(1)])
    assert run_import(path).code == 0
    assert run_import(path, "--base-url", sink.url).code == 0
    assert (len(server.events()), len(sink.events)) == (1, 1)


def test_a_file_that_has_grown_is_read_from_its_start(
    run_import: Import, sink: IngestSink, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "e.jsonl", [event(), event()])
    run_import(path)
    write_lines(path, [event(), event(), event()])
    run_import(path)
    assert (len(sink.events), len(sink.stored)) == (3, 5)


def test_two_at_once_are_refused(run_import: Import, sink: IngestSink, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "e.jsonl", [event(1)])
    run_import(path)
    (state,) = (tmp_path / "state" / "imports").glob("*.db")
    other = Progress(state)
    done = run_import(path)
    other.close()
    assert (done.code, "another process is importing it" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (None, [], "no such file"),
        ("a,b\n1,2\n", [], "no column gives category, event_timestamp, units.text.input"),
        ("{}", ["--map", "a=resource"], "--map a=resource: the file is jsonl, not CSV"),
        ("{}", ["--set", "a"], "--set 'a': give FIELD=VALUE"),
        ("{}", ["--delimiter", "ab"], "--delimiter 'ab': give one character, or 'tab'"),
        ("{}", ["--base-url", "localhost"], "base_url='localhost': give an http(s) URL"),
        ("{}", ["--give-up-after", "0"], "--give-up-after"),
        ("\0", [], "no text; give JSON lines"),
        ("a\n", ["--mapping", "none.json"], "--mapping none.json: No such file or directory"),
    ],
)
def test_what_cannot_begin_says_why(
    run_import: Import, sink: IngestSink, tmp_path: Path, content: Any, arguments: list[str], said: str
) -> None:
    path = tmp_path / "e"
    if content is not None:
        path.write_text(content)
    done = run_import(path, *arguments)
    assert (done.code, done.out, sink.posts) == (2, "", [])
    assert said in done.err


def test_no_key(
    run_import: Import, sink: IngestSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PAYI_API_KEY")
    done = run_import(write_lines(tmp_path / "e.jsonl", [event()]))
    assert (done.code, "PAYI_API_KEY is not set" in done.err) == (2, True)


def test_a_folder_and_a_pipe_are_no_files(run_import: Import, sink: IngestSink, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        done = run_import(path)
        assert (done.code, "not a regular file; write its content to one" in done.err) == (2, True)


def test_a_rejected_file_that_cannot_be_written_stops_it(
    run_import: Import, sink: IngestSink, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "e.jsonl", [event(1), "{"])
    done = run_import(path, "--rejected", tmp_path / "none" / "r.jsonl")
    assert (done.code, "r.jsonl: No such file or directory" in done.err) == (2, True)
    assert run_import(path).code == 1
    assert len(read_lines(tmp_path / "e.jsonl.rejected.jsonl")) == 1


def test_an_empty_file_is_imported_at_once(run_import: Import, sink: IngestSink, tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.touch()
    done = run_import(path)
    assert (done.code, "0 stored" in done.out) == (0, True)
