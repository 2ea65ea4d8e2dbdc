"""What only this server has: a summary of every use case. Not part of Pay-i's API."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from payi_otel.server.api.context import ApplicationId, StoreOf, new_request_id
from payi_otel.server.store.summary import UseCaseSummary, summarize

router = APIRouter(prefix="/api/v1/local", tags=["local"])


class KpiSummary(BaseModel):
    """The average score of a KPI against its goal; a boolean one's average is the share of true."""

    name: str
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
    unpriced: int
    input_tokens: int
    output_tokens: int
    cost: float
    kpis: list[KpiSummary]


class Summary(BaseModel):
    """All use cases. `unattributed` are the requests of none, if any."""

    request_id: str
    use_cases: list[UseCaseTotals]
    unattributed: UseCaseTotals | None


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


def _totals(item: UseCaseSummary) -> UseCaseTotals:
    totals = item.totals
    return UseCaseTotals(
        use_case_name=item.name,
        instances=item.instances,
        calls=totals.calls,
        failures=totals.failures,
        unpriced=totals.unpriced,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cost=float(totals.cost),
        kpis=[
            KpiSummary(
                name=kpi.name,
                kpi_type=kpi.kpi_type,
                goal=kpi.goal,
                scores=kpi.scores,
                average=kpi.average,
            )
            for kpi in item.kpis
        ],
    )
