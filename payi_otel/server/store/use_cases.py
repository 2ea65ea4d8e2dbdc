"""Use case definitions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from payi_otel.server.errors import ApiError
from payi_otel.server.store.engine import insert_new
from payi_otel.server.store.one_of import one_of_given
from payi_otel.server.store.pages import Page, PageRequest, fetch_page
from payi_otel.server.store.schema import use_cases

table = use_cases

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNIQUE = ("application_id", "name")
# Made once: to make a statement takes longer than to execute it.
_BY_NAMES = select(use_cases).where(
    use_cases.c.application_id == bindparam("application"), one_of_given(use_cases.c.name, "wanted")
)


@dataclass(frozen=True, slots=True)
class UseCase:
    """A definition. `defined` is False while only requests have named it."""

    id: int
    name: str
    description: str
    logging_enabled: bool
    limit_config: Mapping[str, Any] | None
    type_version: int
    defined: bool


def checked_name(name: str) -> str:
    """`name` if a use case may have it; raises `ApiError`."""
    if not _NAME.fullmatch(name):
        raise ApiError(
            400,
            "invalid_use_case_name",
            f"use_case_name: {name!r}: give 1 to 64 letters, digits, '.', '-' or '_', such as 'document_summary'",
        )
    return name


def find(connection: Connection, application_id: int, name: str) -> UseCase | None:
    """A definition by name."""
    row = connection.execute(
        select(use_cases).where(use_cases.c.application_id == application_id, use_cases.c.name == name)
    ).first()
    return None if row is None else _read(row)


def get(connection: Connection, application_id: int, name: str) -> UseCase:
    """A definition by name; raises `ApiError` 404 without one."""
    found = find(connection, application_id, name)
    if found is None:
        raise ApiError(404, "use_case_not_found", f"use_case_name: {name!r} is not defined; create it first")
    return found


def ensure(connection: Connection, application_id: int, name: str, now: datetime) -> UseCase:
    """A definition by name, made if nobody has used the name yet; raises `ApiError` for an invalid name."""
    found = find(connection, application_id, name)
    if found is None:
        _insert(connection, application_id, checked_name(name), now)
        found = get(connection, application_id, name)
    return found


def ensure_all(
    connection: Connection, application_id: int, names: Iterable[str], now: datetime
) -> dict[str, UseCase]:
    """The definitions of all names, made where they are new; raises `ApiError` for an invalid name."""
    wanted = sorted(set(names))
    found = _named(connection, application_id, wanted)
    # In one order everywhere, so that two batches with the same new names cannot block each other.
    for name in wanted:
        if name not in found:
            found[name] = ensure(connection, application_id, name, now)
    return found


def define(
    connection: Connection,
    application_id: int,
    name: str,
    now: datetime,
    *,
    description: str,
    logging_enabled: bool,
    limit_config: Mapping[str, Any] | None,
) -> tuple[UseCase, bool]:
    """Create a definition; says whether it is new. One that somebody defined before stays as it is."""
    _insert(connection, application_id, checked_name(name), now)
    found = get(connection, application_id, name)
    if found.defined:
        return found, False
    change(
        connection,
        found,
        description=description,
        logging_enabled=logging_enabled,
        limit_config=limit_config,
        defined=True,
    )
    return get(connection, application_id, name), True


def change(connection: Connection, use_case: UseCase, **values: Any) -> None:
    """Set columns of a definition."""
    connection.execute(update(use_cases).where(use_cases.c.id == use_case.id).values(**values))


def increment_version(connection: Connection, use_case: UseCase) -> None:
    """Start the next version."""
    change(connection, use_case, type_version=use_cases.c.type_version + 1)


def remove(connection: Connection, use_case: UseCase) -> None:
    """Delete a definition with its instances, KPIs and scores; what its requests cost stays."""
    connection.execute(delete(use_cases).where(use_cases.c.id == use_case.id))


def page(
    connection: Connection, application_id: int, wanted: PageRequest, name: str | None = None
) -> Page[UseCase]:
    """Definitions, optionally the one called `name`."""
    statement = select(use_cases).where(use_cases.c.application_id == application_id)
    if name:
        statement = statement.where(use_cases.c.name == name)
    return fetch_page(connection, statement, use_cases.c.id, wanted, _read)


def _named(connection: Connection, application_id: int, names: Sequence[str]) -> dict[str, UseCase]:
    if not names:
        return {}
    rows = connection.execute(_BY_NAMES, {"application": application_id, "wanted": names})
    return {row.name: _read(row) for row in rows}


def _insert(connection: Connection, application_id: int, name: str, now: datetime) -> None:
    values = {
        "application_id": application_id,
        "name": name,
        "description": "",
        "logging_enabled": False,
        "limit_config": None,
        "type_version": 1,
        "defined": False,
        "created_at": now,
    }
    insert_new(connection, use_cases, values, _UNIQUE)


def _read(row: Row[Any]) -> UseCase:
    return UseCase(
        id=row.id,
        name=row.name,
        description=row.description,
        logging_enabled=row.logging_enabled,
        limit_config=row.limit_config,
        type_version=row.type_version,
        defined=row.defined,
    )
