"""Saved reports: which columns they have, and their lines, summed up by the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select, update

from payi_otel.server.errors import ApiError
from payi_otel.server.store.engine import insert_new
from payi_otel.server.store.rollups import hour_of, sums_of
from payi_otel.server.store.schema import requests
from payi_otel.server.store.schema_catalog import reports
from payi_otel.server.store.schema_rollups import DETAILS, SUMS, rollups
from payi_otel.server.store.types import read_sum

_HOUR = "hour"
PIVOTS: Mapping[str, tuple[str, str]] = {
    "Hour": ("DateHour", _HOUR),
    "Day": ("DateDay", _HOUR),
    "Month": ("DateMonth", _HOUR),
    "Use Case": ("UseCase", "use_case_name"),
    "Use Case Version": ("UseCaseVersion", "use_case_version"),
    "Use Case Step": ("UseCaseStep", "use_case_step"),
    "Category": ("Category", "category"),
    "Resource": ("Resource", "resource"),
    "User": ("User", "user_id"),
    "Account": ("Account", "account_name"),
    "Response Code": ("ResponseCode", "http_status_code"),
    "Instance ID": ("InstanceID", "use_case_id"),
}
"""By name, a pivot's header and the column it groups by."""

SUM_VALUES: Mapping[str, tuple[str, Callable[[Mapping[str, int]], Any]]] = {
    "Spend": ("Spend", lambda sums: _money(sums, "input") + _money(sums, "output")),
    "Input Spend": ("InputSpend", lambda sums: _money(sums, "input")),
    "Output Spend": ("OutputSpend", lambda sums: _money(sums, "output")),
    "Requests": ("Requests", lambda sums: sums["calls"]),
    "Failures": ("Failures", lambda sums: sums["failures"]),
    "Input Tokens": ("InputTokens", lambda sums: sums["input_tokens"]),
    "Output Tokens": ("OutputTokens", lambda sums: sums["output_tokens"]),
    "Average Latency": ("AverageLatency", lambda sums: _average(sums["latency_ms"], sums["latency_calls"])),
}
"""By name, a value's header and how it follows from the sums of a roll-up."""

REQUEST_VALUES: Mapping[str, tuple[str, str]] = {
    "Request: ID": ("RequestID", "request_id"),
    "Request: Time": ("RequestTime", "event_timestamp"),
    "Request: Latency": ("RequestLatency", "end_to_end_latency_ms"),
    "Request: Time To First Token": ("RequestTimeToFirstToken", "time_to_first_token_ms"),
    "Request: Provider Response ID": ("RequestProviderResponseID", "provider_response_id"),
}
"""Any of these makes a line of each request."""

_DATES = {"DateHour": "%Y-%m-%dT%H:00:00Z", "DateDay": "%Y-%m-%d", "DateMonth": "%Y-%m"}


@dataclass(frozen=True, slots=True)
class Report:
    """A saved report: the names of its pivots and values."""

    report_id: str
    pivots: Sequence[str]
    values: Sequence[str]

    @property
    def per_request(self) -> bool:
        """Whether it has a line for each request."""
        return "Instance ID" in self.pivots or any(name in REQUEST_VALUES for name in self.values)

    @property
    def headers(self) -> list[str]:
        """The names of its columns."""
        values = [
            SUM_VALUES[name][0] if name in SUM_VALUES else REQUEST_VALUES[name][0] for name in self.values
        ]
        return [PIVOTS[name][0] for name in self.pivots] + values


def checked(report_id: str, pivots: Sequence[str], values: Sequence[str]) -> Report:
    """A report of these columns; raises `ApiError` for one that is not known, and without any value."""
    for field, chosen, known in (
        ("pivots", pivots, [*PIVOTS]),
        ("values", values, [*SUM_VALUES, *REQUEST_VALUES]),
    ):
        wrong = [name for name in chosen if name not in known]
        if wrong:
            message = f"{field}: {wrong[0]!r} is not known; give one of {', '.join(known)}"
            raise ApiError(400, "invalid_report", message)
    if not values:
        raise ApiError(400, "invalid_report", "values: none is chosen; choose at least one")
    return Report(report_id, pivots, values)


def saved(connection: Connection, application_id: int) -> list[Report]:
    """All saved reports by their ids."""
    statement = (
        select(reports).where(reports.c.application_id == application_id).order_by(reports.c.report_id)
    )
    return [
        Report(row["report_id"], row["pivots"], row["values"])
        for row in connection.execute(statement).mappings()
    ]


def find(connection: Connection, application_id: int, report_id: str) -> Report | None:
    """A report by its id."""
    where = (reports.c.application_id == application_id) & (reports.c.report_id == report_id)
    row = connection.execute(select(reports).where(where)).mappings().first()
    return None if row is None else Report(row["report_id"], row["pivots"], row["values"])


