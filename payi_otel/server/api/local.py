"""What only this server has: a summary of every use case, and its requests. Not part of Pay-i's API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Row

from payi_otel.server.api.context import ApplicationId, Name, Paging, StoreOf, new_request_id
from payi_otel.server.api.models import CostOut, PageOut, UnitCountOut
from payi_otel.server.api.results import xproxy_result
from payi_otel.server.store.pages import fetch_page
from payi_otel.server.store.requests import BODY_COLUMNS, read_request, select_with_bodies
from payi_otel.server.store.schema import requests
from payi_otel.server.store.summary import UseCaseSummary, summarize

router = APIRouter(prefix="/api/v1/local", tags=["local"])


class KpiSummary(BaseModel):
    """The average score of a KPI against its goal; a boolean one's average is the share of true."""

    name: str
    kpi_name: str
    kpi_type: str
    goal: float
    scores: int
    average: float | None


class UseCaseTotals(BaseModel):
    """What one use case cost (in US dollars) and earned; its name is null for requests without a use case."""

    use_case_name: str | None
    instances: int
    calls: int
    failures: int
    estimated: int
    unpriced: int
    units: dict[str, UnitCountOut]
    input_units: int
    output_units: int
    input_tokens: int
    output_tokens: int
    cost: float
    kpis: list[KpiSummary]


class Summary(BaseModel):
    """All use cases. `unattributed` are the requests of none, if any."""

    request_id: str
    use_cases: list[UseCaseTotals]
    unattributed: UseCaseTotals | None


class EventOut(BaseModel):
    """A stored request. `content` is what was said, where the use case's logging is enabled."""

    request_id: str
    provider_response_id: str | None
    category: str
    resource: str | None
    resource_scope: str | None
    units: dict[str, UnitCountOut]
    cost: CostOut
    resource_id: str | None
    unknown_units: dict[str, UnitCountOut]
    warnings: list[str]
    event_timestamp: datetime
    ingest_timestamp: datetime
    end_to_end_latency_ms: int | None
    time_to_first_token_ms: int | None
    time_to_first_completion_token_ms: int | None
    http_status_code: int | None
    provider_uri: str | None
    use_case_name: str | None
    use_case_id: str | None
    use_case_version: int | None
    use_case_step: str | None
    user_id: str | None
    account_name: str | None
    limit_ids: list[str]
    request_tags: list[str]
    properties: dict[str, str | None]
    content: dict[str, Any] | None


@router.get("/events")
def list_events(
    application_id: ApplicationId,
    store: StoreOf,
    paging: Paging,
    use_case_name: Name | None = None,
) -> PageOut[EventOut]:
    """The stored requests, of one use case or of all."""
    with store.read() as connection:
        page = fetch_page(
            connection, select_with_bodies(application_id, use_case_name), requests.c.id, paging, _event
        )
    return PageOut(items=list(page.items), cursor=page.cursor, request_id=new_request_id())


@router.get("/summary")
def summary(application_id: ApplicationId, store: StoreOf) -> Summary:
    """Cost, tokens, calls, failures and KPI averages of every use case."""
    with store.read() as connection:
        found = [_totals(item) for item in summarize(connection, application_id)]
    return Summary(
        request_id=new_request_id(),
        use_cases=[item for item in found if item.use_case_name is not None],
        unattributed=next((item for item in found if item.use_case_name is None), None),
    )


def _event(row: Row[Any]) -> EventOut:
    values: dict[str, Any] = {name: getattr(row, name) for name in (*requests.c.keys(), *BODY_COLUMNS)}
    result = xproxy_result(read_request(values), {})
    content = {name: values[name] for name in BODY_COLUMNS if values[name] is not None}
    return EventOut.model_validate({**values, "cost": result.cost, "content": content or None})


def _totals(item: UseCaseSummary) -> UseCaseTotals:
    totals = item.totals
    return UseCaseTotals(
        use_case_name=item.name,
        instances=item.instances,
        calls=totals.calls,
        failures=totals.failures,
        estimated=totals.estimated,
        unpriced=totals.unpriced,
        units={
            name: UnitCountOut(input=count.input, output=count.output)
            for name, count in sorted(item.units.items())
        },
        input_units=sum(count.input for count in item.units.values()),
        output_units=sum(count.output for count in item.units.values()),
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cost=float(totals.cost),
        kpis=[
            KpiSummary(
                name=kpi.name,
                kpi_name=kpi.name,
                kpi_type=kpi.kpi_type,
                goal=kpi.goal,
                scores=kpi.scores,
                average=kpi.average,
            )
            for kpi in item.kpis
        ],
    )
