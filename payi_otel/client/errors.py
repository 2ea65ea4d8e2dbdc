"""What the client raises. All of it derives from `PayiError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


class PayiError(Exception):
    """Base of every error of this client."""


class InvalidArgumentError(PayiError, ValueError):
    """An argument cannot be sent. The message names the argument, its value and the fix; nothing was sent."""


class APIError(PayiError):
    """A request was sent, or at least attempted, and did not give a usable answer."""

    def __init__(self, message: str, *, body: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.body = body


class APIConnectionError(APIError):
    """No answer: the service could not be reached, or the connection broke. `__cause__` is the HTTP error."""


class APITimeoutError(APIConnectionError):
    """No answer within the timeout."""


class APIResponseValidationError(APIError):
    """The service answered with success, but the body is not what the API documents."""


class APIStatusError(APIError):
    """The service refused the request.

    `status_code`: HTTP status. `code`: the API's stable error code such as "limit_reached", or None.
    `message`: the API's own words. `request_id`: what to quote to support, or None. `body`: the decoded JSON
    body, or its text. `headers`: the response headers.

    >>> error = status_error("PUT", "/x", 404, {"message": "no such KPI", "statusCode": 404}, {})
    >>> type(error).__name__, error.message
    ('NotFoundError', 'no such KPI')
    """

    def __init__(
        self,
        summary: str,
        *,
        message: str,
        status_code: int,
        code: str | None,
        request_id: str | None,
        body: object,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(summary, body=body)
        self.message = message
        self.status_code = status_code
        self.code = code
        self.request_id = request_id
        self.headers = headers


class BadRequestError(APIStatusError):
    """HTTP 400: the request is wrong, or a block limit is reached (`code == "limit_reached"`)."""


class AuthenticationError(APIStatusError):
    """HTTP 401: the API key is missing or wrong."""


class PermissionDeniedError(APIStatusError):
    """HTTP 403: the API key may not do this."""


class NotFoundError(APIStatusError):
    """HTTP 404: no such object."""


class ConflictError(APIStatusError):
    """HTTP 409: the object's state forbids it."""


class UnprocessableEntityError(APIStatusError):
    """HTTP 422: well-formed, but not acceptable."""


class RateLimitError(APIStatusError):
    """HTTP 429: too many requests; retries are used up."""


class InternalServerError(APIStatusError):
    """HTTP 5xx: the service failed; retries are used up."""


_BY_STATUS: Mapping[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def status_error(
    method: str, path: str, status: int, body: object, headers: Mapping[str, str]
) -> APIStatusError:
    """The typed error for a refused request, read from any of the API's error shapes."""
    fields = _mapping(body)
    fault = _mapping(fields.get("xproxy_error"))
    message = _message(fields, fault) or _text(body) or "no explanation given"
    code = fault.get("code")
    code = code if isinstance(code, str) and code else None
    request_id = (
        _text(fields.get("request_id"))
        or _text(_mapping(fields.get("xproxy_result")).get("request_id"))
        or headers.get("x-request-id")
    )
    details = "".join(
        f", {name} {value}" for name, value in (("code", code), ("request", request_id)) if value
    )
    kind = _BY_STATUS.get(status) or (InternalServerError if status >= 500 else APIStatusError)
    return kind(
        f"{method} {path}: HTTP {status}{details}: {message}",
        message=message,
        status_code=status,
        code=code,
        request_id=request_id,
        body=body,
        headers=headers,
    )


def _message(fields: Mapping[str, Any], fault: Mapping[str, Any]) -> str | None:
    """ApiError, ProblemDetails, validation lists and the bulk answer each say it elsewhere."""
    spoken = _text(fields.get("message")) or _text(fault.get("message"))
    spoken = spoken or _text(fields.get("detail")) or _text(fields.get("title"))
    if spoken:
        return spoken
    items = fields.get("errors") or fields.get("detail")
    if isinstance(items, list) and items:
        return _item_message(_mapping(cast("list[Any]", items)[0]))
    return None


def _item_message(item: Mapping[str, Any]) -> str | None:
    reason = _mapping(item.get("xproxy_result"))
    said = _text(reason.get("message")) or _text(item.get("msg")) or _text(item.get("message"))
    return f"item {item['item_index']}: {said}" if said and "item_index" in item else said


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    return {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
