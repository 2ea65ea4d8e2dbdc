"""Experiences: use cases under the name and paths they had first."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from fastapi import APIRouter, Response

from payi_otel.server.api import definitions, instances
from payi_otel.server.api.context import ApplicationId, Name, Paging, Segment, StoreOf
from payi_otel.server.api.models import (
    Definition,
    DefinitionBody,
    DefinitionChange,
    ExperienceOut,
    InstanceOut,
    LimitConfig,
    PageOut,
    PropertiesBody,
)
from payi_otel.server.errors import ApiError
from payi_otel.server.store import use_cases

router = APIRouter(prefix="/api/v1/experiences", tags=["experiences (older names)"])


@router.get("/types")
def list_types(
    application_id: ApplicationId,
    store: StoreOf,
    paging: Paging,
    name: Name | None = None,
) -> PageOut[Definition]:
    """All experience types, optionally the one of a name."""
    return definitions.list_definitions(application_id, store, paging, name)


@router.post("/types", status_code=201, responses={200: {"model": Definition}})
def create_type(
    body: DefinitionBody, response: Response, application_id: ApplicationId, store: StoreOf
) -> Definition:
    """Define an experience type. Defining it again changes nothing and answers 200."""
    return definitions.create_definition(body, response, application_id, store)


@router.get("/types/{experience_name}")
def get_type(experience_name: Segment, application_id: ApplicationId, store: StoreOf) -> Definition:
    """One experience type."""
    _check(experience_name, application_id, store)
    return definitions.get_definition(experience_name, application_id, store)


@router.put("/types/{experience_name}")
@router.patch("/types/{experience_name}")
def update_type(
    experience_name: Segment, body: DefinitionChange, application_id: ApplicationId, store: StoreOf
) -> Definition:
    """Change an experience type."""
    _check(experience_name, application_id, store)
    return definitions.update_definition(experience_name, body, application_id, store)


@router.post("/types/{experience_name}/limit_config")
def set_limit_config(
    experience_name: Segment, body: LimitConfig, application_id: ApplicationId, store: StoreOf
) -> Definition:
    """Give every new experience from now on a limit of its own."""
    _check(experience_name, application_id, store)
    return definitions.set_limit_config(experience_name, body, application_id, store)


@router.delete("/types/{experience_name}/limit_config")
def delete_limit_config(
    experience_name: Segment, application_id: ApplicationId, store: StoreOf
) -> Definition:
    """Give new experiences no limits any more."""
    _check(experience_name, application_id, store)
    return definitions.delete_limit_config(experience_name, application_id, store)


@router.delete("/types/{experience_name}")
def delete_type(experience_name: Segment, application_id: ApplicationId, store: StoreOf) -> Definition:
    """Delete an experience type."""
    _check(experience_name, application_id, store)
    return definitions.delete_definition(experience_name, application_id, store)


@router.post("/instances/{experience_name}")
def create_experience(
    experience_name: Segment, application_id: ApplicationId, store: StoreOf
) -> ExperienceOut:
    """Make an experience under a new id."""
    return _shown(instances.create_instance(experience_name, application_id, store, None))


@router.get("/instances/{experience_id}")
def get_experience(experience_id: Segment, application_id: ApplicationId, store: StoreOf) -> ExperienceOut:
    """One experience."""
    with _older_code():
        return _shown(instances.get_instance_by_id(experience_id, application_id, store))


@router.delete("/instances/{experience_id}")
def delete_experience(experience_id: Segment, application_id: ApplicationId, store: StoreOf) -> ExperienceOut:
    """Delete an experience."""
    with _older_code():
        return _shown(instances.delete_instance_by_id(experience_id, application_id, store))


@router.put("/instances/{experience_id}/properties")
@router.post("/instances/{experience_id}/properties")
def set_properties(
    experience_id: Segment, body: PropertiesBody, application_id: ApplicationId, store: StoreOf
) -> ExperienceOut:
    """Set properties of an experience; the others stay."""
    with _older_code():
        return _shown(instances.set_properties_by_id(experience_id, body, application_id, store))


def _check(name: str, application_id: int, store: StoreOf) -> None:
    """The older API has a code of its own for an unknown type."""
    with store.read() as connection:
        if use_cases.find(connection, application_id, name) is None:
            message = f"experience_name: {name!r} is not defined; create it first"
            raise ApiError(404, "experience_type_not_found", message)


@contextmanager
def _older_code() -> Generator[None, None, None]:
    """So has it for an unknown experience."""
    try:
        yield
    except ApiError as error:
        if error.code != "use_case_instance_not_found":
            raise
        raise ApiError(404, "experience_instance_not_found", error.message) from None


def _shown(instance: InstanceOut) -> ExperienceOut:
    return ExperienceOut(
        experience_id=instance.use_case_id,
        experience_name=instance.use_case_name,
        limit_id=instance.limit_id,
        request_id=instance.request_id,
    )
