"""Every error the API answers, in its documented shapes: ApiError, ProxyApiError and ProblemDetails."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

logger = logging.getLogger("payi_otel.server")

_RETRYABLE = frozenset({408, 409, 429})


class ApiError(HTTPException):
    """A refusal. `code` is one of the API's stable codes, or None where it has none; the message may change.

    `retry_after_s` tells clients when to try again.
    """

    def __init__(
        self, status: int, code: str | None, message: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(status, message)
        self.retry_after_s = retry_after_s
        self.code = code
        # Half an emoji, quoted from a request, would make the answer unsendable.
        self.message = message.encode("utf-8", "backslashreplace").decode()


def error_body(error: ApiError) -> dict[str, Any]:
    """The ApiError object."""
    body: dict[str, Any] = {"message": error.message, "statusCode": error.status_code}
    if error.code is not None:
        body["xproxy_error"] = {"code": error.code, "message": error.message}
    return body


def error_response(error: ApiError, *, path: str = "", method: str = "") -> JSONResponse:
    """The answer for an error. A permanent one tells clients not to try again."""
    permanent = error.status_code == 501 or (error.status_code < 500 and error.status_code not in _RETRYABLE)
    headers = {"x-should-retry": "false"} if permanent else {}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    if error.status_code in {400, 404} and _sets_a_score(method, path):
        return JSONResponse(_problem(error), error.status_code, headers)
    return JSONResponse(error_body(error), error.status_code, headers)


def validation_error(errors: Sequence[Any]) -> ApiError:
    """The ApiError for what pydantic found, naming field, value and fix of the first finding."""
    first = cast("dict[str, Any]", errors[0])
    # Of a choice between types, pydantic names the one it tried in brackets.
    place = [
        str(part) for part in first["loc"] if part not in {"body", "query", "path"} and "[" not in str(part)
    ]
    where = ".".join(place) or "body"
    kind = str(first["type"])
    if kind == "missing":
        return ApiError(400, "required_field_missing", f"{where}: missing; the API requires it")
    if kind == "extra_forbidden":
        return ApiError(400, "invalid_json", f"{where}: unknown field; remove it")
    if kind == "json_invalid":
        return ApiError(400, "invalid_json", f"the body is not JSON: {first.get('ctx', {}).get('error', '')}")
    if isinstance(first.get("input"), bytes):
        # As curl sends it unless told otherwise.
        return ApiError(400, "invalid_json", "body: is not read; send it with content-type: application/json")
    said = str(first["msg"]).removeprefix("Value error, ")
    shown = "" if isinstance(first.get("input"), (dict, list)) else f"{_shown(first.get('input'))}: "
    code = "invalid_use_case_name" if kind == "use_case_name" else "invalid_json"
    return ApiError(400, code, f"{where}: {shown}{said}")


def failure(error: Exception, what: str) -> ApiError:
    """The answer to a failure of our own, which is logged."""
    # Only type and place: the exception's own text may quote what somebody sent.
    place = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s failed: %s\n%s", what, type(error).__name__, place)
    return ApiError(500, "unexpected_error", "the server failed; its log says where")


def add_error_handlers(app: FastAPI) -> None:
    """Answer every refusal of `app` in the API's shapes."""

    def refused(request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, ApiError):
            assert isinstance(error, HTTPException)
            error = ApiError(error.status_code, None, f"{request.method} {request.url.path}: {error.detail}")
        return error_response(error, path=request.url.path, method=request.method)

    def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        path, method = request.url.path, request.method
        found = validation_error(error.errors())
        if path.startswith("/api/v1/limits") and found.code == "invalid_json":
            found = ApiError(400, _limit_code(method, error.errors()[0]["loc"]), found.message)
        return error_response(found, path=path, method=method)

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)


def _limit_code(method: str, place: Sequence[Any]) -> str:
    if "max" in place:
        return "invalid_max_limit"
    if "body" not in place:
        return "invalid_json"
    return "update_limit_validation_failed" if method == "PUT" else "create_limit_validation_failed"


def _problem(error: ApiError) -> dict[str, Any]:
    title = error.code or ("Not Found" if error.status_code == 404 else "Bad Request")
    return {
        "type": "about:blank",
        "title": title,
        "status": error.status_code,
        "detail": error.message,
        "instance": None,
    }


def _sets_a_score(method: str, path: str) -> bool:
    parts = path.split("/")
    return method in {"PUT", "POST"} and "instances" in parts[:5] and parts[-2:-1] == ["kpis"]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
