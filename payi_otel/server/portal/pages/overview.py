"""The first page: what everything cost over time, whether it worked, and what needs a look."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.responses import Response

from payi_otel.server.portal.charts import Chart, bars, time_series
from payi_otel.server.portal.filters import Filters, FiltersOf
from payi_otel.server.portal.formats import CALLS, MILLISECONDS, MONEY, TOKENS, change
from payi_otel.server.portal.navigation import NavItem
from payi_otel.server.portal.rendering import base_of, page
from payi_otel.server.portal.viewer import StoreOf, Viewer, ViewerOf
from payi_otel.server.store import insights, overview
from payi_otel.server.store.figures import Figures, Part
from payi_otel.server.store.insights import Scope

router = APIRouter()
NAV = NavItem("/", "Overview")

_MOST = 5


@router.get("/")
def show(request: Request, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """The whole page but its users and accounts, which follow."""
    times = filters.buckets()
    before = filters.previous
    now, earlier = Scope(filters.start, filters.end), Scope(before.start, before.end)
    mine = viewer.application_id
    with store.read() as connection:
        total = insights.totals(connection, mine, now)
        previous = insights.totals(connection, mine, earlier)
        steps = insights.series(connection, mine, now, times)
        use_cases = insights.breakdown(connection, mine, now, "use_case")
        resources = insights.breakdown(connection, mine, now, "resource")
        limits = overview.nearly_spent(connection, mine)
        warnings = overview.warnings(connection, mine)
    return page(
        request,
        "overview.html",
        viewer,
        filters=filters,
        server_url=str(request.base_url).removesuffix("/").removesuffix(base_of(request)),
        total=total,
        changes=_changes(previous, total),
        charts=[
            _spend(filters, steps),
            _calls(filters, steps),
            _latency(filters, steps),
            _tokens(filters, steps),
        ],
        tops=[_top("use case", use_cases, base_of(request) + "/use-cases/"), _top("resource", resources)],
        limits=limits,
        unpriced=[part for part in resources if part.figures.unpriced][:_MOST],
        warnings=warnings,
    )


@router.get("/overview/people")
def people(request: Request, viewer: ViewerOf, store: StoreOf, filters: FiltersOf) -> Response:
    """The users and accounts that cost most."""
    with store.read() as connection:
        tops = [_top(by, _people(connection, viewer, filters, by)) for by in ("user", "account")]
    return page(request, "overview_people.html", viewer, tops=tops)


def _people(connection: Connection, viewer: Viewer, filters: Filters, by: str) -> Sequence[Part]:
    return insights.breakdown(connection, viewer.application_id, Scope(filters.start, filters.end), by)


def _changes(before: Figures, after: Figures) -> dict[str, str | None]:
    return {
        "cost": change(before.cost, after.cost),
        "calls": change(before.calls, after.calls),
        "failures": change(before.failures, after.failures),
        "p50": change(before.latency.quantile(0.5), after.latency.quantile(0.5)),
        "p95": change(before.latency.quantile(0.95), after.latency.quantile(0.95)),
        "first_token": change(before.first_token.quantile(0.5), after.first_token.quantile(0.5)),
        "input_tokens": change(before.input_tokens, after.input_tokens),
        "output_tokens": change(before.output_tokens, after.output_tokens),
    }


def _spend(filters: Filters, steps: Sequence[Figures]) -> Chart:
    spend = {"Spend": [one.cost for one in steps]}
    return time_series("Spend", filters.buckets(), spend, MONEY, step=filters.step, kind="bars")


def _calls(filters: Filters, steps: Sequence[Figures]) -> Chart:
    calls = {
        "Succeeded": [one.calls - one.failures for one in steps],
        "Failed": [one.failures for one in steps],
    }
    return time_series(
        "Calls", filters.buckets(), calls, CALLS, step=filters.step, kind="stacked", tones={"Failed": "bad"}
    )


def _latency(filters: Filters, steps: Sequence[Figures]) -> Chart:
    durations = {
        "Typical (p50)": [one.latency.quantile(0.5) for one in steps],
        "Slow (p95)": [one.latency.quantile(0.95) for one in steps],
        "First token (p50)": [one.first_token.quantile(0.5) for one in steps],
    }
    return time_series("Latency", filters.buckets(), durations, MILLISECONDS, step=filters.step)


def _tokens(filters: Filters, steps: Sequence[Figures]) -> Chart:
    tokens = {
        "Input": [one.input_tokens for one in steps],
        "Output": [one.output_tokens for one in steps],
    }
    return time_series("Tokens", filters.buckets(), tokens, TOKENS, step=filters.step, kind="stacked")


def _top(title: str, parts: Sequence[Part], below: str = "") -> Chart:
    """What cost most; `below` is what the paths of their own pages begin with."""
    shown = parts[:_MOST]
    named = {str(part.key[-1] or f"(no {title})"): part.figures.cost for part in shown}
    links = {part.key[-1]: below + quote(part.key[-1], safe="") for part in shown if below and part.key[-1]}
    return bars(f"Top {title}s by spend", named, MONEY, of=title, links=links)
