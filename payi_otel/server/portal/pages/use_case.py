"""One use case over time: what it cost, whether it worked, how long it took, and by what that can be told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from payi_otel.server.api.context import Segment
from payi_otel.server.portal.charts import Chart, Mark, bars, time_series
from payi_otel.server.portal.filters import Filters, FiltersOf
from payi_otel.server.portal.formats import CALLS, MILLISECONDS, MONEY, TOKENS, change
from payi_otel.server.portal.rendering import page
from payi_otel.server.portal.viewer import StoreOf, ViewerOf
from payi_otel.server.store import insights, insights_instances, use_cases, value_totals, values
from payi_otel.server.store.figures import Figures, added
from payi_otel.server.store.insights import Scope
from payi_otel.server.store.insights_instances import InstanceFilter
from payi_otel.server.store.kpi_insights_options import property_values

router = APIRouter()

_MOST_BARS = 8
_P50, _P95 = 0.5, 0.95


@dataclass(frozen=True, slots=True)
class Row:
    """A version or a model in a table, with percentiles in milliseconds."""

    name: str
    figures: Figures

    @property
    def p50(self) -> float | None:
        """Half of the calls took no longer."""
        return self.figures.latency.quantile(_P50)

    @property
    def p95(self) -> float | None:
        """Of twenty calls nineteen took no longer."""
        return self.figures.latency.quantile(_P95)

    @property
    def cost_per_call(self) -> Any:
        """In US dollars."""
        return self.figures.cost / self.figures.calls if self.figures.calls else None


def scope_of(name: str, filters: Filters) -> Scope:
    """The requests of a use case that a page's address asks for."""
    return Scope(filters.start, filters.end, name, filters.version)


@router.get("/use-cases/{name}")
def show(request: Request, name: Segment, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """The figures over time and by version and model; who and what else they were for follows."""
    application, scope, begins = viewer.application_id, scope_of(name, filters), filters.buckets()
    before = filters.previous
    with store.read() as connection:
        use_case = use_cases.get(connection, application, name)
        first_calls = insights.first_calls(connection, application, name)
        versions = insights.series_by(connection, application, scope, "version", begins)
        earlier = insights.totals(connection, application, scope_of(name, before), latencies=False)
        by_resource = insights.breakdown(connection, application, scope, "resource", latencies=True)
        instances = insights_instances.count(connection, use_case.id, _instances(filters))
        properties = property_values(connection, use_case.id, filters.end)
    # All else about time and versions follows from the versions over time: histograms take long to read.
    nothing = [Figures()] * len(begins)
    steps = [added(figures) for figures in zip(nothing, *versions.values(), strict=True)]
    total = added(steps)
    marks = [
        Mark(at.astimezone(filters.zone), f"v{version}")
        for version, at in first_calls.items()
        if version > min(first_calls) and filters.start <= at < filters.end
    ]
    return page(
        request,
        "use_case.html",
        viewer,
        filters=filters,
        use_case=use_case,
        tab="overview",
        total=total,
        row=Row("", total),
        changes={
            "cost": change(earlier.cost, total.cost),
            "calls": change(earlier.calls, total.calls),
        },
        instances=instances,
        versions=list(first_calls),
        charts=_charts(filters, begins, steps, versions, marks),
        by_version=[Row(f"Version {key[0]}", added(versions[key])) for key in sorted(versions, key=_number)],
        by_resource=[Row(part.key[1] or part.key[0], part.figures) for part in by_resource],
        properties=sorted(properties),
    )


@router.get("/use-cases/{name}/parts")
def parts(request: Request, name: Segment, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """What it cost by step, user, account and property: bars, which take longer."""
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        charts = [
            _bars(
                title,
                [
                    (part.key[0], part.figures.cost)
                    for part in insights.breakdown(
                        connection, viewer.application_id, scope_of(name, filters), title
                    )
                ],
            )
            for title in ("step", "user", "account")
        ]
        charts += [
            _bars(
                one,
                [
                    (part.value, part.cost)
                    for part in insights_instances.by_property(
                        connection, use_case.id, _instances(filters), one
                    )
                ],
            )
            for one in property_values(connection, use_case.id, filters.end)
        ]
    return page(request, "use_case_parts.html", viewer, charts=charts)


@router.get("/use-cases/{name}/value")
def value(request: Request, name: Segment, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """What its instances were worth, which takes longer."""
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        policy = values.find(connection, use_case)
        worth = None
        if policy is not None:
            worth = value_totals.of_use_case(connection, use_case, policy, filters.start, filters.end)
    return page(request, "use_case_value.html", viewer, use_case=use_case, worth=worth)


def _instances(filters: Filters) -> InstanceFilter:
    return InstanceFilter(filters.start, filters.end, filters.version)


def _charts(
    filters: Filters,
    begins: Sequence[datetime],
    steps: Sequence[Figures],
    versions: Mapping[tuple[Any, ...], Sequence[Figures]],
    marks: Sequence[Mark],
) -> list[Chart]:
    def over_time(
        title: str, series: Mapping[str, Callable[[Figures], Any]], unit: Any, **options: Any
    ) -> Chart:
        numbers = {name: [number(one) for one in steps] for name, number in series.items()}
        return time_series(title, begins, numbers, unit, step=filters.step, marks=marks, **options)

    spend = {
        f"Version {key[0]}": [one.cost for one in figures]
        for key, figures in sorted(versions.items(), key=lambda item: _number(item[0]))
    }
    return [
        time_series(
            "Spend by version" if len(spend) > 1 else "Spend",
            begins,
            spend or {"Spend": [one.cost for one in steps]},
            MONEY,
            step=filters.step,
            kind="stacked",
            marks=marks,
        ),
        over_time(
            "Calls",
            {"Succeeded": lambda one: one.calls - one.failures, "Failed": lambda one: one.failures},
            CALLS,
            kind="stacked",
            tones={"Failed": "bad"},
        ),
        over_time(
            "Latency",
            {
                "p95": lambda one: one.latency.quantile(_P95),
                "p50": lambda one: one.latency.quantile(_P50),
                "p50 to the first token": lambda one: one.first_token.quantile(_P50),
            },
            MILLISECONDS,
        ),
        over_time(
            "Tokens",
            {"Input": lambda one: one.input_tokens, "Output": lambda one: one.output_tokens},
            TOKENS,
            kind="stacked",
        ),
    ]


def _number(key: tuple[Any, ...]) -> int:
    return key[0] or 0


def _bars(of: str, found: Sequence[tuple[str | None, Any]]) -> Chart:
    named = {name or f"(no {of})": cost for name, cost in found[:_MOST_BARS]}
    if len(found) > _MOST_BARS:
        named[f"{len(found) - _MOST_BARS:,} others"] = sum(cost for _, cost in found[_MOST_BARS:])
    return bars(f"Spend by {of}", named, MONEY, of=of)
