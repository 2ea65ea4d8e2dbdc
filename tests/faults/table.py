"""Writes docs/faults.md: runs every row of the fault matrix, the kills and the outage, and tables what came of them.

python -m tests.faults.table
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import kills, matrix, outage
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.world import ROOT, World, running_world

PATH = ROOT / "docs" / "faults.md"
DURABILITIES = ("sync", "default")
KILLS = 200
_AT_ONCE = 2

_TEXT = """\
# Faults

What becomes of events when something goes wrong between an application and Pay-i. `nox -s faults` runs all of this and
writes this page; `pytest tests/faults` runs the same and checks it.

## Between the application and the server

Each row is a process that makes calls with the OpenAI and Anthropic SDKs, the self-hosted server, and a proxy between
them that has the fault; calls are made before, during and, where the fault ends, after it. `sent again`: deliveries of
an event beyond its first that reached the server, which stores it once all the same. `seconds`: from the end of the
fault until all were stored, the pause before the next attempt included; where the fault stays on, from the last call.
With 401 and 403 that pause is a minute. Calls never wait for any of it: they return while the fault is on.

{matrix}

`left`: a dead letter is an event that Pay-i refused for good, kept with the reason; one that waits is tried again.

## kill -9

Processes that make calls in {threads} threads are killed at random moments, while the fault of the proxy changes all the
time; the next process delivers what they left. `missing`: events of calls that had returned. `oldest`: how long before
the kill the oldest of these had returned, in milliseconds of time in which the machine let the process run.

{kills}

## Ten minutes without Pay-i

{outage}

`growth`: the most memory the process held at any time, less what it held before. The events are handed to the delivery
without calls and {compressed} times as fast.
"""


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; all columns but the first are aligned to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def row_names(text: str) -> list[str]:
    """The first cells of all tables of a page, heads and rules left out."""
    cells = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    rules = {index for index, cell in enumerate(cells) if cell == "---"}
    return [cell for index, cell in enumerate(cells) if index not in rules and index + 1 not in rules]


def expected_names() -> list[str]:
    """What `row_names` of the page must be."""
    return [*(scenario.name for scenario in SCENARIOS), *DURABILITIES, _outage_name()]


def _outage_name() -> str:
    return f"{outage.EVENTS:,} events"


def _matrix(world: World, folder: Path) -> str:
    def row(numbered: tuple[int, Scenario]) -> list[object]:
        number, scenario = numbered
        _say(scenario.name)
        outcome = matrix.run(scenario, world, folder / f"row-{number}")
        left = [("dead letter", scenario.rejected), ("waits", scenario.kept)]
        return [
            scenario.name,
            outcome.made,
            outcome.stored,
            outcome.twice,
            ", ".join(f"{count} {what}" for what, count in left if count),
            outcome.sent_again,
            f"{outcome.seconds:.1f}",
        ]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        rows = list(pool.map(row, enumerate(SCENARIOS)))
    return markdown(["fault", "events made", "stored", "twice", "left", "sent again", "seconds"], rows)


def _kills(world: World, folder: Path) -> str:
    rows: list[Sequence[object]] = []
    for durability in DURABILITIES:
        _say(f"kill -9, {durability}")
        toll = kills.run(durability, KILLS, world, folder / durability, seed=1)
        oldest = f"{max(toll.missing) * 1000:.0f}" if toll.missing else ""
        rows.append([durability, toll.kills, toll.returned, len(toll.missing), oldest, toll.twice])
    return markdown(["`PAYI_DURABILITY`", "kills", "calls returned", "missing", "oldest", "twice"], rows)


def _outage(world: World, folder: Path) -> str:
    _say("outage")
    came = outage.run(world, folder / "outage")
    growth = f"{came.growth / 1024**2:.1f} MB"
    counts = [f"{count:,}" for count in (came.waiting, came.stored, came.twice)]
    row = [_outage_name(), *counts, growth, f"{came.seconds:.0f}"]
    return markdown(["made", "waiting at the end", "stored", "twice", "growth", "seconds"], [row])


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> None:
    """Run everything and write the page."""
    with running_world() as world, tempfile.TemporaryDirectory(prefix="payi-faults-") as folder:
        text = _TEXT.format(
            matrix=_matrix(world, Path(folder)),
            kills=_kills(world, Path(folder)),
            outage=_outage(world, Path(folder)),
            threads=kills.THREADS,
            compressed=f"{outage.PER_S / outage.CALLS_PER_S:.0f}",
        )
    PATH.write_text(text)


if __name__ == "__main__":
    main()