def put(connection: Connection, application_id: int, report: Report, now: datetime) -> None:
    """Save a report."""
    key = {"application_id": application_id, "report_id": report.report_id}
    values = {"pivots": list(report.pivots), "values": list(report.values), "created_at": now}
    if insert_new(connection, reports, {**key, **values}, tuple(key)) is None:
        where = (reports.c.application_id == application_id) & (reports.c.report_id == report.report_id)
        connection.execute(update(reports).where(where).values(values))


def remove(connection: Connection, application_id: int, report_id: str) -> bool:
    """Delete a report; says whether there was one."""
    where = (reports.c.application_id == application_id) & (reports.c.report_id == report_id)
    return connection.execute(delete(reports).where(where)).rowcount > 0


def lines(
    connection: Connection, application_id: int, report: Report, start: datetime | None, end: datetime | None
) -> Iterator[list[Any]]:
    """The lines of a report over the time from `start` (inclusive) to `end` (exclusive)."""
    if report.per_request or not _whole_hours(start, end):
        found = _request_sums(connection, application_id, start, end)
    else:
        found = _rollup_sums(connection, application_id, report, start, end)
    if any(name in REQUEST_VALUES for name in report.values):
        for keys, sums in found:
            yield [_pivot(name, keys) for name in report.pivots] + [
                _value(name, keys, sums) for name in report.values
            ]
        return
    groups: dict[tuple[Any, ...], dict[str, int]] = {}
    for keys, sums in found:
        group = groups.setdefault(tuple(_pivot(name, keys) for name in report.pivots), dict.fromkeys(SUMS, 0))
        for name in SUMS:
            group[name] += int(sums[name])
    for key in sorted(groups, key=lambda one: [str(part) for part in one]):
        yield [*key, *(SUM_VALUES[name][1](groups[key]) for name in report.values)]


_Sums = tuple[Mapping[str, Any], Mapping[str, int]]


def _rollup_sums(
    connection: Connection, application_id: int, report: Report, start: datetime | None, end: datetime | None
) -> Iterator[_Sums]:
    columns = sorted({PIVOTS[name][1] for name in report.pivots})
    sums = [func.sum(rollups.c[name]).label(name) for name in SUMS]
    keys = [rollups.c[name] for name in columns]
    detailed = not set(DETAILS).isdisjoint(columns)
    statement = select(*keys, *sums).where(
        rollups.c.application_id == application_id, rollups.c.is_detailed.is_(detailed)
    )
    statement = _between(statement, rollups.c.hour, start, end).having(func.sum(rollups.c.calls) > 0)
    for row in connection.execute(statement.group_by(*keys) if keys else statement).mappings():
        yield dict(row), {name: int(row[name]) for name in SUMS}


def _request_sums(
    connection: Connection,
    application_id: int,
    start: datetime | None,
    end: datetime | None,
) -> Iterator[_Sums]:
    statement = select(requests).where(requests.c.application_id == application_id)
    statement = _between(statement, requests.c.event_timestamp, start, end).order_by(requests.c.id)
    for row in connection.execution_options(yield_per=1000).execute(statement).mappings():
        values = dict(row)
        sums: dict[str, int] = dict(zip(SUMS, sums_of(values), strict=True))
        yield {**values, "hour": hour_of(values["event_timestamp"])}, sums


def _between(
    statement: Select[Any], column: ColumnElement[Any], start: datetime | None, end: datetime | None
) -> Select[Any]:
    if start is not None:
        statement = statement.where(column >= start)
    return statement if end is None else statement.where(column < end)


def _whole_hours(*instants: datetime | None) -> bool:
    return all(one is None or (one.minute, one.second, one.microsecond) == (0, 0, 0) for one in instants)


def _pivot(name: str, keys: Mapping[str, Any]) -> Any:
    header, column = PIVOTS[name]
    value = keys[column]
    return value.strftime(_DATES[header]) if header in _DATES else "" if value is None else value


def _value(name: str, keys: Mapping[str, Any], sums: Mapping[str, int]) -> Any:
    if name in SUM_VALUES:
        return SUM_VALUES[name][1](sums)
    value = keys[REQUEST_VALUES[name][1]]
    return "" if value is None else value.isoformat() if isinstance(value, datetime) else value


def _money(sums: Mapping[str, int], side: str) -> Decimal:
    amount = read_sum(sums[f"{side}_whole"], sums[f"{side}_rest"])
    return amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount.normalize()


def _average(total: int, count: int) -> Any:
    return round(total / count, 3) if count else ""
