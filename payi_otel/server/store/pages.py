"""Cursor pages over a table's row ids."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Connection, Row, Select

from payi_otel.server.errors import ApiError

T = TypeVar("T")

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page: after `cursor`, `limit` items, oldest first if `ascending`."""

    cursor: str | None = None
    limit: int = DEFAULT_LIMIT
    ascending: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items, and the cursor of the next page if there is one."""

    items: Sequence[T]
    cursor: str | None


def fetch_page(
    connection: Connection,
    statement: Select[Any],
    row_id: Column[int],
    wanted: PageRequest,
    read: Callable[[Row[Any]], T],
) -> Page[T]:
    """One page of `statement`, whose rows have `id`. Raises `ApiError` for a cursor that is none of ours."""
    if wanted.cursor:
        after = _decode(wanted.cursor)
        statement = statement.where(row_id > after if wanted.ascending else row_id < after)
    order = row_id.asc() if wanted.ascending else row_id.desc()
    rows = connection.execute(statement.order_by(order).limit(wanted.limit + 1)).all()
    shown = rows[: wanted.limit]
    cursor = _encode(shown[-1].id) if len(rows) > wanted.limit else None
    return Page([read(row) for row in shown], cursor)


def list_page(items: Sequence[T], wanted: PageRequest) -> Page[T]:
    """One page of items that are in ascending order and all at hand."""
    ordered = items if wanted.ascending else items[::-1]
    start = max(0, _decode(wanted.cursor)) if wanted.cursor else 0
    shown = ordered[start : start + wanted.limit]
    end = start + len(shown)
    return Page(shown, _encode(end) if end < len(ordered) else None)


def _encode(row_id: int) -> str:
    return base64.urlsafe_b64encode(str(row_id).encode()).decode()


def _decode(cursor: str) -> int:
    try:
        number = int(base64.urlsafe_b64decode(cursor.encode()))
        # More than a row id can be, no database takes as one.
        if abs(number) > _LARGEST_ID:
            raise ValueError
        return number
    except (ValueError, binascii.Error):
        raise ApiError(
            400, "invalid_json", f"cursor: {cursor!r} is none; give the one of the previous page"
        ) from None
