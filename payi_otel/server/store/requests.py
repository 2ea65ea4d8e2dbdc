"""Stored requests: read by either id, and properties added afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from payi_otel.server.store import instance_sums, rollups
from payi_otel.server.store.one_of import one_of_given
from payi_otel.server.store.schema import request_bodies, requests

BODY_COLUMNS = (
    "provider_request_json",
    "provider_request_reasoning_json",
    "provider_response_json",
    "provider_response_function_calls",
)

# Made once: to make a statement takes longer than to execute it.
_BY_RESPONSES = select(requests).where(
    requests.c.application_id == bindparam("application"),
    one_of_given(requests.c.provider_response_id, "wanted"),
)


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request as it is stored; `values` are its columns by name."""

    id: int
    request_id: str
    provider_response_id: str | None
    event_timestamp: datetime
    ingest_timestamp: datetime
    input_cost: Decimal
    output_cost: Decimal
    values: Mapping[str, Any]


def find(connection: Connection, application_id: int, request_id: str) -> StoredRequest | None:
    """A request by our own id."""
    return _one(connection, _all(application_id).where(requests.c.request_id == request_id))


def find_by_response(
    connection: Connection, application_id: int, provider_response_id: str, category: str | None = None
) -> StoredRequest | None:
    """A request by the provider's id."""
    statement = _all(application_id).where(requests.c.provider_response_id == provider_response_id)
    if category is not None:
        statement = statement.where(requests.c.category == category)
    return _one(connection, statement)


def find_by_responses(
    connection: Connection, application_id: int, response_ids: Sequence[str]
) -> dict[str, StoredRequest]:
    """The requests among these provider ids that are stored already."""
    if not response_ids:
        return {}
    rows = connection.execute(_BY_RESPONSES, _given(application_id, response_ids)).mappings()
    return {row["provider_response_id"]: read_request(dict(row)) for row in rows}


def find_for_update(
    connection: Connection, application_id: int, response_ids: Sequence[str]
) -> dict[str, StoredRequest]:
    """The requests among these provider ids that are stored already, locked until the transaction ends."""
    if not response_ids:
        return {}
    # In one order everywhere, so that two batches with the same events cannot block each other.
    statement = _BY_RESPONSES.order_by(requests.c.id).with_for_update()
    rows = connection.execute(statement, _given(application_id, response_ids)).mappings()
    return {row["provider_response_id"]: read_request(dict(row)) for row in rows}


def merge_properties(
    connection: Connection, request: StoredRequest, properties: Mapping[str, str | None]
) -> None:
    """Set properties; the others stay. What the roll-ups make of them is made anew."""
    statement = select(requests).where(requests.c.id == request.id).with_for_update()
    before = dict(connection.execute(statement).mappings().one())
    after = {**before, "properties": {**before["properties"], **properties}}
    connection.execute(
        update(requests).where(requests.c.id == request.id).values(properties=after["properties"])
    )
    deltas = (rollups.Delta(before, -1), rollups.Delta(after))
    instance_sums.apply(connection, before["application_id"], deltas)
    rollups.apply(connection, before["application_id"], deltas)


def select_with_bodies(application_id: int, use_case_name: str | None = None) -> Select[Any]:
    """All requests, or those of a use case, with what was said in them (`BODY_COLUMNS`) where that is kept."""
    bodies = [request_bodies.c[name] for name in BODY_COLUMNS[:-1]]
    said = request_bodies.c.function_calls.label(BODY_COLUMNS[-1])
    statement = (
        select(requests, *bodies, said)
        .join_from(requests, request_bodies, isouter=True)
        .where(requests.c.application_id == application_id)
    )
    return statement if use_case_name is None else statement.where(requests.c.use_case_name == use_case_name)


def read_request(columns: Mapping[str, Any]) -> StoredRequest:
    """A row of the table by column name."""
    return StoredRequest(
        id=columns["id"],
        request_id=columns["request_id"],
        provider_response_id=columns["provider_response_id"],
        event_timestamp=columns["event_timestamp"],
        ingest_timestamp=columns["ingest_timestamp"],
        input_cost=columns["input_cost"],
        output_cost=columns["output_cost"],
        values=columns,
    )


def _given(application_id: int, response_ids: Sequence[str]) -> dict[str, Any]:
    return {"application": application_id, "wanted": response_ids}


def _all(application_id: int) -> Select[Any]:
    return select(requests).where(requests.c.application_id == application_id)


def _one(connection: Connection, statement: Select[Any]) -> StoredRequest | None:
    row = connection.execute(statement).mappings().first()
    return None if row is None else read_request(dict(row))
