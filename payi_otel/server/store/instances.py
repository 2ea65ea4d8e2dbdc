"""Use case instances: the runs of a use case, each with any string as its id."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, select, update

from payi_otel.server.errors import ApiError
from payi_otel.server.store.engine import insert_new
from payi_otel.server.store.schema import instances, use_cases
from payi_otel.server.store.use_cases import UseCase

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
    found = find(connection, use_case, use_case_id)
    if found is None:
        values: dict[str, Any] = {
            "application_id": application_id,
            "use_case": use_case.id,
            "use_case_id": use_case_id,
            "type_version": version or use_case.type_version,
            "properties": {},
            "created_at": now,
        }
        insert_new(connection, instances, values, ("use_case", "use_case_id"))
        found = find(connection, use_case, use_case_id)
        assert found is not None
    return found


def merge_properties(connection: Connection, instance: Instance, properties: Properties) -> None:
    """Set properties; the others stay."""
    if properties:
        # Read again under the write lock of this row: two merges must not lose each other's keys.
        current: dict[str, str | None] = connection.execute(
            select(instances.c.properties).where(instances.c.id == instance.id).with_for_update()
        ).scalar_one()
        connection.execute(
            update(instances)
            .where(instances.c.id == instance.id)
            .values(properties={**current, **properties})
        )


def remove(connection: Connection, instance: Instance) -> None:
    """Delete an instance with its scores; its requests stay."""
    connection.execute(delete(instances).where(instances.c.id == instance.id))


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
    )
