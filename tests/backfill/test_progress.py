"""The state file: all that was saved and nothing else, in the hands of one process."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from payi_otel.backfill.progress import ImportRunning, Progress
from payi_otel.backfill.rows import Position
from payi_otel.backfill.totals import Totals

TOTALS = Totals(events=3, sent=2, rejected=1, units={"text": [1, 2]}, use_cases={"chat": 3})


def test_what_was_saved_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "imports" / "a.db"
    progress = Progress(path)
    assert (progress.position, progress.totals, progress.rejected_bytes) == (Position(), Totals(), 0)
    progress.save(Position(100, 4), TOTALS, 55)
    progress.close()
    again = Progress(path)
    assert (again.position, again.totals, again.rejected_bytes) == (Position(100, 4), TOTALS, 55)
    assert (again.finished_at, again.begun, progress.begun) == (None, True, False)
    again.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_occurrences_are_kept_with_what_is_saved_only(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "a.db")
    assert [progress.occurrence(b"x"), progress.occurrence(b"x"), progress.occurrence(b"y")] == [1, 2, 1]
    progress.save(Position(1, 1), TOTALS, 0)
    assert progress.occurrence(b"x") == 3
    progress.close()
    again = Progress(tmp_path / "a.db")
    assert again.occurrence(b"x") == 3
    again.close()


def test_a_finished_import_keeps_its_result_only(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "a.db")
    for number in range(5_000):
        progress.occurrence(b"%d" % number)
    progress.save(Position(1, 1), TOTALS, 0)
    progress.finish()
    progress.close()
    assert (tmp_path / "a.db").stat().st_size < 20_000
    again = Progress(tmp_path / "a.db")
    assert (again.finished_at is not None, again.totals) == (True, TOTALS)
    again.begin()
    assert (again.finished_at, again.totals, again.position) == (None, Totals(), Position())
    again.close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "a.db")
    progress.save(Position(1, 1), TOTALS, 0)
    with pytest.raises(ImportRunning):
        Progress(tmp_path / "a.db")
    progress.close()
    Progress(tmp_path / "a.db").close()
