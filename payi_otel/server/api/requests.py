"""Earlier requests, by our id or by the provider's."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import Connection

from payi_otel.server.api.context import ApplicationId, Segment, StoreOf
from payi_otel.server.api.models import PropertiesBody, RequestIdOut, ResultOut
from payi_otel.server.api.results import xproxy_result
from payi_otel.server.errors import ApiError
from payi_otel.server.store import limit_counts, requests
from payi_otel.server.store.requests import StoredRequest

router = APIRouter(prefix="/api/v1/requests", tags=["requests"])


@router.get("/provider/{category}/{provider_response_id}/result")
def get_result_by_response(
    category: Segment, provider_response_id: Segment, application_id: ApplicationId, store: StoreOf
) -> ResultOut:
    """Cost and attribution of a request, by the provider's id."""
    with store.read() as connection:
        found = requests.find_by_response(connection, application_id, provider_response_id, category)
        return _result(connection, _known(found, "provider_response_id", provider_response_id))


@router.put("/provider/{category}/{provider_response_id}/properties")
def set_properties_by_response(
    category: Segment,
    provider_response_id: Segment,
    body: PropertiesBody,
    application_id: ApplicationId,
    store: StoreOf,
) -> RequestIdOut:
    """Set properties of a request, by the provider's id; the others stay."""
    with store.write() as connection:
        found = requests.find_by_response(connection, application_id, provider_response_id, category)
        known = _known(found, "provider_response_id", provider_response_id)
        requests.merge_properties(connection, known, body.properties)
    return RequestIdOut(request_id=known.request_id)


@router.get("/{request_id}/result")
def get_result(request_id: Segment, application_id: ApplicationId, store: StoreOf) -> ResultOut:
    """Cost and attribution of a request."""
    with store.read() as connection:
        found = requests.find(connection, application_id, request_id)
        return _result(connection, _known(found, "request_id", request_id))


@router.put("/{request_id}/properties")
def set_properties(
    request_id: Segment, body: PropertiesBody, application_id: ApplicationId, store: StoreOf
) -> RequestIdOut:
    """Set properties of a request; the others stay."""
    with store.write() as connection:
        known = _known(requests.find(connection, application_id, request_id), "request_id", request_id)
        requests.merge_properties(connection, known, body.properties)
    return RequestIdOut(request_id=known.request_id)


def _result(connection: Connection, request: StoredRequest) -> ResultOut:
    said = limit_counts.states(connection, [request.id]).get(request.id, {})
    return ResultOut(xproxy_result=xproxy_result(request, said))


def _known(found: StoredRequest | None, field: str, value: str) -> StoredRequest:
    if found is None:
        raise ApiError(404, "request_not_found", f"{field}: {value!r} is not known; give that of a request")
    return found
