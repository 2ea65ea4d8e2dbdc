"""What a failed span tells of its failure: the HTTP status behind an exception's name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from payi_otel.providers.units import whole
from payi_otel.spans.neutral import SpanData

# Exceptions of both SDKs in all languages, and Anthropic's error types; each stands for one status.
_STATUS: Mapping[str, int] = {
    "BadRequestError": 400,
    "AuthenticationError": 401,
    "PermissionDeniedError": 403,
    "NotFoundError": 404,
    "ConflictError": 409,
    "UnprocessableEntityError": 422,
    "RateLimitError": 429,
    "InternalServerError": 500,
    "BadRequestException": 400,
    "UnauthorizedException": 401,
    "PermissionDeniedException": 403,
    "NotFoundException": 404,
    "UnprocessableEntityException": 422,
    "RateLimitException": 429,
    "InternalServerException": 500,
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}
# How both SDKs begin the message of an error that has a status.
_IN_MESSAGE = re.compile(r"(?:Error code: )?([45]\d\d)\b")
# Pay-i's code for a failure that never got an HTTP status.
_NO_STATUS = 299


def failure_of(span: SpanData) -> tuple[int | None, str | None]:
    """HTTP status and the name of a failure without one.

    (429, None) for a call that was refused, (299, "APITimeoutError") for one that got no answer, the status as
    told, or (None, None), for one that went well.
    """
    told = whole(span.attributes.get("http.response.status_code")) or None
    name = _error_name(span)
    if name is None:
        return told, None
    if told is not None and told >= 400:
        return told, None
    said = _IN_MESSAGE.match(name) or _IN_MESSAGE.match(span.status_message)
    status = int(said[1]) if said else _STATUS.get(name)
    return (status, None) if status is not None else (_NO_STATUS, name)


def _error_name(span: SpanData) -> str | None:
    """The last part of the error's type, such as "RateLimitError"; None for a span that went well."""
    kind = span.attributes.get("error.type")
    if kind is None and span.status_code == "ERROR":
        kinds = (event.attributes.get("exception.type") for event in span.events if event.name == "exception")
        kind = next((one for one in kinds if one), "error")
    return str(kind).rpartition(".")[2] if kind is not None else None
