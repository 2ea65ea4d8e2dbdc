"""What the endpoints take from a request: the application, the store, path segments, pages."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator

from payi_otel.server.errors import ApiError
from payi_otel.server.store.engine import Store
from payi_otel.server.store.pages import DEFAULT_LIMIT, LARGEST_LIMIT, PageRequest

LONGEST_SEGMENT = 512


async def _application_id(request: Request) -> int:
    return request.state.application_id


async def _store(request: Request) -> Store:
    return request.app.state.store


async def _page_request(
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
    sort_ascending: Annotated[bool, Query()] = False,
) -> PageRequest:
    return PageRequest(cursor, min(limit or DEFAULT_LIMIT, LARGEST_LIMIT), sort_ascending)


def _decoded(segment: str) -> str:
    return _looked_up(unquote(segment))


def _looked_up(text: str) -> str:
    if "\0" in text or len(text) > LONGEST_SEGMENT:
        raise ValueError(f"give at most {LONGEST_SEGMENT} characters, none of them NUL")
    return text


ApplicationId = Annotated[int, Depends(_application_id)]
StoreOf = Annotated[Store, Depends(_store)]
Paging = Annotated[PageRequest, Depends(_page_request)]
Segment = Annotated[str, Path(min_length=1), AfterValidator(_decoded)]
"""A path segment, percent-decoded here and not before: names and ids may hold slashes."""
Name = Annotated[str, AfterValidator(_looked_up)]
"""A name or an id in the query: as in a path, for PostgreSQL fails at a NUL."""


def new_request_id() -> str:
    """The id of one answer."""
    return str(uuid.uuid4())


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(timezone.utc)


def as_utc(value: datetime) -> datetime:
    """An instant that somebody sent, in UTC, which it is in where it names no zone. Raises `ApiError`."""
    try:
        if value.tzinfo is None:
            return value.replace(tzinfo=timezone.utc)
        return value.astimezone(timezone.utc)
    except OverflowError:
        message = f"{value.isoformat()}: is out of range; give a time within years 1 to 9999"
        raise ApiError(400, "invalid_json", message) from None
