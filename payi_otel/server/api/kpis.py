"""KPI definitions of a use case."""

from __future__ import annotations

from fastapi import APIRouter

from payi_otel.server.api.context import ApplicationId, Name, Paging, Segment, StoreOf, new_request_id, now
from payi_otel.server.api.models import KpiBody, KpiChange, KpiOut, PageOut
from payi_otel.server.store import kpis, use_cases
from payi_otel.server.store.kpis import Kpi

router = APIRouter(prefix="/api/v1/use_cases/definitions/{use_case_name}/kpis", tags=["KPI definitions"])


@router.get("")
def list_kpis(
    use_case_name: Segment,
    application_id: ApplicationId,
    store: StoreOf,
    paging: Paging,
    kpi_name: Name | None = None,
) -> PageOut[KpiOut]:
    """The KPIs of a use case, optionally the one of a name."""
    with store.read() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        page = kpis.page(connection, use_case, paging, kpi_name)
    request_id = new_request_id()
    items = [_kpi(item, request_id) for item in page.items]
    return PageOut(items=items, cursor=page.cursor, request_id=request_id)


@router.post("")
def create_kpi(
    use_case_name: Segment, body: KpiBody, application_id: ApplicationId, store: StoreOf
) -> KpiOut:
    """Define a KPI. One that exists stays as it is; a use case nobody has used yet is made."""
    with store.write() as connection:
        use_case = use_cases.ensure(connection, application_id, use_case_name, now())
        found = kpis.define(
            connection,
            use_case,
            body.name,
            now(),
            description=body.description,
            kpi_type=body.kpi_type,
            goal=body.goal,
        )
    return _kpi(found)


@router.get("/{kpi_name}")
def get_kpi(
    use_case_name: Segment, kpi_name: Segment, application_id: ApplicationId, store: StoreOf
) -> KpiOut:
    """One KPI."""
    with store.read() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        return _kpi(kpis.get(connection, use_case.id, kpi_name))


@router.put("/{kpi_name}")
def update_kpi(
    use_case_name: Segment, kpi_name: Segment, body: KpiChange, application_id: ApplicationId, store: StoreOf
) -> KpiOut:
    """Change the description or the goal."""
    with store.write() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        found = kpis.get(connection, use_case.id, kpi_name)
        kpis.change(connection, found, now(), body.description, body.goal)
        return _kpi(kpis.get(connection, use_case.id, kpi_name))


@router.delete("/{kpi_name}")
def delete_kpi(
    use_case_name: Segment, kpi_name: Segment, application_id: ApplicationId, store: StoreOf
) -> KpiOut:
    """Delete a KPI with its scores."""
    with store.write() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        found = kpis.get(connection, use_case.id, kpi_name)
        kpis.remove(connection, found)
    return _kpi(found)


def _kpi(kpi: Kpi, request_id: str | None = None) -> KpiOut:
    return KpiOut.model_validate(
        {
            "name": kpi.name,
            "description": kpi.description,
            "kpi_type": kpi.kpi_type,
            "goal": kpi.goal,
            "created_timestamp": kpi.created_at,
            "updated_timestamp": kpi.updated_at,
            "request_id": request_id or new_request_id(),
        }
    )
