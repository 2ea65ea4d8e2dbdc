"""Ingest: single, bulk, and bulk-upsert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import SkipValidation, ValidationError

from payi_otel.server.api.context import ApplicationId, StoreOf, new_request_id, now
from payi_otel.server.api.events import (
    BulkIngestRequest,
    IngestRequest,
    attribution,
    logging_disabled,
    to_event,
)
from payi_otel.server.api.models import ApiErrorOut, BulkOut, Identity, IngestOut, ItemError
from payi_otel.server.api.results import ingest_answer
from payi_otel.server.errors import ApiError, error_body, validation_error
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ingest import Event, store_events

router = APIRouter(prefix="/api/v1/ingest", tags=["ingest"])

MOST_EVENTS = 10_000
Events = list[SkipValidation[BulkIngestRequest]]
"""Described as events, but checked one by one: a wrong one must not refuse the others."""


@router.post("")
def ingest(
    body: IngestRequest,
    request: Request,
    application_id: ApplicationId,
    store: StoreOf,
    id: Annotated[Identity | None, Query()] = None,
) -> IngestOut:
    """Take one event. One with a known `id` or `provider_response_id` is not counted again."""
    headers = request.headers
    sent = body.model_dump(exclude_unset=True) | attribution(headers)
    event = to_event(_checked(sent), now(), event_id=id, log=not logging_disabled(headers))
    (outcome,) = store.transact(
        lambda connection: store_events(connection, application_id, [event], now(), upsert=False)
    )
    experience = "xProxy-Experience-Name" in headers or "xProxy-Experience-ID" in headers
    return ingest_answer(outcome, experience=experience)


@router.post("/bulk", response_model=BulkOut)
def bulk(events: Events, request: Request, application_id: ApplicationId, store: StoreOf) -> JSONResponse:
    """Take many events. Refused ones are listed, the others are taken; known ones are not counted again."""
    return _take(events, request, application_id, store, upsert=False)


@router.post("/bulk-upsert", response_model=BulkOut)
def bulk_upsert(
    events: Events, request: Request, application_id: ApplicationId, store: StoreOf
) -> JSONResponse:
    """Take many events; what a known one says replaces what is stored of it."""
    return _take(events, request, application_id, store, upsert=True)


def _take(
    items: Sequence[Any], request: Request, application_id: int, store: Store, *, upsert: bool
) -> JSONResponse:
    if len(items) > MOST_EVENTS:
        message = f"{len(items)} events: send at most {MOST_EVENTS} at once"
        raise ApiError(413, "request_too_large", message)
    arrived = now()
    events, errors = _sorted_out(items, arrived, log=not logging_disabled(request.headers))
    store.transact(
        lambda connection: store_events(connection, application_id, events, arrived, upsert=upsert)
    )
    answer = BulkOut(
        request_id=new_request_id(),
        ingest_timestamp=arrived,
        ingest_count=len(events),
        error_count=len(errors),
        item_error_count=len(errors),
        total_count=len(items),
        errors=errors or None,
    )
    refused = bool(errors) and not events
    headers = {"x-should-retry": "false"} if refused else None
    return JSONResponse(answer.model_dump(mode="json"), 400 if refused else 200, headers)


def _sorted_out(items: Sequence[Any], arrived: datetime, *, log: bool) -> tuple[list[Event], list[ItemError]]:
    events: list[Event] = []
    errors: list[ItemError] = []
    for index, item in enumerate(items):
        try:
            events.append(to_event(_checked(item), arrived, log=log))
        except ApiError as error:
            errors.append(ItemError(item_index=index, xproxy_result=ApiErrorOut(**error_body(error))))
    return events, errors


def _checked(item: Any) -> BulkIngestRequest:
    try:
        return BulkIngestRequest.model_validate(item)
    except ValidationError as error:
        raise validation_error(error.errors(include_url=False)) from None
