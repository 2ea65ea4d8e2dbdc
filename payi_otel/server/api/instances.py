"""Use case instances and their properties, under the paths of today and the older ones without a name."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from payi_otel.server.api.context import ApplicationId, Name, Segment, StoreOf, new_request_id, now
from payi_otel.server.api.models import InstanceOut, PropertiesBody
from payi_otel.server.store import instances, use_cases
from payi_otel.server.store.ids import new_id
from payi_otel.server.store.instances import Instance

router = APIRouter(prefix="/api/v1/use_cases/instances", tags=["use case instances"])


@router.post("/{use_case_name}")
def create_instance(
    use_case_name: Segment,
    application_id: ApplicationId,
    store: StoreOf,
    use_case_id: Annotated[Name | None, Query(min_length=1)] = None,
) -> InstanceOut:
    """Make an instance, under a new id unless one is given. A use case nobody has used yet is made too."""
    with store.write() as connection:
        use_case = use_cases.ensure(connection, application_id, use_case_name, now())
        chosen = use_case_id or new_id()
        return _shown(instances.ensure(connection, application_id, use_case, chosen, now()))


@router.put("/{use_case_name}/{use_case_id}/properties")
def set_properties(
    use_case_name: Segment,
    use_case_id: Segment,
    body: PropertiesBody,
    application_id: ApplicationId,
    store: StoreOf,
) -> InstanceOut:
    """Set properties of an instance; the others stay."""
    with store.write() as connection:
        instance = _named(connection, application_id, use_case_name, use_case_id)
        instances.merge_properties(connection, instance, body.properties)
    return _shown(instance)


@router.get("/{use_case_name}/{use_case_id}")
def get_instance(
    use_case_name: Segment, use_case_id: Segment, application_id: ApplicationId, store: StoreOf
) -> InstanceOut:
    """One instance."""
    with store.read() as connection:
        return _shown(_named(connection, application_id, use_case_name, use_case_id))


@router.delete("/{use_case_name}/{use_case_id}")
def delete_instance(
    use_case_name: Segment, use_case_id: Segment, application_id: ApplicationId, store: StoreOf
) -> InstanceOut:
    """Delete an instance with its scores; its requests stay."""
    with store.write() as connection:
        instance = _named(connection, application_id, use_case_name, use_case_id)
        instances.remove(connection, instance)
    return _shown(instance)


@router.put("/{use_case_id}/properties")
@router.post("/{use_case_id}/properties")
def set_properties_by_id(
    use_case_id: Segment, body: PropertiesBody, application_id: ApplicationId, store: StoreOf
) -> InstanceOut:
    """Set properties where only the instance's id is known."""
    with store.write() as connection:
        instance = newest(connection, application_id, use_case_id)
        instances.merge_properties(connection, instance, body.properties)
    return _shown(instance)


@router.get("/{use_case_id}")
def get_instance_by_id(use_case_id: Segment, application_id: ApplicationId, store: StoreOf) -> InstanceOut:
    """One instance where only its id is known: the newest one of this id."""
    with store.read() as connection:
        return _shown(newest(connection, application_id, use_case_id))


@router.delete("/{use_case_id}")
def delete_instance_by_id(use_case_id: Segment, application_id: ApplicationId, store: StoreOf) -> InstanceOut:
    """Delete an instance where only its id is known: the newest one of this id."""
    with store.write() as connection:
        instance = newest(connection, application_id, use_case_id)
        instances.remove(connection, instance)
    return _shown(instance)


def newest(connection: Connection, application_id: int, use_case_id: str) -> Instance:
    """The newest instance of an id, whichever its use case; raises `ApiError` 404 without one."""
    found = instances.find_anywhere(connection, application_id, use_case_id)
    if not found:
        raise instances.not_found(use_case_id)
    return found[0]


def _named(connection: Connection, application_id: int, name: str, use_case_id: str) -> Instance:
    instance = instances.find(connection, use_cases.get(connection, application_id, name), use_case_id)
    if instance is None:
        raise instances.not_found(use_case_id)
    return instance


def _shown(instance: Instance) -> InstanceOut:
    return InstanceOut(
        use_case_id=instance.use_case_id,
        use_case_name=instance.use_case_name,
        limit_id=instance.limit_id,
        type_version=instance.type_version,
        request_id=new_request_id(),
    )
