"""The durable outbox: bounds, damage, trouble with the disk, rights, age."""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from payi_otel.delivery.dead import DeadLetters
from payi_otel.delivery.disk import DiskFile
from payi_otel.delivery.folder import OutboxFolder
from payi_otel.delivery.outbox import Entry, Stored
from payi_otel.delivery.statements import conditions, insertions
from tests.outbox.parts import crash, everything, ids, outbox_in, several, stored

ROOT = Path(__file__).parents[2]


def take_all(target: list[Stored]) -> object:
    def take(items: list[Stored]) -> list[int]:
        target.extend(items)
        return []

    return take


def test_no_file_is_made_before_the_first_entry(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path / "outbox")
    assert outbox.size() == (0, 0)
    assert outbox.peek("events", 10, 10**6, ()) == []
    assert outbox.first_key() is None
    outbox.release()
    assert not (tmp_path / "outbox").exists()


def test_entries_come_back_in_order_and_by_lane(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path)
    outbox.append([stored(1), stored(2, "a/b/c", "score"), stored(3), stored(4, "a/b/d", "increment")])
    assert ids(outbox.peek("events", 10, 10**6, ())) == ["resp_1", "resp_3"]
    assert ids(outbox.peek("scores", 10, 10**6, ())) == ["a/b/c"]
    assert ids(outbox.peek("scores", 10, 10**6, ["a/b/c"])) == ["a/b/d"]
    assert (outbox.count("events"), outbox.count("scores"), outbox.first_key()) == (2, 2, 1)
    outbox.ack([1, 2, 99])
    assert everything(outbox) == ["resp_3", "a/b/d"]
    assert outbox.first_key() == 3
    found = outbox.find("a/b/d")
    assert found is not None
    assert (found.key, found.entry.kind) == (4, "increment")


@pytest.mark.parametrize(
    "gone", [range(1, 251), range(20, 200), range(1, 251, 2), [*range(2, 150), 240], [7]]
)
def test_what_is_delivered_is_removed_and_nothing_else(tmp_path: Path, gone: Iterable[int]) -> None:
    outbox = outbox_in(tmp_path)
    outbox.append([stored(key) for key in range(1, 251)])
    outbox.ack([*gone])
    left = [key for key in range(1, 251) if key not in set(gone)]
    assert [item.key for item in outbox.peek("events", 500, 10**6, ())] == left
    assert outbox.size() == (len(left), sum(stored(key).entry.size for key in left))


def test_however_many_are_removed_python_keeps_two_statements() -> None:
    batches = [[*range(size), size + gap] for size in range(500) for gap in (0, 1)]
    assert len({condition for keys in batches for condition, _ in conditions(keys)}) == 2


@pytest.mark.parametrize("size", [0, 1, 2, 32, 33, 256, 257, 600])
def test_however_many_are_stored_it_takes_few_statements(size: int) -> None:
    rows = [(key, "event", str(key), b"{}", 0.0) for key in range(size)]
    made = [*insertions(rows)]
    given = [value for _, values in made for value in values if value is not None]
    assert given == [value for row in rows for value in row]
    assert all(statement.count("?") == len(values) for statement, values in made)
    assert len(made) == math.ceil(size / 256)
    assert len({statement for statement, _ in made}) <= 3


@pytest.mark.parametrize("count", [1, 31, 300])
def test_a_batch_is_stored_and_read_in_as_many_steps_as_one_entry(tmp_path: Path, count: int) -> None:
    outbox = outbox_in(tmp_path)
    outbox.append([stored(0)])
    file = outbox._file
    assert file is not None
    run: list[str] = []
    file._open().set_trace_callback(run.append)
    outbox.append([stored(key) for key in range(1, count + 1)])
    assert len(outbox.peek("events", 500, 10**6, ())) == count + 1
    file._open().set_trace_callback(None)
    assert len(run) == 3 + 3 * (count > 256), run


def test_a_batch_keeps_within_items_and_bytes_but_is_never_empty(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path)
    outbox.append([stored(key, payload=b"x" * 100) for key in range(1, 6)])
    assert len(outbox.peek("events", 3, 10**6, ())) == 3
    assert len(outbox.peek("events", 10, 250, ())) == 2
    assert len(outbox.peek("events", 10, 1, ())) == 1


@pytest.mark.parametrize("spilled", [False, True])
def test_at_the_bound_the_newest_are_refused(tmp_path: Path, spilled: bool) -> None:
    folder = tmp_path / "outbox"
    if spilled:
        folder.write_text("not a folder")
    outbox = outbox_in(folder, max_bytes=1_000, spill_max_bytes=1_000)
    items = [stored(key, payload=b"x" * 200) for key in range(1, 6)]
    assert outbox.append(items) == [3, 4, 5]
    assert everything(outbox) == ["resp_1", "resp_2"]
    outbox.ack([1])
    assert outbox.append(items[2:3]) == []


