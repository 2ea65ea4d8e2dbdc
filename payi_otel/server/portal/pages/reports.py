"""Reports: which sums for whom, shown as a table, saved under a name, downloaded as CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, Field
from starlette.responses import Response, StreamingResponse

from payi_otel.server.api.context import Segment, now
from payi_otel.server.errors import ApiError
from payi_otel.server.portal import formats
from payi_otel.server.portal.filters import Filters, FiltersOf
from payi_otel.server.portal.forms import Form, FormModel, read_form
from payi_otel.server.portal.navigation import NavItem
from payi_otel.server.portal.rendering import page, redirect
from payi_otel.server.portal.viewer import AdminOf, FormOf, StoreOf, Viewer, ViewerOf
from payi_otel.server.report_csv import report_csv
from payi_otel.server.store import reports
from payi_otel.server.store.engine import Store
from payi_otel.server.store.reports import PIVOTS, REQUEST_VALUES, SUM_VALUES, Report

router = APIRouter()
NAV = NavItem("/reports", "Reports")

_SHOWN = 200
_UNSAVED = "report"
_BEGIN = Report(_UNSAVED, ["Day", "Use Case"], ["Spend", "Requests"])
_FORMATS: dict[str, Callable[[Any], str]] = {
    "Spend": formats.money,
    "Input Spend": formats.money,
    "Output Spend": formats.money,
    "Requests": formats.count,
    "Failures": formats.count,
    "Input Tokens": formats.count,
    "Output Tokens": formats.count,
    "Average Latency": formats.milliseconds,
    "Request: Latency": formats.milliseconds,
    "Request: Time To First Token": formats.milliseconds,
}

Columns = Annotated[list[str], Query()]


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("Give letters, digits and signs only.")
    return name


class SaveForm(FormModel):
    """What saving a report asks for."""

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
    pivots: list[str] = Field(default_factory=list)
    values: list[str] = Field(default_factory=list)


@router.get("/reports")
def build(
    request: Request,
    viewer: ViewerOf,
    store: StoreOf,
    filters: FiltersOf,
    pivots: Columns = [],  # noqa: B006
    values: Columns = [],  # noqa: B006
) -> Response:
    """The saved reports, and the one that is built."""
    report = reports.checked(_UNSAVED, pivots, values) if pivots or values else _BEGIN
    return _page(request, viewer, store, filters, report)


@router.get("/reports/lines")
def lines(
    request: Request,
    viewer: ViewerOf,
    store: StoreOf,
    filters: FiltersOf,
    pivots: Columns = [],  # noqa: B006
    values: Columns = [],  # noqa: B006
) -> Response:
    """The first lines of a report, which take long where there are many users or requests."""
    report = reports.checked(_UNSAVED, pivots, values)
    with store.read() as connection:
        found = reports.lines(connection, viewer.application_id, report, filters.start, filters.end)
        first = list(islice(found, _SHOWN + 1))
    columns = [*report.pivots, *report.values]
    return page(
        request,
        "report_lines.html",
        viewer,
        columns=columns,
        numbers=[name in _FORMATS for name in columns],
        lines=[_texts(columns, line) for line in first[:_SHOWN]],
        has_more=len(first) > _SHOWN,
        shown=_SHOWN,
    )


@router.get("/reports/csv")
def download(
    viewer: ViewerOf,
    store: StoreOf,
    filters: FiltersOf,
    pivots: Columns = [],  # noqa: B006
    values: Columns = [],  # noqa: B006
    name: Annotated[str, Query(max_length=200)] = _UNSAVED,
) -> Response:
    """A report as CSV, named after itself and its days."""
    report = reports.checked(name, pivots, values)
    text = report_csv(store, viewer.application_id, report, filters.start, filters.end)
    file = f"{name} {filters.first_day} to {filters.last_day}.csv"
    return StreamingResponse(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f"attachment; filename*=UTF-8''{quote(file, safe='')}"},
    )


@router.get("/reports/save")
def ask_save(
    request: Request,
    viewer: ViewerOf,
    pivots: Columns = [],  # noqa: B006
    values: Columns = [],  # noqa: B006
    name: str = "",
) -> Response:
    """The dialog that asks for a name."""
    form: Form[SaveForm] = Form({"name": name, "pivots": pivots, "values": values})
    return page(request, "report_save.html", viewer, form=form)


@router.post("/reports")
def save(request: Request, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Save a report; one of the same name is replaced."""
    sent = read_form(SaveForm, form)
    if sent.model is None:
        return page(request, "report_save.html", viewer, status=422, form=sent)
    try:
        report = reports.checked(sent.model.name, sent.model.pivots, sent.model.values)
    except ApiError as error:
        return page(request, "report_save.html", viewer, status=422, form=sent.refused(error))
    with store.write() as connection:
        reports.put(connection, viewer.application_id, report, now())
    return redirect(
        request,
        f"/reports/saved/{quote(report.report_id, safe='')}",
        notice=f"Report {report.report_id} is saved.",
    )


@router.get("/reports/saved/{report_id}")
def show(
    request: Request, report_id: Segment, viewer: ViewerOf, store: StoreOf, filters: FiltersOf
) -> Response:
    """A saved report."""
    return _page(request, viewer, store, filters, _saved(viewer, store, report_id))


@router.get("/reports/saved/{report_id}/delete")
def ask_delete(request: Request, report_id: Segment, viewer: ViewerOf, store: StoreOf) -> Response:
    """The dialog that asks whether to delete."""
    return page(request, "report_delete.html", viewer, report=_saved(viewer, store, report_id))


@router.post("/reports/saved/{report_id}/delete")
def remove(request: Request, report_id: Segment, viewer: AdminOf, store: StoreOf) -> Response:
    """Delete a report."""
    with store.write() as connection:
        if not reports.remove(connection, viewer.application_id, report_id):
            raise _unknown(report_id)
    return redirect(request, "/reports", notice=f"Report {report_id} is deleted.")


def _page(request: Request, viewer: Viewer, store: Store, filters: Filters, report: Report) -> Response:
    with store.read() as connection:
        saved = reports.saved(connection, viewer.application_id)
    columns = [("pivots", name) for name in report.pivots] + [("values", name) for name in report.values]
    return page(
        request,
        "reports.html",
        viewer,
        filters=filters,
        report=report,
        is_saved=report.report_id in {one.report_id for one in saved},
        saved=saved,
        pivots=PIVOTS,
        sum_values=SUM_VALUES,
        request_values=REQUEST_VALUES,
        columns_query=urlencode(columns),
        lines_query=f"{filters.query()}&{urlencode(columns)}",
        csv_query=f"{filters.query()}&{urlencode([*columns, ('name', report.report_id)])}",
    )


def _texts(columns: Sequence[str], line: Sequence[Any]) -> list[str]:
    return [_text(name, value) for name, value in zip(columns, line, strict=True)]


def _text(name: str, value: Any) -> str:
    if value == "":
        return formats.NOTHING
    return _FORMATS[name](value) if name in _FORMATS else str(value)


def _saved(viewer: Viewer, store: Store, report_id: str) -> Report:
    with store.read() as connection:
        found = reports.find(connection, viewer.application_id, report_id)
    if found is None:
        raise _unknown(report_id)
    return found


def _unknown(report_id: str) -> ApiError:
    return ApiError(404, None, f"report: {report_id!r} is not known; the page of reports lists all there are")
