"""Use case instances: the runs of a use case, each with any string as its id."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, delete, select, update

from payi_otel.server.errors import ApiError
from payi_otel.server.store import limits
from payi_otel.server.store.bulk import insert_missing
from payi_otel.server.store.ids import new_id
from payi_otel.server.store.one_of import one_of_given
from payi_otel.server.store.schema import instances, use_cases
from payi_otel.server.store.use_cases import UseCase

table = instances

Properties = Mapping[str, "str | None"]
Identity = tuple[str, str]
"""A use case's name and an instance's id."""

# By their ids alone, which an index leads to: SQLite would walk through the whole table for pairs. Made once: to make
# a statement takes longer than to execute it.
_BY_IDS = select(instances).where(
    instances.c.application_id == bindparam("application"), one_of_given(instances.c.use_case_id, "wanted")
)


class Instance(NamedTuple):
    """A run of a use case. `is_new` while the transaction that made it is under way: nobody else knows it yet."""

    id: int
    use_case: int
    use_case_name: str
    use_case_id: str
    type_version: int
    properties: Properties
    limit_id: str | None = None
    is_new: bool = False


def find(connection: Connection, use_case: UseCase, use_case_id: str) -> Instance | None:
    """An instance of a use case."""
    statement = _joined().where(instances.c.use_case == use_case.id, instances.c.use_case_id == use_case_id)
    row = connection.execute(statement).first()
    return None if row is None else _read(row, row.use_case_name)


def find_anywhere(connection: Connection, application_id: int, use_case_id: str) -> Sequence[Instance]:
    """All instances with this id, the newest first: the older API names no use case."""
    statement = _joined().where(
        instances.c.application_id == application_id, instances.c.use_case_id == use_case_id
    )
    rows = connection.execute(statement.order_by(instances.c.id.desc()))
    return [_read(row, row.use_case_name) for row in rows]


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
    identity = (use_case.name, use_case_id)
    return ensure_all(connection, application_id, {use_case.name: use_case}, {identity: version}, now)[
        identity
    ]


def ensure_all(
    connection: Connection,
    application_id: int,
    definitions: Mapping[str, UseCase],
    versions: Mapping[Identity, int | None],
    now: datetime,
) -> dict[Identity, Instance]:
    """The instances of `definitions`, by name, made where they are new. The value pins the version of a new one.

    A new instance of a use case with a limit configuration gets a limit of its own.
    """
    found = _find_all(connection, application_id, definitions, versions)
    # In one order everywhere, so that two batches with the same new instances cannot block each other.
    missing = sorted(versions.keys() - found.keys())
    if not missing:
        return found
    made = _insert_all(connection, application_id, definitions, {one: versions[one] for one in missing}, now)
    if len(made) < len(missing):
        rest = {one for one in missing if one not in made}
        others = _find_all(connection, application_id, definitions, rest)
        return {**found, **made, **others}
    return {**found, **made}


def _insert_all(
    connection: Connection,
    application_id: int,
    definitions: Mapping[str, UseCase],
    versions: Mapping[Identity, int | None],
    now: datetime,
) -> dict[Identity, Instance]:
    """Those of the instances that another transaction has not made meanwhile."""
    rows: list[dict[str, Any]] = [
        {
            "application_id": application_id,
            "use_case": definitions[name].id,
            "use_case_id": use_case_id,
            "type_version": version or definitions[name].type_version,
            "properties": {},
            "limit_id": None if definitions[name].limit_config is None else new_id(),
            "created_at": now,
        }
        for (name, use_case_id), version in versions.items()
    ]
    inserted = insert_missing(connection, instances, rows, ("use_case", "use_case_id"))
    made: dict[Identity, Instance] = {}
    limited: dict[str, dict[str, str]] = {}
    for identity, row in zip(versions, rows, strict=True):
        if row["id"] not in inserted:
            continue
        made[identity] = Instance(
            id=row["id"],
            use_case=row["use_case"],
            use_case_name=identity[0],
            use_case_id=identity[1],
            type_version=row["type_version"],
            properties={},
            limit_id=row["limit_id"],
            is_new=True,
        )
        if row["limit_id"] is not None:
            limited.setdefault(identity[0], {})[row["limit_id"]] = identity[1]
    for name, new in limited.items():
        config = definitions[name].limit_config
        if config is not None:
            limits.make_automatic(connection, application_id, name, config, new, now)
    return made


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


def _find_all(
    connection: Connection,
    application_id: int,
    definitions: Mapping[str, UseCase],
    identities: Collection[Identity],
) -> dict[Identity, Instance]:
    if not identities:
        return {}
    given = {"application": application_id, "wanted": list({use_case_id for _, use_case_id in identities})}
    names = {use_case.id: name for name, use_case in definitions.items()}
    found: dict[Identity, Instance] = {}
    for row in connection.execute(_BY_IDS, given):
        identity = (names.get(row.use_case, ""), row.use_case_id)
        if identity in identities:
            found[identity] = _read(row, identity[0])
    return found


def _joined() -> Select[Any]:
    return select(instances, use_cases.c.name.label("use_case_name")).join_from(instances, use_cases)


def _read(row: Row[Any], use_case_name: str) -> Instance:
    return Instance(
        id=row.id,
        use_case=row.use_case,
        use_case_name=use_case_name,
        use_case_id=row.use_case_id,
        type_version=row.type_version,
        properties=row.properties,
        limit_id=row.limit_id,
    )
