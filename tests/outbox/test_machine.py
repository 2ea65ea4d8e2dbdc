"""The outbox as a state machine: several processes put, lease, ack, refuse, die and adopt; nothing is lost.

The model knows which ids must be somewhere: waiting in a living process's outbox, in a dead one's file, or among the
dead letters. What was acked must be nowhere.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)

from payi_otel.delivery.disk import DiskFile
from payi_otel.delivery.durable import DurableOutbox
from payi_otel.delivery.outbox import EntryKind, Stored
from tests.outbox.parts import crash, everything, outbox_in, stored

KINDS: list[EntryKind] = ["event", "score", "increment"]
PROCESSES = 3


class Process:
    """A process with an outbox; `size` bounds what it takes, in entries of 500 bytes."""

    def __init__(self, folder: Path) -> None:
        self.outbox: DurableOutbox = outbox_in(folder, max_bytes=8 * 500)
        self.keys = 0

    def next_key(self) -> int:
        self.keys += 1
        return self.keys

    def adopt(self, items: Sequence[Stored]) -> Collection[int]:
        ours = {self.next_key(): item for item in items}
        refused = self.outbox.append([Stored(key, item.entry, item.since_s) for key, item in ours.items()])
        return {ours[key].key for key in refused}


class OutboxMachine(RuleBasedStateMachine):
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.alive = [Process(self.folder) for _ in range(PROCESSES)]
        self.names = 0
        self.waiting: set[str] = set()
        self.dead: set[str] = set()

    def teardown(self) -> None:
        for process in self.alive:
            crash(process.outbox)
        shutil.rmtree(self.folder)

    @rule(who=st.integers(0, PROCESSES - 1), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    def put(self, who: int, kinds: list[EntryKind]) -> None:
        process = self.alive[who]
        items: list[Stored] = []
        for kind in kinds:
            self.names += 1
            items.append(stored(process.next_key(), f"id-{self.names}", kind, b"x" * 290))
        refused = process.outbox.append(items)
        # The newest are refused, and only when it is full.
        assert list(refused) == [item.key for item in items][len(items) - len(refused) :]
        assert not refused or process.outbox.size()[1] > 7 * 490
        self.waiting |= {item.entry.id for item in items if item.key not in refused}

    @rule(target=leases, who=st.integers(0, PROCESSES - 1), lane=st.sampled_from(["events", "scores"]))
    def lease(self, who: int, lane: str) -> object:
        process = self.alive[who]
        batch = process.outbox.peek(lane, 3, 10**6, ())  # type: ignore[arg-type]
        assert all(item.entry.lane == lane for item in batch)
        assert [item.key for item in batch] == sorted(item.key for item in batch)
        return multiple(*((process, item) for item in batch))

    @rule(lease=consumes(leases))
    def ack(self, lease: tuple[Process, Stored]) -> None:
        process, item = lease
        if process not in self.alive:
            return
        process.outbox.ack([item.key])
        self.waiting.discard(item.entry.id)

    @rule(lease=consumes(leases))
    def nack(self, lease: tuple[Process, Stored]) -> None:
        """Delivery failed: nothing is told to the outbox, and the entry waits on."""
        process, item = lease
        if process in self.alive and item.entry.id in self.waiting:
            assert process.outbox.find(item.entry.id) is not None

    @rule(lease=consumes(leases))
    def refuse(self, lease: tuple[Process, Stored]) -> None:
        process, item = lease
        if process in self.alive and item.entry.id in self.waiting:
            process.outbox.reject(item, "HTTP 400")
            self.waiting.discard(item.entry.id)
            self.dead.add(item.entry.id)

    @rule(who=st.integers(0, PROCESSES - 1))
    def kill(self, who: int) -> None:
        crash(self.alive[who].outbox)
        self.alive[who] = Process(self.folder)

    @rule(who=st.integers(0, PROCESSES - 1))
    def adopt(self, who: int) -> None:
        process = self.alive[who]
        is_left = process.outbox.adopt(process.adopt)
        assert not is_left or process.outbox.room_bytes < 500

    @rule(who=st.integers(0, PROCESSES - 1))
    def release(self, who: int) -> None:
        self.alive[who].outbox.release()

    @rule(who=st.integers(0, PROCESSES - 1))
    def fork(self, who: int) -> None:
        """The parent's side of a fork: the connection is closed, the file stays the parent's."""
        outbox = self.alive[who].outbox
        outbox.before_fork()
        outbox.after_fork_in_parent()

    @rule(who=st.integers(0, PROCESSES - 1))
    def checkpoint(self, who: int) -> None:
        self.alive[who].outbox.checkpoint()

    @precondition(lambda self: not self.waiting)
    @rule()
    def tidy(self) -> None:
        for process in self.alive:
            assert process.outbox.adopt(process.adopt) is False
            process.outbox.release()
        assert {path.name for path in self.folder.iterdir()} <= {"dead.db", "dead.db-wal", "dead.db-shm"}

    @invariant()
    def nothing_is_lost_and_nothing_twice(self) -> None:
        found = [name for process in self.alive for name in everything(process.outbox)]
        counted = sum(process.outbox.size()[0] for process in self.alive)
        assert counted == len(found)
        for claimed in self.alive[0].outbox.folder.orphans():
            orphan = DiskFile(claimed)
            found += [item.entry.id for item in orphan.oldest(10**6)]
            orphan.close()
            claimed.release()
        assert sorted(found) == sorted(self.waiting)
        letters = [letter.id for letter in self.alive[0].outbox.dead.list()]
        assert sorted(letters) == sorted(self.dead)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
