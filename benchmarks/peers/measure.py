"""The measurements: in every block each contender once, in another order each time."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from peers.contenders import BARE, CONTENDERS, OFFICIAL, OURS, SPAN, TRACED
from peers.processes import Child, TooLong, bound, children, environment, sink

MICRO = 1e6
Values = dict[str, list[float]]
"""By contender, a value of each block."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Work of one kind: `arguments` of the child's method `do`, and how many units are divided by."""

    title: str
    do: str
    arguments: Mapping[str, int]
    anthropic: bool = False

    @property
    def calls(self) -> int:
        return self.arguments["calls"]


CHAT = Scenario("OpenAI chat, short prompt", "chat", {"calls": 60})
CALLS = (
    CHAT,
    Scenario("OpenAI chat, prompt of 20 kB", "chat", {"calls": 60, "prompt": 20_000}),
    Scenario("Anthropic message", "message", {"calls": 60}, anthropic=True),
)
STREAMS = (
    Scenario("chunk of a stream", "stream", {"calls": 10}),
    Scenario("chunk, async", "stream_async", {"calls": 10}),
)
CONCURRENT = Scenario("50 async calls at once", "concurrent", {"calls": 200})
FEW_CHUNKS, MANY_CHUNKS = 20, 420
LATENCY_CALLS = 200
HUNG_CALLS, HUNG_TIMEOUT_S = 2, 30.0
# Of what takes seconds each time.
FEWER_BLOCKS = 7


