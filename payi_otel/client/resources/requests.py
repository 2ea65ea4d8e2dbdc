"""Earlier requests: their result, and properties added afterwards."""

from __future__ import annotations

from typing_extensions import Unpack

from payi_otel.client import params
from payi_otel.client.call import Call, Options, path
from payi_otel.client.decode import one
from payi_otel.client.endpoint import Resource, S, endpoint
from payi_otel.client.results import Acknowledgement, RequestResult


class RequestIdResult(Resource[S]):
    """Results by Pay-i's request id."""

    @endpoint
    def retrieve(self, request_id: str, **options: Unpack[Options]) -> Call[RequestResult]:
        """Cost, limits and attribution of a request."""
        return _result(_by_id(request_id, "result"), options)


class RequestIdProperties(Resource[S]):
    """Properties by Pay-i's request id."""

    @endpoint
    def update(
        self, request_id: str, *, properties: params.Properties, **options: Unpack[Options]
    ) -> Call[Acknowledgement]:
        """Set `properties` of a request; None clears one."""
        return _set_properties(_by_id(request_id, "properties"), properties, options)


class ResponseIdResult(Resource[S]):
    """Results by the provider's response id."""

    @endpoint
    def retrieve(
        self, provider_response_id: str, *, category: str, **options: Unpack[Options]
    ) -> Call[RequestResult]:
        """Cost, limits and attribution of a request.

        >>> client.requests.response_id.result.retrieve(completion.id, category="system.openai")  # doctest: +SKIP
        """
        return _result(_by_response(category, provider_response_id, "result"), options)


class ResponseIdProperties(Resource[S]):
    """Properties by the provider's response id."""

    @endpoint
    def update(
        self,
        provider_response_id: str,
        *,
        category: str,
        properties: params.Properties,
        **options: Unpack[Options],
    ) -> Call[Acknowledgement]:
        """Set `properties` of a request; None clears one."""
        target = _by_response(category, provider_response_id, "properties")
        return _set_properties(target, properties, options)


class ByRequestId(Resource[S]):
    """Requests by Pay-i's request id."""

    @property
    def result(self) -> RequestIdResult[S]:
        """Results."""
        return RequestIdResult(self.sender)

    @property
    def properties(self) -> RequestIdProperties[S]:
        """Properties."""
        return RequestIdProperties(self.sender)


class ByResponseId(Resource[S]):
    """Requests by the provider's response id."""

    @property
    def result(self) -> ResponseIdResult[S]:
        """Results."""
        return ResponseIdResult(self.sender)

    @property
    def properties(self) -> ResponseIdProperties[S]:
        """Properties."""
        return ResponseIdProperties(self.sender)


class Requests(Resource[S]):
    """Earlier requests."""

    @property
    def request_id(self) -> ByRequestId[S]:
        """By Pay-i's request id."""
        return ByRequestId(self.sender)

    @property
    def response_id(self) -> ByResponseId[S]:
        """By the provider's response id."""
        return ByResponseId(self.sender)


def _by_id(request_id: str, what: str) -> str:
    return path("requests/{request_id}/" + what, request_id=request_id)


def _by_response(category: str, provider_response_id: str, what: str) -> str:
    return path(
        "requests/provider/{category}/{provider_response_id}/" + what,
        category=category,
        provider_response_id=provider_response_id,
    )


def _result(target: str, options: Options) -> Call[RequestResult]:
    return Call("GET", target, one(RequestResult), repeatable=True, options=options)


def _set_properties(target: str, properties: params.Properties, options: Options) -> Call[Acknowledgement]:
    body = {"properties": params.property_values("properties", properties)}
    return Call("PUT", target, one(Acknowledgement), repeatable=True, body=body, options=options)
