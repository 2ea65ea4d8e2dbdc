"""The first page: what everything cost over time, whether it worked, and what needs a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from payi_otel.server.portal.charts import Chart, bars, time_series
from payi_otel.server.portal.filters import Filters, FiltersOf
from payi_otel.server.portal.formats import CALLS, MILLISECONDS, MONEY, TOKENS, change
from payi_otel.server.portal.navigation import NavItem
from payi_otel.server.portal.rendering import base_of, page
from payi_otel.server.portal.viewer import StoreOf, Viewer, ViewerOf
from payi_otel.server.store import overview
from payi_otel.server.store.overview import Sums, Top

router = APIRouter()
NAV = NavItem("/", "Overview")


@dataclass(frozen=True, slots=True)
class _Steps:
    """The sums of each step of the charts."""

    times: Sequence[datetime]
    sums: Sequence[Sums]


@router.get("/")
def show(request: Request, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """The whole page but its users and accounts, which take longer and follow."""
    before = filters.previous
    with store.read() as connection:
        hours = overview.by_hour(connection, viewer.application_id, before.start, filters.end)
        tops = {
            title: overview.top(connection, viewer.application_id, filters.start, filters.end, dimension)
            for title, dimension in (("use case", "use_case_name"), ("resource", "resource"))
        }
        limits = overview.nearly_spent(connection, viewer.application_id)
        unpriced = overview.unpriced(connection, viewer.application_id, filters.start, filters.end)
        warned = overview.warned(connection, viewer.application_id)
    total = sum((sums for hour, sums in hours if hour >= filters.start), Sums())
    earlier = sum((sums for hour, sums in hours if hour < filters.start), Sums())
    steps = _steps(filters, hours)
    return page(
        request,
        "overview.html",
        viewer,
        filters=filters,
        server_url=str(request.base_url).removesuffix("/").removesuffix(base_of(request)),
        total=total,
        changes={
            name: change(getattr(earlier, name), getattr(total, name))
            for name in ("cost", "calls", "failures", "average_latency_ms", "input_tokens", "output_tokens")
        },
        charts=_charts(filters, steps),
        tops=[_top(title, found) for title, found in tops.items()],
        limits=limits,
        unpriced=unpriced,
        warned=warned,
    )


@router.get("/overview/people")
def people(request: Request, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """The users and accounts that cost most."""
    return page(request, "overview_people.html", viewer, tops=_people(viewer, store, filters))


def _people(viewer: Viewer, store: StoreOf, filters: Filters) -> list[Chart]:
    with store.read() as connection:
        return [
            _top(
                title, overview.top(connection, viewer.application_id, filters.start, filters.end, dimension)
            )
            for title, dimension in (("user", "user_id"), ("account", "account_name"))
        ]


def _steps(filters: Filters, hours: Sequence[tuple[datetime, Sums]]) -> _Steps:
    found = dict.fromkeys(filters.buckets(), Sums())
    for hour, sums in hours:
        if hour >= filters.start:
            bucket = filters.bucket(hour)
            found[bucket] = found.get(bucket, Sums()) + sums
    times = sorted(found)
    return _Steps(times, [found[at] for at in times])


def _charts(filters: Filters, steps: _Steps) -> list[Chart]:
    return [
        time_series(
            "Spend",
            steps.times,
            {"Spend": [sums.cost for sums in steps.sums]},
            MONEY,
            step=filters.step,
            kind="bars",
        ),
        time_series(
            "Calls",
            steps.times,
            {
                "Succeeded": [sums.calls - sums.failures for sums in steps.sums],
                "Failed": [sums.failures for sums in steps.sums],
            },
            CALLS,
            step=filters.step,
            kind="stacked",
            tones={"Failed": "bad"},
        ),
        time_series(
            "Latency",
            steps.times,
            {"Average": [sums.average_latency_ms for sums in steps.sums]},
            MILLISECONDS,
            step=filters.step,
        ),
        time_series(
            "Tokens",
            steps.times,
            {
                "Input": [sums.input_tokens for sums in steps.sums],
                "Output": [sums.output_tokens for sums in steps.sums],
            },
            TOKENS,
            step=filters.step,
            kind="stacked",
        ),
    ]


def _top(title: str, found: Sequence[Top]) -> Chart:
    named = {one.name or f"(no {title})": one.sums.cost for one in found}
    return bars(f"Top {title}s by spend", named, MONEY, of=title)
