"""Processes that make calls until they are killed, at random moments.

`python -m tests.faults.fleet` takes a `Plan` in JSON as its argument. It has everything imported, so that a child is a
fork away; each child instruments itself, makes calls in several threads and notes every call that has returned. The
parent writes a `Kill` in JSON per line.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import payi_otel
from tests.faults.app import Caller

THREADS = 2
LONGEST_LIFE_S = 0.5
"""How long a child may live after its first call."""
BEAT_S = 0.005


@dataclass(frozen=True, slots=True)
class Plan:
    """How many children, how many of them at a time, where they take notes, and the seed of the moments."""

    kills: int
    at_once: int
    folder: str
    seed: int


@dataclass(frozen=True, slots=True)
class Kill:
    """A child's notes, and when it was killed. Times here and in the notes are monotonic, in seconds."""

    notes: str
    killed_s: float


@dataclass(frozen=True, slots=True)
class Notes:
    """What a child noted: when each call had returned, by the response's id, and when its heart beat."""

    returned: dict[str, float]
    beats: list[float]

    @classmethod
    def read(cls, path: str) -> Notes:
        """Read them; the kill may have cut the last line short."""
        returned: dict[str, float] = {}
        beats: list[float] = []
        for line in Path(path).read_text().splitlines(keepends=True):
            words = line.split()
            if not line.endswith("\n") or len(words) != 2:
                continue
            if words[0] == "beat":
                beats.append(float(words[1]))
            else:
                returned[words[0]] = float(words[1])
        return cls(returned, beats)

    def run_time_s(self, since_s: float, until_s: float) -> float:
        """Seconds between two moments, less those in which the machine let this process do nothing."""
        moments = [since_s, *(beat for beat in self.beats if since_s < beat < until_s), until_s]
        pauses = (later - earlier for earlier, later in itertools.pairwise(moments))
        return sum(min(pause, BEAT_S) for pause in pauses)


def _warmed_up() -> Caller:
    """A caller without a connection, in a process that has imported all it needs, but is not instrumented."""
    probe = "import sys, payi_otel, tests.faults.app; payi_otel.payi_instrument(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], stdout=subprocess.PIPE, text=True, check=True)
    for name in done.stdout.split():
        # Some are no modules of their own, but attributes of others.
        with suppress(ImportError):
            importlib.import_module(name)
    url = os.environ["PROVIDER_URL"]
    first = Caller(url)
    for _ in range(3):
        first.call()
    first.close()
    return Caller(url)


def _child(notes: Path, caller: Caller) -> None:
    parent = os.getppid()
    file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(word: str) -> None:
        # One write each, so that the notes of two threads do not mix.
        os.write(file, f"{word} {time.monotonic()}\n".encode())

    def work() -> None:
        while os.getppid() == parent:
            note(caller.call())

    payi_otel.payi_instrument()
    for _ in range(THREADS):
        threading.Thread(target=work).start()
    while os.getppid() == parent:
        note("beat")
        time.sleep(BEAT_S)


def _has_called(notes: Path) -> bool:
    try:
        return any(not line.startswith("beat") for line in notes.read_text().splitlines())
    except FileNotFoundError:
        return False


def main() -> None:
    """Carry out the plan."""
    plan = Plan(**json.loads(sys.argv[1]))
    caller = _warmed_up()
    moments = random.Random(plan.seed)
    alive: dict[int, tuple[Path, float | None]] = {}
    started = killed = 0
    while killed < plan.kills:
        while len(alive) < plan.at_once and started < plan.kills:
            notes = Path(plan.folder) / f"notes-{started}"
            started += 1
            pid = os.fork()
            if pid == 0:
                try:
                    _child(notes, caller)
                finally:
                    os._exit(1)
            alive[pid] = (notes, None)
        time.sleep(0.002)
        for pid, (notes, due_s) in list(alive.items()):
            if due_s is None:
                if _has_called(notes):
                    alive[pid] = (notes, time.monotonic() + moments.uniform(0, LONGEST_LIFE_S))
            elif time.monotonic() >= due_s:
                kill = Kill(str(notes), time.monotonic())
                os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                # Whoever had ended before was not killed at a random moment.
                assert os.WIFSIGNALED(status), f"child {pid} ended by itself with {status}"
                del alive[pid]
                killed += 1
                print(json.dumps(asdict(kill)), flush=True)


if __name__ == "__main__":
    main()
