"""The table, in Markdown."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from peers.contenders import BARE, CONTENDERS, OFFICIAL, OURS, SPAN, Contender
from peers.environments import versions
from peers.measure import (
    CALLS,
    CHAT,
    FEWER_BLOCKS,
    LATENCY_CALLS,
    STREAMS,
    Measurements,
    Values,
    added,
    difference_is_chance,
)

NOTHING = "-"
_LATENCY_STATES = ("healthy", "hung", "refusing")


def render(results: Measurements, pythons: Mapping[str, Path], command: str) -> str:
    """All of it."""
    parts = [_head(results, command), _calls(results), _latency(results)]
    if results.memory:
        parts.append(_memory(results))
    return "\n\n".join([*parts, _versions(pythons), _remarks(results)]) + "\n"


def _head(results: Measurements, command: str) -> str:
    day = datetime.now(timezone.utc).date().isoformat()
    load = os.getloadavg()[0]
    return (
        "# What instrumentation costs the caller\n\n"
        f"Written by `{command}` on {day}: {os.cpu_count()} x {_processor()}, {platform.system()}, CPython "
        f"{platform.python_version()}, load {load:.1f} at the end.\n\n"
        f"Every number is the median of {results.blocks} blocks ({FEWER_BLOCKS} for single calls, import and "
        "instrumenting), ± half the spread of the middle half. In each block every contender does the same work once, "
        "in another order, in a process and an environment of its own; what is added is the difference to the bare "
        "SDK in the same block. The vendor is an in-process transport without "
        "latency. CPU time is the calling thread's; *with its threads* adds what the contender does in the background."
    )


def _calls(results: Measurements) -> str:
    shown = CONTENDERS[1:]
    rows = [_bare_row(results, shown)]
    for scenario in CALLS:
        caller = added(results.caller[scenario.title])
        floor = caller[SPAN.name][0]
        rows.append((f"{scenario.title}: CPU added, µs", [_spread(caller, one) for one in shown]))
        rows.append(
            ("- as a multiple of the hand-written span", [_ratio(caller, one, floor) for one in shown])
        )
        process = added(results.process[scenario.title])
        rows.append(("- with its threads, µs", [_spread(process, one) for one in shown]))
        wall = added(results.wall[scenario.title])
        rows.append(("- wall time added, µs", [_spread(wall, one) for one in shown]))
    for scenario in STREAMS:
        chunk = added(results.chunk[scenario.title])
        rows.append((f"{scenario.title}: CPU added, µs", [_spread(chunk, one, 2) for one in shown]))
    kept = _kept(results.throughput)
    rows.append(
        (
            "50 async calls at once: calls per CPU second, of bare",
            [kept.get(one.name, NOTHING) for one in shown],
        )
    )
    for what, title in (
        ("import", "import, on top of OTel's SDK"),
        ("instrument", "instrumenting, on top of both SDKs"),
    ):
        values = results.start[what]
        cells = [
            f"{statistics.median(values[one.name]):.0f}" if one.name in values else NOTHING for one in shown
        ]
        rows.append((f"{title}: CPU, ms", cells))
    return "## Calls\n\n" + _table(["", *(one.title for one in shown)], rows)


def _bare_row(results: Measurements, shown: Sequence[Contender]) -> tuple[str, list[str]]:
    bare = statistics.median(results.caller[CHAT.title][BARE.name])
    return f"(a bare OpenAI chat takes {bare:,.0f} µs)", ["" for _ in shown]


def _latency(results: Measurements) -> str:
    names = [BARE.name]
    names += [f"{one.name}, {state}" for one in (OURS, OFFICIAL) for state in _LATENCY_STATES]
    rows: list[tuple[str, list[str]]] = []
    for name in names:
        values = results.latency[name]
        contender, _, state = name.partition(", ")
        title = next(one.title for one in CONTENDERS if one.name == contender) + (
            f", Pay-i {state}" if state else ""
        )
        cells = [_plain(values[what]) for what in ("mean", "p50", "p99")]
        cells.append(_chance(results, contender, state))
        rows.append(
            (title, [f"> {cell}" if name in results.failed else cell for cell in cells[:3]] + cells[3:])
        )
    head = (
        "## A single call while Pay-i is healthy, hung and refusing\n\n"
        f"Milliseconds of wall time, {LATENCY_CALLS} calls a block. The last column: how often chance alone makes the "
        "means of the p99s differ as much from *healthy* (a permutation test); below 0.05 there is a difference.\n\n"
    )
    return head + _table(["", "mean", "p50", "p99", "p of a difference at p99"], rows)


def _chance(results: Measurements, contender: str, state: str) -> str:
    name = f"{contender}, {state}"
    if state in {"", "healthy"} or name in results.failed:
        return NOTHING
    healthy = results.latency[f"{contender}, healthy"]["p99"]
    return f"{difference_is_chance(healthy, results.latency[name]['p99']):.2f}"


def _memory(results: Measurements) -> str:
    marks = sorted(results.memory[BARE.name])
    rows: list[tuple[str, list[str]]] = []
    for name, sizes in results.memory.items():
        title = next(one.title for one in CONTENDERS if one.name == name)
        rows.append((title, [f"{sizes[mark]:.1f}" for mark in marks]))
    return "## Resident memory, MiB\n\n" + _table(["after calls", *(f"{mark:,}" for mark in marks)], rows)


def _versions(pythons: Mapping[str, Path]) -> str:
    told: list[str] = []
    for contender in CONTENDERS:
        if contender.shown:
            found = versions(pythons[contender.name], contender.shown)
            told.append(
                f"{contender.title}: " + ", ".join(f"{name} {version}" for name, version in found.items())
            )
    return "## Versions\n\n" + "\n".join(f"- {line}" for line in told)


def _remarks(results: Measurements) -> str:
    lines = [
        "The hand-written span sets 12 attributes, one by one; all spans go in batches to an exporter that does "
        "nothing.",
        "payi_otel beside a tracer: the application has a tracer provider of its own, as it must have for the peers, "
        "and gets a span of each call from us. Without one there are events only.",
        "Content is off where there is a switch: Logfire and Langfuse have none and record prompts and answers.",
        "Ours and the official SDK deliver over loopback to a service that takes everything. The official SDK's "
        "tokenizer is replaced by one that does nothing, since it downloads its vocabulary.",
        "Anthropic's own tracing is off everywhere. Langfuse does not instrument Anthropic; Logfire tries to, and "
        "records nothing with this version.",
    ]
    lines += [f"{name}: {reason}." for name, reason in results.failed.items()]
    return "## Remarks\n\n" + "\n".join(f"- {line}" for line in lines)


def _kept(throughput: Values) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name, values in throughput.items():
        shares = [own / bare * 100 for own, bare in zip(values, throughput[BARE.name], strict=False)]
        kept[name] = f"{statistics.median(shares):.0f} %"
    return kept


def _ratio(values: Mapping[str, tuple[float, float]], contender: Contender, floor: float) -> str:
    return f"{values[contender.name][0] / floor:.2f}" if contender.name in values and floor > 0 else NOTHING


def _spread(values: Mapping[str, tuple[float, float]], contender: Contender, digits: int = 0) -> str:
    if contender.name not in values:
        return NOTHING
    middle, spread = values[contender.name]
    return f"{middle:,.{digits}f} ± {spread:,.{digits}f}"


def _plain(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.2f}"


def _table(head: Sequence[str], rows: Sequence[tuple[str, list[str]]]) -> str:
    lines = [_line(head), _line(["---", *("--:" for _ in head[1:])])]
    return "\n".join([*lines, *(_line([title, *cells]) for title, cells in rows)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            found = next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
    return found