def test_the_file_and_its_folder_are_their_owners_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        outbox = outbox_in(tmp_path / "state" / "outbox")
        outbox.append(several([1]))
        outbox.reject(stored(1), "HTTP 400")
        made = list((tmp_path / "state" / "outbox").iterdir())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "state" / "outbox").stat().st_mode) == 0o700
    assert {path.suffix for path in made} >= {".db", ".db-wal", ".lock"}
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in made} == {
        path.name: "0o600" for path in made
    }


def test_an_empty_outbox_leaves_nothing_behind(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path)
    outbox.append(several([1]))
    outbox.release()
    assert [path.suffix for path in outbox.folder.files()] == [".db"]
    outbox.ack([1])
    outbox.release()
    assert list(tmp_path.iterdir()) == []
    assert outbox.append(several([2])) == []
    assert everything(outbox) == ["resp_2"]


def test_a_refused_entry_is_a_dead_letter_with_its_reason(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path)
    outbox.append([stored(1, payload=b'{"units": {}}'), stored(2)])
    outbox.reject(outbox.peek("events", 1, 10**6, ())[0], "HTTP 400 invalid_category")
    assert everything(outbox) == ["resp_2"]
    dead = DeadLetters(tmp_path)
    (letter,) = dead.list()
    assert (letter.kind, letter.id, letter.reason) == ("event", "resp_1", "HTTP 400 invalid_category")
    assert letter.rejected_at == pytest.approx(time.time(), abs=600)
    assert dead.read([letter]) == [Entry("event", "resp_1", b'{"units": {}}')]
    assert dead.count() == 1
    dead.remove([letter.number])
    assert (dead.read([letter]), dead.count()) == ([], 0)


def test_looking_at_dead_letters_holds_none_of_what_they_say(tmp_path: Path) -> None:
    dead = DeadLetters(tmp_path)
    assert (dead.list(), dead.count()) == ([], 0)
    for number in range(20):
        dead.add(Entry("event", f"resp_{number}", bytes(1_000_000)), "HTTP 400")
    tracemalloc.start()
    try:
        assert len(dead.list()) == 20
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_what_waits_too_long_becomes_a_dead_letter(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path)
    old = Stored(1, Entry("event", "old", b"{}"), time.time() - 8 * 86_400)
    outbox.append([old, stored(2)])
    assert ids(outbox.expire(7 * 86_400)) == ["old"]
    assert everything(outbox) == ["resp_2"]
    assert [letter.reason for letter in DeadLetters(tmp_path).list()] == ["not delivered in time"]


def test_age_counts_from_the_first_process(tmp_path: Path) -> None:
    first, second = outbox_in(tmp_path), outbox_in(tmp_path)
    first.append([Stored(1, Entry("event", "old", b"{}"), 1_000.0)])
    crash(first)
    second.adopt(lambda items: second.append(items))
    assert [item.since_s for item in second.peek("events", 1, 10**6, ())] == [1_000.0]


def test_while_the_folder_cannot_be_used_memory_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "outbox"
    folder.write_text("not a folder")
    outbox = outbox_in(folder)
    assert outbox.append(several([1, 2])) == []
    assert outbox.append(several([3])) == []
    assert outbox.append(several([4]), spill=False) == [4]
    assert everything(outbox) == ["resp_1", "resp_2", "resp_3"]
    assert outbox.memory_bytes > 0
    outbox.ack([1])
    assert outbox.first_key() == 2
    told = [record.getMessage() for record in caplog.records if "cannot be used" in record.getMessage()]
    assert len(told) == 1
    assert str(folder) in told[0]


def test_a_full_disk_spills_into_memory_and_nothing_is_lost(tmp_path: Path) -> None:
    # The limit of a file's size stands for the disk's: SQLite gets the same kind of error from the kernel.
    script = f"""
    import resource, signal
    from pathlib import Path
    from tests.outbox.parts import everything, outbox_in, stored

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    outbox = outbox_in(Path({str(tmp_path)!r}), spill_max_bytes=10**7)
    assert outbox.append([stored(1)]) == []
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    for key in range(2, 102):
        assert outbox.append([stored(key, payload=b"x" * 10_000)]) == [], key
    assert outbox.memory_bytes > 500_000, outbox.memory_bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert outbox.append([stored(102)]) == []
    seen = []
    while batch := outbox.peek("events", 50, 10**9, ()):
        seen += [item.entry.id for item in batch]
        outbox.ack([item.key for item in batch])
    assert sorted(seen) == sorted(f"resp_{{key}}" for key in range(1, 103)), seen
    assert outbox.size() == (0, 0)
    print("ok")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert "events are kept in memory meanwhile" in done.stderr


def test_a_large_log_is_carried_over_once_and_then_small_again(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path / "outbox")
    outbox.append([stored(key, payload=b"x" * 100_000) for key in range(1, 101)])
    (log,) = (tmp_path / "outbox").glob("*.db-wal")
    assert log.stat().st_size > 10**7
    outbox.checkpoint()
    outbox.append([stored(101)])
    assert log.stat().st_size < 4 * 1024 * 1024


def _damage(path: Path) -> None:
    """Overwrite a page in the middle of the file, as a bad sector would."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)


