"""Instances of a use case: found by id and property, and one with its calls, scores, properties and value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, Request
from starlette.responses import Response

from payi_otel.server.api.context import Segment
from payi_otel.server.portal import kpi_words
from payi_otel.server.portal.filters import FiltersOf
from payi_otel.server.portal.rendering import page
from payi_otel.server.portal.viewer import StoreOf, ViewerOf
from payi_otel.server.store import (
    insights,
    insights_instances,
    insights_requests,
    instances,
    kpis,
    limits,
    use_cases,
    values,
)
from payi_otel.server.store.insights_instances import InstanceFilter
from payi_otel.server.store.insights_requests import RequestLine
from payi_otel.server.store.kpi_insights_options import property_values
from payi_otel.server.store.kpis import Kpi
from payi_otel.server.store.pages import LARGEST_LIMIT, PageRequest
from payi_otel.server.value import Facts, evaluate

router = APIRouter()

_AT_ONCE = 50
_MOST_CALLS = 500


@dataclass(frozen=True, slots=True)
class Step:
    """A call on an instance's timeline: when it began and how long it took, as shares (0 to 1) of the whole."""

    call: RequestLine
    after: timedelta
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Scored:
    """A KPI of an instance, in words."""

    name: str
    score: str
    goal: str
    description: str


@router.get("/use-cases/{name}/instances")
def show_all(
    request: Request, name: Segment, viewer: ViewerOf, store: StoreOf, filters: FiltersOf
) -> Response:
    """The instances that began in a time, the latest first; `q` is a part of their ids."""
    wanted = InstanceFilter(filters.start, filters.end, filters.version, filters.properties, filters.q)
    with store.read() as connection:
        use_case = use_cases.get(connection, viewer.application_id, name)
        found = insights_instances.page(connection, use_case.id, wanted, filters.cursor, _AT_ONCE)
        total = insights_instances.count(connection, use_case.id, wanted)
        versions = list(insights.first_calls(connection, viewer.application_id, name))
        choices = property_values(connection, use_case.id, filters.end)
    return page(
        request,
        "use_case_instances.html",
        viewer,
        filters=filters,
        use_case=use_case,
        tab="instances",
        instances=found.items,
        cursor=found.cursor,
        total=total,
        versions=versions,
        choices=choices,
    )


@router.get("/use-cases/{name}/instances/{use_case_id}")
def show(
    request: Request,
    name: Segment,
    use_case_id: Segment,
    viewer: ViewerOf,
    store: StoreOf,
    filters: FiltersOf,
) -> Response:
    """One instance."""
    application = viewer.application_id
    with store.read() as connection:
        use_case = use_cases.get(connection, application, name)
        instance = instances.find(connection, use_case, use_case_id)
        if instance is None:
            raise instances.not_found(use_case_id)
        sums = insights_instances.find(connection, instance.id)
        calls = insights_requests.of_instance(connection, application, name, use_case_id, _MOST_CALLS)
        defined = kpis.page(connection, use_case, PageRequest(limit=LARGEST_LIMIT, ascending=True)).items
        scores = kpis.scores_page(connection, [instance], PageRequest(limit=LARGEST_LIMIT)).items
        limit = limits.find(connection, application, instance.limit_id) if instance.limit_id else None
        policy = values.find(connection, use_case)
        facts = (
            values.facts(connection, application, use_case, use_case_id).get(use_case_id) if policy else None
        )
    by_name = {score.kpi_name: score.score for score in scores}
    return page(
        request,
        "use_case_instance.html",
        viewer,
        filters=filters,
        use_case=use_case,
        tab="instances",
        instance=instance,
        sums=sums,
        steps=timeline(calls),
        is_cut=len(calls) == _MOST_CALLS,
        scored=[
            Scored(
                kpi.name,
                _score(kpi, by_name.get(kpi.name)),
                kpi_words.score(kpi, kpi.goal),
                kpi.description,
            )
            for kpi in defined
        ],
        limit=limit,
        has_policy=policy is not None,
        money=_value(policy.money, policy.constants, facts) if policy and facts else None,
        minutes=_value(policy.time, policy.constants, facts) if policy and facts else None,
    )


def timeline(calls: list[RequestLine]) -> list[Step]:
    """Where each call lies between the beginning of the first and the end of the last."""
    if not calls:
        return []
    began = min(call.at for call in calls)
    whole = max(call.at - began + _duration(call) for call in calls) or timedelta(milliseconds=1)
    return [Step(call, call.at - began, (call.at - began) / whole, _duration(call) / whole) for call in calls]


def _score(kpi: Kpi, score: float | None) -> str:
    if kpi.kpi_type == "boolean" and score is not None:
        return "true" if score else "false"
    return kpi_words.score(kpi, score)


def _duration(call: RequestLine) -> timedelta:
    return timedelta(milliseconds=call.values["end_to_end_latency_ms"] or 0)


def _value(expression: str | None, constants: Mapping[str, float], facts: Facts) -> float | None:
    return None if expression is None else evaluate(expression, constants, facts)
