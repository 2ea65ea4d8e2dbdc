"""What the self-hosted server knows after the demo, and the tables that show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import httpx2

from payi_otel.delivery.ledger import Status
from payi_otel.demo.wire import Json, items, mapping


@dataclass(frozen=True, slots=True)
class KpiResult:
    """The average score of a KPI, None without any, against its goal."""

    name: str
    kpi_type: str
    average: float | None
    goal: float | None


@dataclass(frozen=True, slots=True)
class UseCaseResult:
    """What one use case cost in US dollars, how often it called a model, and what came of it."""

    name: str
    instances: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost: float
    kpis: tuple[KpiResult, ...]


def read_summary(url: str, api_key: str) -> tuple[UseCaseResult, ...]:
    """What each use case cost and earned, from the self-hosted server at `url`.

    Raises `httpx2.HTTPError` when the server does not answer.
    """
    answer = httpx2.get(f"{url}/api/v1/local/summary", headers={"xProxy-api-key": api_key}, timeout=10.0)
    answer.raise_for_status()
    body = cast(Json, answer.json())
    return tuple(_use_case(mapping(entry)) for entry in items(body.get("use_cases")))


def _use_case(entry: Json) -> UseCaseResult:
    kpis = [mapping(kpi) for kpi in items(entry.get("kpis"))]
    return UseCaseResult(
        name=str(entry["use_case_name"]),
        instances=int(entry["instances"]),
        calls=int(entry["calls"]),
        input_tokens=int(entry["input_tokens"]),
        output_tokens=int(entry["output_tokens"]),
        cost=float(entry["cost"]),
        kpis=tuple(
            KpiResult(str(kpi["name"]), str(kpi["kpi_type"]), kpi["average"], kpi["goal"]) for kpi in kpis
        ),
    )


def use_case_table(results: Sequence[UseCaseResult]) -> str:
    """Cost, tokens, calls and KPIs against goal, one line per use case and further KPI."""
    rows: list[tuple[str, ...]] = [
        ("use case", "runs", "calls", "tokens in", "out", "cost $", "KPI", "average", "goal", "")
    ]
    for result in results:
        numbers = (
            result.name,
            str(result.instances),
            str(result.calls),
            f"{result.input_tokens:,}",
            f"{result.output_tokens:,}",
            f"{result.cost:.6f}",
        )
        shown = [_kpi_cells(kpi) for kpi in result.kpis] or [("", "", "", "")]
        rows.append((*numbers, *shown[0]))
        rows += [("",) * len(numbers) + cells for cells in shown[1:]]
    total = ("total", *(f"{sum(column):,}" for column in _columns(results)))
    rows.append((*total, f"{sum(result.cost for result in results):.6f}", "", "", "", ""))
    return _table(rows, left={0, 6, 9})


def ledger_line(status: Status) -> str:
    """The ledger's counts in one line, and the reasons where something was lost."""
    values: dict[str, Any] = {field.name: getattr(status, field.name) for field in fields(status)}
    always = ("seen", "delivered", "queued", "estimated", "rejected", "dropped")
    shown = {name: value for name, value in values.items() if name in always or value}
    return "  ".join(f"{name}={value}" for name, value in shown.items())


def _kpi_cells(kpi: KpiResult) -> tuple[str, str, str, str]:
    goal = "" if kpi.goal is None else _number(kpi.goal)
    if kpi.average is None:
        return kpi.name, "-", goal, "no score"
    met = kpi.goal is None or kpi.average >= kpi.goal
    return kpi.name, _number(kpi.average), goal, "met" if met else "missed"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _columns(results: Sequence[UseCaseResult]) -> Iterable[tuple[int, ...]]:
    return zip(
        *((result.instances, result.calls, result.input_tokens, result.output_tokens) for result in results),
        strict=True,
    )


def _table(rows: Sequence[Sequence[str]], left: set[int]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
