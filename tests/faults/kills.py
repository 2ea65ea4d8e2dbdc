"""Kills a fleet of processes under load, lets the next process deliver what they left, and counts."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.application import running_application, variables
from tests.faults.fleet import THREADS, Kill, Notes, Plan
from tests.faults.world import ROOT, World, environment, wait_until
from tests.support.fault_proxy import (
    FaultProxy,
    answering,
    hang_until_switched,
    healthy,
    lose_answer,
    refuse,
    running_proxy,
)

__all__ = ["THREADS", "Toll", "run"]

AT_ONCE = 4
_WEATHER = (healthy, healthy, lose_answer, refuse, answering(503), hang_until_switched)


@dataclass(frozen=True, slots=True)
class Toll:
    """What came of it.

    `returned` calls had returned before their process was killed; `missing` of them never reached the server: for each
    how long before the kill it had returned, in seconds in which the machine let the process run. `unknown` requests at
    the server are of calls that were killed before they had returned. `twice`: stored more than once.
    """

    kills: int
    returned: int
    missing: list[float]
    unknown: int
    twice: int


def run(durability: str, kills: int, world: World, folder: Path, seed: int) -> Toll:
    """Kill `kills` processes that work with this `PAYI_DURABILITY`, while Pay-i fails now and then."""
    use_case_name = f"kills-{time.time_ns()}"
    notes = folder / "notes"
    notes.mkdir(parents=True)
    settings = {"PAYI_OUTBOX_DIR": str(folder / "outbox"), "PAYI_DURABILITY": durability, "PAYI_TIMEOUT": "5"}
    with running_proxy(*world.server_address) as proxy:
        common = {"base_url": proxy.url, "provider_url": world.provider_url, "use_case_name": use_case_name}
        with _bad_weather(proxy, seed):
            fallen = _fleet(Plan(kills, AT_ONCE, str(notes), seed), variables(**common) | settings)
        with running_application(folder, **common, **settings) as application:
            application.call(1)
            wait_until(lambda: len(_outbox_files(folder)) <= 1, "what the dead left is adopted")
            wait_until(lambda: application.status()["queued"] == 0, "what the dead left is delivered")
            assert application.end() == 0
    stored = world.stored(use_case_name)
    by_kill = [(kill, Notes.read(kill.notes)) for kill in fallen]
    returned = {call for _, notes in by_kill for call in notes.returned}
    return Toll(
        kills=len(fallen),
        returned=len(returned),
        missing=sorted(
            notes.run_time_s(returned_s, kill.killed_s)
            for kill, notes in by_kill
            for call, returned_s in notes.returned.items()
            if call not in stored
        ),
        unknown=len(stored.keys() - returned - set(application.ids)),
        twice=max(world.billed_calls(use_case_name), stored.total()) - len(stored),
    )


def _fleet(plan: Plan, settings: Mapping[str, str]) -> list[Kill]:
    command = [sys.executable, "-m", "tests.faults.fleet", json.dumps(asdict(plan))]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(**settings), stdout=subprocess.PIPE, text=True, check=True
    )
    return [Kill(**json.loads(line)) for line in done.stdout.splitlines()]


@contextmanager
def _bad_weather(proxy: FaultProxy, seed: int) -> Iterator[None]:
    """Switch faults on and off at random moments."""
    over = threading.Event()
    moments = random.Random(seed)

    def blow() -> None:
        while not over.wait(moments.uniform(0.05, 0.5)):
            proxy.switch(moments.choice(_WEATHER))

    thread = threading.Thread(target=blow, name="weather")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        proxy.switch(healthy)


def _outbox_files(folder: Path) -> list[Path]:
    return list((folder / "outbox").rglob("outbox-*.db"))
