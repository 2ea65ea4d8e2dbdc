"""KPI scores of instances, under the paths of today and under the older ones without a use case name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from payi_otel.server.api.context import ApplicationId, Name, Paging, Segment, StoreOf, new_request_id, now
from payi_otel.server.api.models import PageOut, ProblemOut, ScoreBody, ScoreOut
from payi_otel.server.store import instances, kpis, use_cases
from payi_otel.server.store.instances import Instance
from payi_otel.server.store.kpis import Kpi, Score
from payi_otel.server.store.pages import Page

router = APIRouter(prefix="/api/v1/use_cases/instances", tags=["KPI scores"])

_REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemOut, "description": "Refused"} for status in (400, 404)
}


@router.put("/{use_case_name}/{use_case_id}/kpis/{kpi_name}", responses=_REFUSED)
def set_score(
    use_case_name: Segment,
    use_case_id: Segment,
    kpi_name: Segment,
    body: ScoreBody,
    application_id: ApplicationId,
    store: StoreOf,
) -> Response:
    """Set the score of a KPI for an instance; null clears it. The answer has no body.

    The instance is made if its id is new: a score may arrive before the events of its instance.
    """
    with store.write() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        kpi = kpis.get(connection, use_case.id, kpi_name)
        score = kpis.checked_score(kpi, body.score)
        instance = instances.ensure(connection, application_id, use_case, use_case_id, now())
        kpis.set_score(connection, kpi, instance, score, now())
    return Response()


@router.get("/{use_case_name}/{use_case_id}/kpis")
def list_scores(
    use_case_name: Segment,
    use_case_id: Segment,
    application_id: ApplicationId,
    store: StoreOf,
    paging: Paging,
    kpi_name: Name | None = None,
) -> PageOut[ScoreOut]:
    """The scores of an instance, optionally of one KPI."""
    with store.read() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        instance = instances.find(connection, use_case, use_case_id)
        if instance is None:
            raise instances.not_found(use_case_id)
        return _page(kpis.scores_page(connection, [instance], paging, kpi_name))


@router.put("/{use_case_id}/kpis/{kpi_name}", responses=_REFUSED)
@router.post("/{use_case_id}/kpis/{kpi_name}", responses=_REFUSED)
def set_score_by_id(
    use_case_id: Segment, kpi_name: Segment, body: ScoreBody, application_id: ApplicationId, store: StoreOf
) -> Response:
    """Set a score where only the instance's id is known."""
    with store.write() as connection:
        instance, kpi = _scored(connection, application_id, use_case_id, kpi_name)
        kpis.set_score(connection, kpi, instance, kpis.checked_score(kpi, body.score), now())
    return Response()


@router.delete("/{use_case_id}/kpis/{kpi_name}")
def clear_score_by_id(
    use_case_id: Segment, kpi_name: Segment, application_id: ApplicationId, store: StoreOf
) -> Response:
    """Clear a score where only the instance's id is known."""
    with store.write() as connection:
        instance, kpi = _scored(connection, application_id, use_case_id, kpi_name)
        kpis.set_score(connection, kpi, instance, None, now())
    return Response()


@router.get("/{use_case_id}/kpis")
def list_scores_by_id(
    use_case_id: Segment,
    application_id: ApplicationId,
    store: StoreOf,
    paging: Paging,
    kpi_name: Name | None = None,
) -> PageOut[ScoreOut]:
    """The scores where only the instance's id is known; of all use cases that have an instance of this id."""
    with store.read() as connection:
        found = _anywhere(connection, application_id, use_case_id)
        return _page(kpis.scores_page(connection, found, paging, kpi_name))


def _anywhere(connection: Connection, application_id: int, use_case_id: str) -> Sequence[Instance]:
    found = instances.find_anywhere(connection, application_id, use_case_id)
    if not found:
        raise instances.not_found(use_case_id)
    return found


def _scored(
    connection: Connection, application_id: int, use_case_id: str, kpi_name: str
) -> tuple[Instance, Kpi]:
    """The newest instance of this id whose use case has the KPI."""
    for instance in _anywhere(connection, application_id, use_case_id):
        kpi = kpis.find(connection, instance.use_case, kpi_name)
        if kpi is not None:
            return instance, kpi
    raise kpis.not_found(kpi_name)


def _page(page: Page[Score]) -> PageOut[ScoreOut]:
    items = [
        ScoreOut.model_validate(
            {
                "kpi_name": score.kpi_name,
                "kpi_type": score.kpi_type,
                "score": score.score,
                "create_timestamp": score.created_at,
                "update_timestamp": score.updated_at,
            }
        )
        for score in page.items
    ]
    return PageOut(items=items, cursor=page.cursor, request_id=new_request_id())
