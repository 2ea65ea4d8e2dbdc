"""Use case definitions and their versions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from payi_otel.server.api.context import ApplicationId, Name, Paging, Segment, StoreOf, new_request_id, now
from payi_otel.server.api.models import Definition, DefinitionBody, DefinitionChange, LimitConfig, PageOut
from payi_otel.server.store import use_cases
from payi_otel.server.store.engine import Store
from payi_otel.server.store.use_cases import UseCase

router = APIRouter(prefix="/api/v1/use_cases/definitions", tags=["use case definitions"])


@router.get("")
def list_definitions(
    application_id: ApplicationId, store: StoreOf, paging: Paging, use_case_name: Name | None = None
) -> PageOut[Definition]:
    """All use cases, optionally the one of a name."""
    with store.read() as connection:
        page = use_cases.page(connection, application_id, paging, use_case_name)
    request_id = new_request_id()
    items = [definition(item, request_id) for item in page.items]
    return PageOut(items=items, cursor=page.cursor, request_id=request_id)


@router.post("", status_code=201, responses={200: {"model": Definition}})
def create_definition(
    body: DefinitionBody, response: Response, application_id: ApplicationId, store: StoreOf
) -> Definition:
    """Define a use case. Defining it again changes nothing and answers 200."""
    with store.write() as connection:
        found, is_new = use_cases.define(
            connection,
            application_id,
            body.name,
            now(),
            description=body.description,
            logging_enabled=body.logging_enabled or False,
            limit_config=None if body.limit_config is None else body.limit_config.model_dump(),
        )
    response.status_code = 201 if is_new else 200
    return definition(found)


@router.get("/{use_case_name}")
def get_definition(use_case_name: Segment, application_id: ApplicationId, store: StoreOf) -> Definition:
    """One use case."""
    with store.read() as connection:
        return definition(use_cases.get(connection, application_id, use_case_name))


@router.put("/{use_case_name}")
def update_definition(
    use_case_name: Segment, body: DefinitionChange, application_id: ApplicationId, store: StoreOf
) -> Definition:
    """Change the description, or whether prompts and answers are stored from now on."""
    with store.write() as connection:
        found = use_cases.get(connection, application_id, use_case_name)
        use_cases.change(connection, found, defined=True, **body.model_dump(exclude_none=True))
        return definition(use_cases.get(connection, application_id, use_case_name))


@router.delete("/{use_case_name}")
def delete_definition(use_case_name: Segment, application_id: ApplicationId, store: StoreOf) -> Definition:
    """Delete a use case with its instances, KPIs and scores. What its requests cost stays."""
    with store.write() as connection:
        found = use_cases.get(connection, application_id, use_case_name)
        use_cases.remove(connection, found)
    return definition(found)


@router.post("/{use_case_name}/increment_version")
def increment_version(use_case_name: Segment, application_id: ApplicationId, store: StoreOf) -> Definition:
    """Start the next version, which new instances belong to."""
    with store.write() as connection:
        found = use_cases.get(connection, application_id, use_case_name)
        use_cases.increment_version(connection, found)
        return definition(use_cases.get(connection, application_id, use_case_name))


@router.post("/{use_case_name}/limit_config")
def set_limit_config(
    use_case_name: Segment, body: LimitConfig, application_id: ApplicationId, store: StoreOf
) -> Definition:
    """Give every new instance from now on a limit of its own; it replaces an earlier configuration."""
    return _with_limit_config(use_case_name, body.model_dump(), application_id, store)


@router.delete("/{use_case_name}/limit_config")
def delete_limit_config(use_case_name: Segment, application_id: ApplicationId, store: StoreOf) -> Definition:
    """Give new instances no limits any more; without a configuration nothing changes."""
    return _with_limit_config(use_case_name, None, application_id, store)


def _with_limit_config(
    name: str, config: dict[str, Any] | None, application_id: int, store: Store
) -> Definition:
    with store.write() as connection:
        found = use_cases.get(connection, application_id, name)
        use_cases.change(connection, found, defined=True, limit_config=config)
        return definition(use_cases.get(connection, application_id, name))


def definition(use_case: UseCase, request_id: str | None = None) -> Definition:
    """A use case as the API shows it."""
    return Definition(
        name=use_case.name,
        description=use_case.description,
        request_id=request_id or new_request_id(),
        logging_enabled=use_case.logging_enabled,
        limit_config=None if use_case.limit_config is None else dict(use_case.limit_config),
        type_version=use_case.type_version,
    )
