"""Reports as CSV, and how they are saved."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from payi_otel.server.api.context import ApplicationId, Segment, StoreOf, as_utc, new_request_id, now
from payi_otel.server.api.models import Body, RequestIdOut, Text
from payi_otel.server.errors import ApiError
from payi_otel.server.report_csv import report_csv
from payi_otel.server.store import reports
from payi_otel.server.store.reports import PIVOTS, REQUEST_VALUES, SUM_VALUES, Report

router = APIRouter(prefix="/api/v1", tags=["reports"])


class ReportBody(Body):
    """What a report shows: what its lines are for, and what they say of it."""

    pivots: Annotated[list[Text], Field(max_length=len(PIVOTS))]
    values: Annotated[list[Text], Field(min_length=1, max_length=len(SUM_VALUES) + len(REQUEST_VALUES))]


class ReportOut(BaseModel):
    """A saved report."""

    report_id: str
    pivots: list[str]
    values: list[str]
    request_id: str


@router.get(
    "/reports/{report_id}",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def run_report(
    report_id: Segment,
    application_id: ApplicationId,
    store: StoreOf,
    start: Annotated[datetime | None, Query(alias="from")] = None,
    end: Annotated[datetime | None, Query(alias="to")] = None,
) -> StreamingResponse:
    """Run a saved report over the time from `from` (inclusive) to `to` (exclusive)."""
    first, last = (None if one is None else as_utc(one) for one in (start, end))
    with store.read() as connection:
        report = _known(reports.find(connection, application_id, report_id), report_id)
    text = report_csv(store, application_id, report, first, last)
    return StreamingResponse(text, media_type="text/csv; charset=utf-8")


@router.put("/local/reports/{report_id}")
def put_report(
    report_id: Segment, body: ReportBody, application_id: ApplicationId, store: StoreOf
) -> ReportOut:
    """Save a report under an id of your choice."""
    report = reports.checked(report_id, body.pivots, body.values)
    with store.write() as connection:
        reports.put(connection, application_id, report, now())
    return _shown(report)


@router.get("/local/reports/{report_id}")
def get_report(report_id: Segment, application_id: ApplicationId, store: StoreOf) -> ReportOut:
    """A saved report."""
    with store.read() as connection:
        return _shown(_known(reports.find(connection, application_id, report_id), report_id))


@router.delete("/local/reports/{report_id}")
def delete_report(report_id: Segment, application_id: ApplicationId, store: StoreOf) -> RequestIdOut:
    """Delete a saved report."""
    with store.write() as connection:
        if not reports.remove(connection, application_id, report_id):
            raise _unknown(report_id)
    return RequestIdOut(request_id=new_request_id())


def _known(report: Report | None, report_id: str) -> Report:
    if report is None:
        raise _unknown(report_id)
    return report


def _unknown(report_id: str) -> ApiError:
    fix = "save it first with PUT /api/v1/local/reports/{report_id}"
    return ApiError(404, "report_not_found", f"report_id: {report_id!r} is not known; {fix}")


def _shown(report: Report) -> ReportOut:
    return ReportOut(
        report_id=report.report_id,
        pivots=list(report.pivots),
        values=list(report.values),
        request_id=new_request_id(),
    )
