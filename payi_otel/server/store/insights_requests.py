"""Requests as the portal lists them, and all that is known of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, or_, select

from payi_otel.server.errors import ApiError
from payi_otel.server.store.pages import Page
from payi_otel.server.store.rollups import is_failure
from payi_otel.server.store.schema import request_bodies, requests


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Requests from `start` (inclusive) to `end` (exclusive).

    `q` is the whole of an id, of the request, of the provider's response or of the instance, a user, a step or a
    resource.
    """

    start: datetime
    end: datetime
    version: int | None = None
    q: str = ""
    failed_only: bool = False


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request; costs in US dollars, latencies in milliseconds. `values` are its columns by name."""

    id: int
    request_id: str
    at: datetime
    failed: bool
    cost: Decimal
    values: Mapping[str, Any]


MOST_SEARCHED = 20_000
"""How many requests a search looks at for one page."""

_FIND = ("request_id", "provider_response_id", "use_case_id", "user_id", "use_case_step", "resource")


def page(
    connection: Connection,
    application_id: int,
    use_case: str,
    wanted: RequestFilter,
    cursor: str | None,
    limit: int,
) -> Page[RequestLine]:
    """The requests of a use case, by name, the latest first. Raises `ApiError` for a cursor that is none.

    A search looks at `MOST_SEARCHED` requests at once: its page may have few or none, and a cursor to go on with.
    """
    c = requests.c
    time = [c.event_timestamp >= wanted.start, c.event_timestamp < wanted.end]
    if cursor:
        at, row_id = _decoded(cursor)
        time += [c.event_timestamp <= at, or_(c.event_timestamp < at, c.id < row_id)]
    statement = _of(application_id, use_case).where(*time)
    floor = None
    if wanted.q or wanted.failed_only:
        order = (c.event_timestamp.desc(), c.id.desc())
        last = statement.with_only_columns(c.event_timestamp, c.id).order_by(*order).offset(MOST_SEARCHED - 1)
        floor = connection.execute(last.limit(1)).first()
    if floor is not None:
        at, row_id = floor
        statement = statement.where(c.event_timestamp >= at, or_(c.event_timestamp > at, c.id >= row_id))
    if wanted.version is not None:
        statement = statement.where(c.use_case_version == wanted.version)
    if wanted.q:
        statement = statement.where(or_(*(c[name] == wanted.q for name in _FIND)))
    if wanted.failed_only:
        statement = statement.where(_failed())
    statement = statement.order_by(c.event_timestamp.desc(), c.id.desc()).limit(limit + 1)
    lines = [_read(dict(row)) for row in connection.execute(statement).mappings()]
    if len(lines) > limit:
        return Page(lines[:limit], _encoded(lines[limit - 1].at, lines[limit - 1].id))
    return Page(lines, None if floor is None else _encoded(*floor))


def of_instance(
    connection: Connection, application_id: int, use_case: str, use_case_id: str, limit: int
) -> list[RequestLine]:
    """The first requests of an instance, the earliest first."""
    statement = _of(application_id, use_case).where(requests.c.use_case_id == use_case_id)
    statement = statement.order_by(requests.c.event_timestamp, requests.c.id).limit(limit)
    return [_read(dict(row)) for row in connection.execute(statement).mappings()]


def find(connection: Connection, application_id: int, request_id: str) -> RequestLine | None:
    """A request by our own id."""
    statement = select(requests).where(
        requests.c.application_id == application_id, requests.c.request_id == request_id
    )
    row = connection.execute(statement).mappings().first()
    return None if row is None else _read(dict(row))


def bodies(connection: Connection, row_id: int) -> Mapping[str, Any] | None:
    """What was said in a request, by row id, where that is kept."""
    statement = select(request_bodies).where(request_bodies.c.request == row_id)
    row = connection.execute(statement).mappings().first()
    return None if row is None else dict(row)


def _of(application_id: int, use_case: str) -> Select[Any]:
    return select(requests).where(
        requests.c.application_id == application_id, requests.c.use_case_name == use_case
    )


def _failed() -> ColumnElement[bool]:
    status = requests.c.http_status_code
    return or_(status >= 400, status == 299, requests.c.properties["system.failure"].as_string().is_not(None))


def _encoded(at: datetime, row_id: int) -> str:
    return f"{at.replace(tzinfo=None).isoformat()}.{row_id}"


def _decoded(cursor: str) -> tuple[datetime, int]:
    at, _, row_id = cursor.rpartition(".")
    try:
        return datetime.fromisoformat(at).replace(tzinfo=timezone.utc), int(row_id)
    except ValueError:
        message = f"cursor: {cursor[:80]!r} is none; give the one of the previous page"
        raise ApiError(400, "invalid_filter", message) from None


def _read(columns: dict[str, Any]) -> RequestLine:
    return RequestLine(
        id=columns["id"],
        request_id=columns["request_id"],
        at=columns["event_timestamp"],
        failed=is_failure(columns),
        cost=columns["input_cost"] + columns["output_cost"],
        values=columns,
    )
