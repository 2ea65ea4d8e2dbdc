"""Use case instances: the runs of a use case, each with any string as its id."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, select, update

from payi_otel.server.errors import ApiError
from payi_otel.server.store import limits
from payi_otel.server.store.engine import insert_all_new
from payi_otel.server.store.schema import instances, use_cases
from payi_otel.server.store.use_cases import UseCase

table = instances

Properties = Mapping[str, "str | None"]


@dataclass(frozen=True, slots=True)
class Instance:
    """A run of a use case."""

    id: int
    use_case: int
    use_case_name: str
    use_case_id: str
    type_version: int
    properties: Properties
    limit_id: str | None = None


def new_id() -> str:
    """An id for an instance whose caller gave none."""
    return str(uuid.uuid4())


def find(connection: Connection, use_case: UseCase, use_case_id: str) -> Instance | None:
    """An instance of a use case."""
    statement = _joined().where(instances.c.use_case == use_case.id, instances.c.use_case_id == use_case_id)
    row = connection.execute(statement).first()
    return None if row is None else _read(row)


def find_anywhere(connection: Connection, application_id: int, use_case_id: str) -> Sequence[Instance]:
    """All instances with this id, the newest first: the older API names no use case."""
    statement = _joined().where(
        instances.c.application_id == application_id, instances.c.use_case_id == use_case_id
    )
    return [_read(row) for row in connection.execute(statement.order_by(instances.c.id.desc()))]


def not_found(use_case_id: str) -> ApiError:
    """The error for an id nobody has used."""
    return ApiError(
        404,
        "use_case_instance_not_found",
        f"use_case_id: {use_case_id!r} is not known; use it in a request or create it first",
    )


def ensure(
    connection: Connection,
    application_id: int,
    use_case: UseCase,
    use_case_id: str,
    now: datetime,
    version: int | None = None,
) -> Instance:
    """An instance of a use case, made if the id is new. `version` pins a new one, else it gets the latest."""
    (found,) = ensure_all(connection, application_id, use_case, {use_case_id: version}, now)
    return found


def ensure_all(
    connection: Connection,
    application_id: int,
    use_case: UseCase,
    versions: Mapping[str, int | None],
    now: datetime,
) -> Sequence[Instance]:
    """The instances with these ids, made where they are new. The value pins the version of a new one.

    A new instance of a use case with a limit configuration gets a limit of its own.
    """
    found = _with_ids(connection, use_case, versions)
    missing = sorted(versions.keys() - {instance.use_case_id for instance in found})
    if not missing:
        return found
    rows: list[dict[str, Any]] = [
        {
            "application_id": application_id,
            "use_case": use_case.id,
            "use_case_id": use_case_id,
            "type_version": versions[use_case_id] or use_case.type_version,
            "properties": {},
            "limit_id": None if use_case.limit_config is None else new_id(),
            "created_at": now,
        }
        for use_case_id in missing
    ]
    insert_all_new(connection, instances, rows, ("use_case", "use_case_id"))
    made = _with_ids(connection, use_case, missing)
    if use_case.limit_config is not None:
        mine = {row["limit_id"] for row in rows}
        new = {
            one.limit_id: one.use_case_id for one in made if one.limit_id is not None and one.limit_id in mine
        }
        limits.make_automatic(connection, application_id, use_case.name, use_case.limit_config, new, now)
    return [*found, *made]


def merge_properties(connection: Connection, instance: Instance, properties: Properties) -> None:
    """Set properties; the others stay."""
    merge_all_properties(connection, {instance.id: properties})


def merge_all_properties(connection: Connection, changes: Mapping[int, Properties]) -> None:
    """Set properties of many instances by row id; their others stay."""
    wanted = sorted(row_id for row_id, properties in changes.items() if properties)
    if not wanted:
        return
    # In one order everywhere, so that two batches with the same instances cannot block each other.
    current = connection.execute(
        select(instances.c.id, instances.c.properties)
        .where(instances.c.id.in_(wanted))
        .order_by(instances.c.id)
        .with_for_update()
    )
    for row in current.all():
        merged = {**row.properties, **changes[row.id]}
        if merged != row.properties:
            connection.execute(update(instances).where(instances.c.id == row.id).values(properties=merged))


def remove(connection: Connection, instance: Instance) -> None:
    """Delete an instance with its scores; its requests stay."""
    connection.execute(delete(instances).where(instances.c.id == instance.id))


def _with_ids(connection: Connection, use_case: UseCase, use_case_ids: Iterable[str]) -> list[Instance]:
    statement = _joined().where(
        instances.c.use_case == use_case.id, instances.c.use_case_id.in_(list(use_case_ids))
    )
    return [_read(row) for row in connection.execute(statement)]


def _joined() -> Select[Any]:
    return select(instances, use_cases.c.name.label("use_case_name")).join_from(instances, use_cases)


def _read(row: Row[Any]) -> Instance:
    return Instance(
        id=row.id,
        use_case=row.use_case,
        use_case_name=row.use_case_name,
        use_case_id=row.use_case_id,
        type_version=row.type_version,
        properties=row.properties,
        limit_id=row.limit_id,
    )
