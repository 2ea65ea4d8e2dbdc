"""Whose the events of a batch are: their use cases and instances, made where they are new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from payi_otel.server.store import instances, use_cases
from payi_otel.server.store.instances import Identity, Instance
from payi_otel.server.store.one_of import one_of
from payi_otel.server.store.use_cases import UseCase

NO_INSTANCE = "use_case_instance_not_found: a new use case id needs the use case's name"


class Owner(NamedTuple):
    """Whose request it is."""

    use_case: UseCase | None = None
    instance: Instance | None = None

    @property
    def columns(self) -> Mapping[str, Any]:
        """The columns of a request that name it."""
        if self.instance is None:
            return {}
        return {
            "use_case_name": self.instance.use_case_name,
            "use_case_id": self.instance.use_case_id,
            "use_case_version": self.instance.type_version,
        }

    def at_version(self, version: int | None) -> Owner:
        """The same with the version that a request names."""
        if self.instance is None or version is None:
            return self
        return Owner(self.use_case, self.instance._replace(type_version=version))


def names_of(connection: Connection, application_id: int, use_case_ids: Iterable[str]) -> dict[str, str]:
    """The use case's name of each id that came without one: that of the newest instance of the id."""
    wanted = sorted(set(use_case_ids))
    if not wanted:
        return {}
    statement = (
        select(instances.table.c.use_case_id, use_cases.table.c.name)
        .join_from(instances.table, use_cases.table)
        .where(
            instances.table.c.application_id == application_id, one_of(instances.table.c.use_case_id, wanted)
        )
        .order_by(instances.table.c.id)
    )
    return {row.use_case_id: row.name for row in connection.execute(statement)}


def ensure(
    connection: Connection, application_id: int, wanted: Mapping[Identity, int | None], now: datetime
) -> dict[Identity, Owner]:
    """The owners of all identities, made where they are new; the value pins the version of a new instance."""
    definitions = use_cases.ensure_all(connection, application_id, (name for name, _ in wanted), now)
    made = instances.ensure_all(connection, application_id, definitions, wanted, now)
    return {identity: Owner(definitions[identity[0]], instance) for identity, instance in made.items()}
