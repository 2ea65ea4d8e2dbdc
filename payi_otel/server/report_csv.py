"""A report's lines as CSV, a piece at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from payi_otel.server.store import reports
from payi_otel.server.store.engine import Store
from payi_otel.server.store.reports import Report

_LINES_AT_ONCE = 500


def report_csv(
    store: Store, application_id: int, report: Report, start: datetime | None, end: datetime | None
) -> Iterator[str]:
    """The text of a report over the time from `start` (inclusive) to `end` (exclusive), with its headers."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(report.headers)
    with store.read() as connection:
        for number, line in enumerate(reports.lines(connection, application_id, report, start, end)):
            writer.writerow([_cell(value) for value in line])
            if number % _LINES_AT_ONCE == 0:
                yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _cell(value: Any) -> Any:
    """Money without an exponent; no formula, which spreadsheets would run: users choose their own ids."""
    if isinstance(value, Decimal):
        return format(value, "f")
    is_formula = isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}
    return f"'{value}" if is_formula else value
