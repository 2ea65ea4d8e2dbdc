"""Limits: accumulated spend against a maximum."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Response

from payi_otel.server.api.context import (
    ApplicationId,
    Name,
    Paging,
    Segment,
    StoreOf,
    as_utc,
    new_request_id,
    now,
)
from payi_otel.server.api.models import Base, PageOut, PropertiesBody
from payi_otel.server.api.models_limits import (
    LimitAnswer,
    LimitBody,
    LimitChange,
    LimitCost,
    LimitHistory,
    LimitHistoryAnswer,
    LimitOut,
    LimitRemoved,
    LimitTotals,
    RequestCounts,
    TotalBase,
)
from payi_otel.server.store import limits
from payi_otel.server.store.limits import Limit, NewLimit, Totals

router = APIRouter(prefix="/api/v1/limits", tags=["limits"])


@router.get("")
def list_limits(
    application_id: ApplicationId, store: StoreOf, paging: Paging, limit_name: Name | None = None
) -> PageOut[LimitOut]:
    """All limits, optionally the one of a name."""
    with store.read() as connection:
        page = limits.page(connection, application_id, paging, limit_name)
    return PageOut(
        items=[shown(limit) for limit in page.items], cursor=page.cursor, request_id=new_request_id()
    )


@router.post("", status_code=201, responses={200: {"model": LimitAnswer}})
def create_limit(
    body: LimitBody, response: Response, application_id: ApplicationId, store: StoreOf
) -> LimitAnswer:
    """Create a limit. With a `limit_id` that exists and the same amounts it gives that one, and answers 200."""
    wanted = NewLimit(
        limit_name=body.limit_name,
        max=exact(body.max),
        limit_id=body.limit_id,
        limit_type=body.limit_type,
        threshold=body.threshold,
        properties=body.properties or {},
    )
    with store.write() as connection:
        limit, is_new = limits.create(connection, application_id, wanted, now())
    response.status_code = 201 if is_new else 200
    return _answer(limit)


@router.get("/{limit_id}")
def get_limit(limit_id: Segment, application_id: ApplicationId, store: StoreOf) -> LimitAnswer:
    """One limit with what is spent in its current period."""
    with store.read() as connection:
        return _answer(limits.get(connection, application_id, limit_id))


@router.put("/{limit_id}")
def update_limit(
    limit_id: Segment, body: LimitChange, application_id: ApplicationId, store: StoreOf
) -> LimitAnswer:
    """Change the name, or the maximum, which must not be below what is spent."""
    maximum = None if body.max is None else exact(body.max)
    with store.write() as connection:
        changed = limits.change(
            connection, application_id, limit_id, now(), name=body.limit_name, max=maximum
        )
    return _answer(changed)


@router.delete("/{limit_id}")
def delete_limit(limit_id: Segment, application_id: ApplicationId, store: StoreOf) -> LimitRemoved:
    """Delete a limit; requests keep its id."""
    with store.write() as connection:
        limits.remove(connection, application_id, limit_id)
    return LimitRemoved(request_id=new_request_id())


@router.post("/{limit_id}/reset")
def reset_limit(
    limit_id: Segment,
    application_id: ApplicationId,
    store: StoreOf,
    reset_date: Annotated[datetime | None, Query(alias="resetDate")] = None,
) -> LimitHistoryAnswer:
    """Set the spend back to 0. The answer is the period that this closes."""
    at = now() if reset_date is None else as_utc(reset_date)
    with store.write() as connection:
        closed = limits.reset(connection, application_id, limit_id, at)
    history = LimitHistory(
        limit_id=closed.limit_id,
        limit_name=closed.limit_name,
        limit_type="block" if closed.limit_type == "block" else "allow",
        max=float(closed.max),
        totals=_totals(closed.totals, closed),
        limit_reset_timestamp=at,
    )
    return LimitHistoryAnswer(limit_history=history, request_id=new_request_id())


@router.put("/{limit_id}/properties")
@router.post("/{limit_id}/properties", include_in_schema=False)
def set_properties(
    limit_id: Segment, body: PropertiesBody, application_id: ApplicationId, store: StoreOf
) -> list[LimitAnswer]:
    """Set properties of a limit; the others stay. The answer is a list, as Pay-i's is."""
    with store.write() as connection:
        changed = limits.merge_properties(connection, application_id, limit_id, body.properties)
    return [_answer(changed)]


def exact(number: float) -> Decimal:
    """The decimal number that somebody wrote, rather than the binary one next to it."""
    return Decimal(repr(number))


def shown(limit: Limit) -> LimitOut:
    """A limit as the API shows it."""
    return LimitOut(
        limit_id=limit.limit_id,
        limit_name=limit.limit_name,
        limit_type="block" if limit.limit_type == "block" else "allow",
        max=float(limit.max),
        threshold=limit.threshold,
        limit_creation_timestamp=limit.created_at,
        limit_update_timestamp=limit.updated_at,
        totals=_totals(limit.totals, limit),
    )


def _answer(limit: Limit) -> LimitAnswer:
    return LimitAnswer(limit=shown(limit), request_id=new_request_id())


def _totals(totals: Totals, limit: Limit) -> LimitTotals:
    overrun = max(Decimal(0), totals.total - limit.max) if limit.limit_type == "allow" else Decimal(0)
    return LimitTotals(
        cost=LimitCost(
            input=Base(base=float(totals.input)),
            output=Base(base=float(totals.output)),
            total=TotalBase(base=float(totals.total), overrun_base=float(overrun)),
        ),
        requests=RequestCounts(**totals.requests, total=sum(totals.requests.values())),
    )