def _fill(outbox: object, count: int) -> None:
    outbox.append([stored(key, payload=b"x" * 1_000) for key in range(1, count + 1)])  # type: ignore[attr-defined]


def test_a_corrupt_orphan_is_set_aside_and_its_readable_rows_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = outbox_in(tmp_path), outbox_in(tmp_path)
    _fill(first, 200)
    [path] = first.folder.files()
    crash(first)
    _damage(path)
    saved: list[Stored] = []
    assert second.adopt(take_all(saved)) is False  # type: ignore[arg-type]
    # One page holds three of these rows; a few more may be cut off with it.
    assert len({item.entry.id for item in saved}) > 100
    assert path.with_name(path.name + ".corrupt").exists()
    assert not path.exists()
    [told] = [record.getMessage() for record in caplog.records if "is corrupt" in record.getMessage()]
    assert str(path) in told
    assert second.adopt(take_all(saved)) is False  # type: ignore[arg-type]


def test_a_file_that_breaks_while_in_use_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    outbox = outbox_in(tmp_path)
    _fill(outbox, 200)
    [path] = outbox.folder.files()
    assert outbox._file is not None
    outbox._file.close()
    _damage(path)
    with pytest.raises(sqlite3.DatabaseError):
        outbox.peek("events", 1_000, 10**9, ())
    assert path.with_name(path.name + ".corrupt").exists()
    rest = everything(outbox)
    assert 100 < len(rest) < 200
    # Under the keys they had, which flushes and scores wait for.
    assert outbox.first_key() == 1
    assert outbox.append([stored(201)]) == []
    assert everything(outbox)[-1] == "resp_201"


def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / f"outbox-1-{'0' * 16}.db").write_bytes(b"not a database" * 1_000)
    outbox = outbox_in(tmp_path)
    assert outbox.adopt(lambda items: outbox.append(items)) is False
    assert [path.name for path in tmp_path.iterdir()] == [f"outbox-1-{'0' * 16}.db.corrupt"]


def test_no_file_comes_into_being_during_a_fork(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path)
    outbox.before_fork()
    writer = threading.Thread(target=outbox.append, args=([stored(1)],))
    writer.start()
    writer.join(0.3)
    assert (writer.is_alive(), list(tmp_path.iterdir())) == (True, [])
    outbox.after_fork_in_parent()
    writer.join(30)
    assert everything(outbox) == ["resp_1"]
    outbox.before_fork()
    outbox.after_fork_in_parent()
    assert everything(outbox) == ["resp_1"]


def test_what_is_on_disk_is_counted_before_anybody_may_give_the_file_up(tmp_path: Path) -> None:
    file = DiskFile(OutboxFolder(tmp_path).claim_new())
    given_up: list[bool] = []
    retiring = threading.Thread(target=lambda: given_up.append(file.retire(only_if_empty=True)))

    class Counted(list[Stored]):
        """Tells when it is gone through for the second time: stored, and about to be counted."""

        times = 0

        def __iter__(self) -> Iterator[Stored]:
            self.times += 1
            if self.times == 2:
                retiring.start()
                # Long enough for whoever need not wait; whoever must wait does so until the lock is free.
                retiring.join(0.5)
            return super().__iter__()

    file.append(Counted([stored(1)]))
    retiring.join()
    assert given_up == [False]
    assert [item.entry.id for item in file.oldest(1)] == ["resp_1"]
    file.close()


def test_what_is_appended_while_an_empty_file_is_given_back_is_kept(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path)
    count = 300
    written: list[int] = []

    def write() -> None:
        for key in range(1, count + 1):
            assert outbox.append([stored(key)]) == []
            written.append(key)

    writer = threading.Thread(target=write)
    writer.start()
    seen: set[str] = set()
    while writer.is_alive() or outbox.size()[0]:
        batch = outbox.peek("events", 100, 10**6, ())
        seen.update(ids(batch))
        outbox.ack([item.key for item in batch])
        outbox.release()
    writer.join()
    assert len(written) == count
    assert seen == {f"resp_{key}" for key in range(1, count + 1)}
    assert outbox.folder.files() == []
