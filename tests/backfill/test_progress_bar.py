"""The bar on a real terminal, and nothing of it in a log."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from payi_otel.commands import progress_bar
from tests.backfill.conftest import Import, event, write_lines
from tests.support.ingest_sink import IngestSink, Reply
from tests.support.terminal import run_on_terminal


def test_a_terminal_shows_bar_waiting_and_end(sink: IngestSink, tmp_path: Path) -> None:
    pytest.importorskip("tqdm")
    path = write_lines(tmp_path / "events.jsonl", [event(number) for number in range(1_200)])
    sink.script += [None, Reply(503)]
    code, out, shown = run_on_terminal(
        [sys.executable, "-m", "payi_otel.cli", "import", str(path)],
        {"PAYI_OUTBOX_DIR": str(tmp_path / "state")},
    )
    assert (code, "1,200 stored" in out) == (0, True)
    assert "events.jsonl: 100%" in shown
    assert f"{sink.url}: HTTP 503; trying again" in shown
    assert "HTTP 503, again in" in shown


def test_a_log_shows_lines_only(run_import: Import, sink: IngestSink, tmp_path: Path) -> None:
    sink.script.append(Reply(503))
    done = run_import(write_lines(tmp_path / "e.jsonl", [event(1)]))
    assert done.err == f"{sink.url}: HTTP 503; trying again\n"


def test_without_tqdm_it_says_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_bar.sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(progress_bar.importlib.util, "find_spec", lambda name: None)
    bar = progress_bar.open_bar(10, "x", unit="B", scaled=True)
    bar.show(5)
    bar.say("a line")
    bar.close()
    assert capsys.readouterr().err == 'For a progress bar: pip install "payi-otel[cli]"\na line\n'