class Measurements:
    """What was measured, by block."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.caller: dict[str, Values] = {}
        self.process: dict[str, Values] = {}
        self.wall: dict[str, Values] = {}
        self.chunk: dict[str, Values] = {}
        self.throughput: Values = {}
        self.start: dict[str, Values] = {"import": {}, "instrument": {}}
        self.latency: dict[str, dict[str, list[float]]] = {}
        self.memory: dict[str, dict[int, float]] = {}
        self.failed: dict[str, str] = {}


def measure_calls(pythons: Mapping[str, Path], results: Measurements) -> None:
    """CPU and wall time of calls, chunks, and fifty calls at once."""
    with sink() as url, children(pythons, {one.name: (one.name, url) for one in CONTENDERS}) as running:
        for scenario in CALLS:
            asked = {one.name for one in CONTENDERS if one.anthropic or not scenario.anthropic}

            def calls(name: str, child: Child, scenario: Scenario = scenario) -> None:
                numbers = child.ask(scenario.do, **scenario.arguments)
                for kept, what in (
                    (results.caller, "caller"),
                    (results.process, "process"),
                    (results.wall, "wall"),
                ):
                    values = kept.setdefault(scenario.title, {}).setdefault(name, [])
                    values.append(numbers[what] / scenario.calls * MICRO)

            _blocks(
                results,
                running,
                asked,
                calls,
                lambda child, scenario=scenario: child.ask(scenario.do, calls=20),
            )
        for scenario in STREAMS:

            def chunks(name: str, child: Child, scenario: Scenario = scenario) -> None:
                few, many = (
                    child.ask(scenario.do, **scenario.arguments, chunks=count)["caller"]
                    for count in (FEW_CHUNKS, MANY_CHUNKS)
                )
                # What a call costs besides its chunks is in both.
                per_chunk = (many - few) / scenario.calls / (MANY_CHUNKS - FEW_CHUNKS)
                results.chunk.setdefault(scenario.title, {}).setdefault(name, []).append(per_chunk * MICRO)

            _blocks(
                results, running, set(running), chunks,
                lambda child, scenario=scenario: child.ask(scenario.do, calls=2, chunks=MANY_CHUNKS),
            )  # fmt: skip

        def concurrent(name: str, child: Child) -> None:
            numbers = child.ask(CONCURRENT.do, **CONCURRENT.arguments)
            # All threads' CPU time: what else runs on the machine is not the contender's.
            results.throughput.setdefault(name, []).append(CONCURRENT.calls / numbers["process"])

        _blocks(results, running, set(running), concurrent, lambda child: child.ask("concurrent", calls=50))


def _blocks(
    results: Measurements,
    running: dict[str, Child],
    asked: set[str],
    work: Callable[[str, Child], None],
    warm_up: Callable[[Child], object],
) -> None:
    """Warm up, then all blocks. One whose process dies is out, and the table says so."""
    for block in range(-1, results.blocks):
        _progress(".")
        for name in random.sample(sorted(asked & running.keys()), len(asked & running.keys())):
            try:
                if block < 0:
                    warm_up(running[name])
                else:
                    work(name, running[name])
            except (RuntimeError, TooLong, BrokenPipeError) as error:
                results.failed[name] = str(error)
                del running[name]


def measure_latency(pythons: Mapping[str, Path], results: Measurements) -> None:
    """Milliseconds of single calls while the service is healthy, hung and refuses connections."""
    with sink() as healthy, bound(accepts=True) as hung, bound(accepts=False) as refusing:
        services = {"healthy": healthy, "hung": hung, "refusing": refusing}
        urls = {"bare": (BARE.name, healthy)}
        for contender in (OURS, OFFICIAL):
            urls |= {f"{contender.name}, {state}": (contender.name, url) for state, url in services.items()}
        with children(pythons, urls) as running:
            for block in range(-1, FEWER_BLOCKS):
                _progress(".")
                for name in random.sample(sorted(running), len(running)):
                    _latency(name, running, results, counted=block >= 0)


def _latency(name: str, running: dict[str, Child], results: Measurements, *, counted: bool) -> None:
    patient = not name.startswith(OFFICIAL.name) or name.endswith("healthy")
    calls = LATENCY_CALLS if patient else HUNG_CALLS
    try:
        numbers = running[name].ask("latency", timeout_s=HUNG_TIMEOUT_S, calls=calls)
    except TooLong:
        del running[name]
        numbers = dict.fromkeys(("mean", "p50", "p99"), HUNG_TIMEOUT_S / calls * 1000)
        results.failed[name] = f"{calls} calls took longer than {HUNG_TIMEOUT_S:.0f} s"
        counted = True
    if counted:
        for what, value in numbers.items():
            results.latency.setdefault(name, {}).setdefault(what, []).append(value)


def measure_start(pythons: Mapping[str, Path], results: Measurements) -> None:
    """Milliseconds of CPU for importing and instrumenting, each time in a new process.

    What the first one of each compiles is there for the others, and it does not count.
    """
    for block in range(FEWER_BLOCKS + 1):
        _progress(".")
        for contender in random.sample(CONTENDERS[2:], len(CONTENDERS) - 2):
            printed = subprocess.run(
                [pythons[contender.name], "-m", "peers.start", contender.name],
                env=environment(""),
                cwd=Path(__file__).parents[1],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for what, seconds in json.loads(printed.splitlines()[-1]).items() if block else ():
                results.start[what].setdefault(contender.name, []).append(seconds * 1000)


def measure_memory(pythons: Mapping[str, Path], results: Measurements, marks: Sequence[int]) -> None:
    """MiB resident after so many calls: bare, with a span, and with ours."""
    names = (BARE.name, SPAN.name, OURS.name, TRACED.name)
    with sink() as url, children(pythons, {name: (name, url) for name in names}) as running:

        def grow(name: str) -> dict[int, float]:
            sizes: dict[int, float] = {}
            for before, mark in zip((0, *marks), marks, strict=False):
                sizes[mark] = running[name].ask("memory", timeout_s=3600.0, calls=mark - before)["rss"]
                _progress(".")
            return sizes

        # At the same time: it is memory that is measured.
        with ThreadPoolExecutor() as pool:
            results.memory = dict(zip(names, pool.map(grow, names), strict=True))


def added(values: Values, to: str = BARE.name) -> dict[str, tuple[float, float]]:
    """By contender, how much more than `to` in the same block: the median, and half the spread of the middle half."""
    base = values[to]
    told: dict[str, tuple[float, float]] = {}
    for name, own in values.items():
        # One that dropped out has fewer blocks.
        more = [one - plain for one, plain in zip(own, base, strict=False)]
        low, middle, high = statistics.quantiles(more, n=4) if len(more) > 1 else (more[0],) * 3
        told[name] = middle, (high - low) / 2
    return told


def difference_is_chance(one: Sequence[float], other: Sequence[float], rounds: int = 10_000) -> float:
    """How often means at least this far apart come about by chance alone (a permutation test)."""
    chance = random.Random(7)
    mixed = [*one, *other]
    seen = abs(statistics.fmean(one) - statistics.fmean(other))
    reached = 0
    for _ in range(rounds):
        chance.shuffle(mixed)
        apart = statistics.fmean(mixed[: len(one)]) - statistics.fmean(mixed[len(one) :])
        reached += abs(apart) >= seen
    return reached / rounds


def _progress(mark: str) -> None:
    print(mark, end="", file=sys.stderr, flush=True)
