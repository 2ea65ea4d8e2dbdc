"""Ingest: single, bulk, and bulk-upsert."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import SkipValidation

from payi_otel.server.api.context import ApplicationId, StoreOf, new_request_id, now
from payi_otel.server.api.events import (
    BulkIngestRequest,
    IngestRequest,
    accepted_fields,
    attribution,
    checked_json,
    logging_disabled,
    price_as,
    to_event,
)
from payi_otel.server.api.models import ApiErrorOut, BulkOut, Identity, IngestOut, ItemError
from payi_otel.server.api.results import ingest_answer
from payi_otel.server.errors import ApiError, error_body
from payi_otel.server.store import limits
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ingest import Event, store_bulk, store_events

router = APIRouter(prefix="/api/v1/ingest", tags=["ingest"])


class _BulkRequest(Request):
    """Gives events that are right without exception as checked fields, and says so in `state.are_checked`."""

    async def json(self) -> Any:
        fields = checked_json(await self.body())
        self.state.are_checked = fields is not None
        return await super().json() if fields is None else fields


class _BulkRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            return await handle(_BulkRequest(request.scope, request.receive))

        return answer


bulk_router = APIRouter(prefix="/api/v1/ingest", tags=["ingest"], route_class=_BulkRoute)

MOST_EVENTS = 10_000
_REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": BulkOut | ApiErrorOut, "description": "No event was taken"}
}
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
    event = to_event(accepted_fields(sent), now(), event_id=id, log=not logging_disabled(headers))
    event = event._replace(columns={**event.columns, **price_as(headers)})
    refusal = _blocked(store, application_id, [event])
    if refusal:
        raise refusal[0]
    (outcome,) = store.transact(
        lambda connection: store_events(connection, application_id, [event], now(), upsert=False)
    )
    experience = "xProxy-Experience-Name" in headers or "xProxy-Experience-ID" in headers
    return ingest_answer(outcome, experience=experience)


@bulk_router.post("/bulk", response_model=BulkOut, responses=_REFUSED)
def bulk(events: Events, request: Request, application_id: ApplicationId, store: StoreOf) -> JSONResponse:
    """Take many events. Refused ones are listed, the others are taken; known ones are not counted again."""
    return _take(events, request, application_id, store, upsert=False)


@bulk_router.post("/bulk-upsert", response_model=BulkOut, responses=_REFUSED)
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
    good, errors = _sorted_out(
        items, arrived, are_checked=request.state.are_checked, log=not logging_disabled(request.headers)
    )
    blocked = _blocked(store, application_id, [event for _, event in good])
    for place, error in blocked.items():
        errors.append(_item_error(good[place][0], error))
    events = [event for place, (_, event) in enumerate(good) if place not in blocked]
    store.transact(lambda connection: store_bulk(connection, application_id, events, arrived, upsert=upsert))
    answer = BulkOut(
        request_id=new_request_id(),
        ingest_timestamp=arrived,
        ingest_count=len(events),
        error_count=len(errors),
        item_error_count=len(errors),
        total_count=len(items),
        errors=sorted(errors, key=lambda error: error.item_index) or None,
    )
    refused = bool(errors) and not events
    headers = {"x-should-retry": "false"} if refused else None
    return JSONResponse(answer.model_dump(mode="json"), 400 if refused else 200, headers)


def _sorted_out(
    items: Sequence[Any], arrived: datetime, *, are_checked: bool, log: bool
) -> tuple[list[tuple[int, Event]], list[ItemError]]:
    """The good events with their places, and the errors of the others."""
    events: list[tuple[int, Event]] = []
    errors: list[ItemError] = []
    for index, item in enumerate(items):
        try:
            fields = item if are_checked else accepted_fields(item)
            events.append((index, to_event(fields, arrived, log=log)))
        except ApiError as error:
            errors.append(_item_error(index, error))
    return events, errors


def _item_error(index: int, error: ApiError) -> ItemError:
    return ItemError(item_index=index, xproxy_result=ApiErrorOut(**error_body(error)))


def _blocked(store: Store, application_id: int, events: Sequence[Event]) -> dict[int, ApiError]:
    """The events that name limits which block, by place: what is already spent cannot be refused."""
    named = {one for event in events for one in event.columns.get("limit_ids", ())}
    if not named:
        return {}
    with store.read() as connection:
        types = limits.types_of(connection, application_id, named)
    refused: dict[int, ApiError] = {}
    if "block" not in types.values():
        return refused
    for place, event in enumerate(events):
        blocking = [one for one in event.columns.get("limit_ids", ()) if types.get(one) == "block"]
        if blocking:
            message = f"limit_ids: {blocking[0]!r} blocks, which only the proxy can; name limits that allow"
            refused[place] = ApiError(400, "blocking_limit_not_allowed", message)
    return refused
