"""Requests of a use case, and one with all that is known of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from payi_otel.server.api.context import Segment
from payi_otel.server.errors import ApiError
from payi_otel.server.portal.filters import FiltersOf
from payi_otel.server.portal.rendering import page
from payi_otel.server.portal.viewer import StoreOf, ViewerOf
from payi_otel.server.store import insights, insights_requests, limit_counts, limits, resources, use_cases
from payi_otel.server.store.costing import price_key, single_prices
from payi_otel.server.store.insights_requests import RequestFilter

router = APIRouter()

_AT_ONCE = 50
_LONGEST_SHOWN = 200_000
_HEADERS = {
    "provider_request_headers": "Headers of the request",
    "provider_response_headers": "Headers of the response",
}
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class UnitLine:
    """How much of a unit went in or out, what a single one costs and what all of them do; None without a price."""

    name: str
    direction: str
    number: int
    single: Decimal | None

    @property
    def per_million(self) -> Decimal | None:
        """US dollars for a million."""
        return None if self.single is None else self.single * _MILLION

    @property
    def cost(self) -> Decimal | None:
        """US dollars for all of them."""
        return None if self.single is None else self.single * self.number


@dataclass(frozen=True, slots=True)
class Said:
    """A part of what was said, pretty-printed where it is JSON."""

    title: str
    text: str
    is_cut: bool


@router.get("/use-cases/{name}/requests")
def show_all(
    request: Request, name: Segment, viewer: ViewerOf, store: StoreOf, filters: FiltersOf
) -> Response:
    """The requests of a time, the latest first; `q` finds an id, a user, a step or a resource, `failed=1` failures."""
    failed_only = request.query_params.get("failed") == "1"
    wanted = RequestFilter(filters.start, filters.end, filters.version, filters.q, failed_only)
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        found = insights_requests.page(
            connection, viewer.application_id, name, wanted, filters.cursor, _AT_ONCE
        )
        versions = list(insights.first_calls(connection, viewer.application_id, name))
    return page(
        request,
        "use_case_requests.html",
        viewer,
        filters=filters,
        use_case=use_case,
        tab="requests",
        requests=found.items,
        cursor=found.cursor,
        versions=versions,
        failed_only=failed_only,
        searched=insights_requests.MOST_SEARCHED,
    )


@router.get("/use-cases/{name}/requests/{request_id}")
def show(
    request: Request,
    name: Segment,
    request_id: Segment,
    viewer: ViewerOf,
    store: StoreOf,
    filters: FiltersOf,
) -> Response:
    """One request."""
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        found = insights_requests.find(connection, viewer.application_id, request_id)
        if found is None or found.values["use_case_name"] != name:
            message = f"request_id: {request_id!r} is no request of {name}; it may be older than what is kept"
            raise ApiError(404, "request_not_found", message)
        said = insights_requests.bodies(connection, found.id)
        book = resources.price_book(connection, [price_key(found.values)])
        units = units_of(found.values, single_prices(found.values, book))
        states = limit_counts.states(connection, [found.id]).get(found.id, {})
        named = [
            limits.find(connection, viewer.application_id, limit_id) for limit_id in found.values["limit_ids"]
        ]
    now_cost = sum((line.cost or Decimal(0) for line in units), Decimal(0))
    return page(
        request,
        "use_case_request.html",
        viewer,
        filters=filters,
        use_case=use_case,
        tab="requests",
        found=found,
        units=units,
        # The difference that rounding to pico-dollars makes is none.
        is_repriced=abs(now_cost - found.cost) > Decimal("1e-9"),
        states=states,
        limit_names={limit.limit_id: limit.limit_name for limit in named if limit},
        said=_said(said or {}),
        headers={title: (said or {}).get(name) for name, title in _HEADERS.items()},
    )


def units_of(
    values: Mapping[str, Any], prices: Mapping[str, tuple[Decimal | None, Decimal | None]]
) -> list[UnitLine]:
    """A line for each unit and direction that has any."""
    return [
        UnitLine(name, direction, count[direction], prices[name][place])
        for name, count in values["units"].items()
        for place, direction in enumerate(("input", "output"))
        if count[direction]
    ]


def _said(bodies: Mapping[str, Any]) -> list[Said]:
    titles = {
        "provider_request_json": "Prompt",
        "provider_request_reasoning_json": "Reasoning asked for",
        "provider_response_json": "Response",
        "function_calls": "Tools asked for",
    }
    found: list[Said] = []
    for name, title in titles.items():
        body = bodies.get(name)
        if body:
            text = _pretty(body)
            found.append(Said(title, text[:_LONGEST_SHOWN], len(text) > _LONGEST_SHOWN))
    return found


def _pretty(body: Any) -> str:
    if isinstance(body, list):
        parts = [_parsed(part) for part in cast("list[Any]", body)]
        if all(isinstance(part, str) for part in parts):
            return "\n".join(parts)
        return json.dumps(parts, indent=2, ensure_ascii=False)
    parsed = _parsed(body)
    return parsed if isinstance(parsed, str) else json.dumps(parsed, indent=2, ensure_ascii=False)


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return text
