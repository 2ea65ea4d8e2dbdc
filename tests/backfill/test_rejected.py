"""The file of rejected rows: whole after every stop, and nobody's work is overwritten."""

from __future__ import annotations

from pathlib import Path

from payi_otel.backfill.rejected import Rejected, RejectedFile
from tests.backfill.conftest import read_lines


def write(path: Path, size: int, *lines: int) -> int:
    """Write rows for these lines after `size` settled bytes; the size after that."""
    file = RejectedFile(path, size)
    file.write([Rejected(line, "r", {"n": line}) for line in lines])
    file.close()
    return file.size


def test_what_was_not_settled_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "r"
    settled = write(path, 0, 1, 2)
    write(path, settled, 3, 4)
    write(path, settled, 3)
    assert [row["line"] for row in read_lines(path)] == [1, 2, 3]


def test_a_file_that_was_taken_away_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "r"
    settled = write(path, 0, 1, 2)
    path.unlink()
    write(path, settled, 3)
    assert [row["line"] for row in read_lines(path)] == [3]


def test_earlier_files_are_kept_under_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "r"
    for line in (1, 2, 3):
        file = RejectedFile(path)
        file.keep_earlier()
        file.write([Rejected(line, "r", text="{")])
        file.close()
    assert [read_lines(tmp_path / name)[0]["line"] for name in ("r.1", "r.2", "r")] == [1, 2, 3]


def test_no_file_without_a_row(tmp_path: Path) -> None:
    assert write(tmp_path / "r", 0) == 0
    assert list(tmp_path.iterdir()) == []


def test_half_an_emoji_is_no_reason_to_stop(tmp_path: Path) -> None:
    file = RejectedFile(tmp_path / "r")
    file.write([Rejected(1, "\ud83d", {"a": "\ud83d"})])
    file.close()
    assert read_lines(tmp_path / "r") == [{"line": 1, "reason": "?", "event": {"a": "?"}}]
