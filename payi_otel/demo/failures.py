"""Errors on demand: a model named `error-429`, or the header `x-demo-error: 429` on any request."""

from __future__ import annotations

import re
from dataclasses import replace

from payi_otel.demo.wire import Answer, Json, Request, new_id

_OPENAI = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
# Azure refuses `stream_options` before this version of its API.
_AZURE_STREAM_OPTIONS_SINCE = "2024-10-21"


def failure_of(request: Request) -> Answer | None:
    """The error that this request asks for, or None."""
    model = request.body.get("model")
    status = request.headers.get("x-demo-error") or ""
    named = re.fullmatch(r"error-(\d{3})", str(model))
    if named:
        status = named[1]
    if status.isdigit():
        return _failure(request, int(status))
    version = request.query.get("api-version", _AZURE_STREAM_OPTIONS_SINCE)
    if request.body.get("stream_options") and version[:10] < _AZURE_STREAM_OPTIONS_SINCE:
        message = "Unrecognized request argument supplied: stream_options"
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return Answer.json({"error": error}, status=400)
    return None


def is_anthropic(path: str) -> bool:
    """Whether a path belongs to Anthropic's API."""
    return path.startswith("/v1/messages")


def cut(answer: Answer, after: int) -> Answer:
    """The first `after` writes of a stream, as if the connection broke there."""
    return replace(answer, chunks=(answer.chunks or ())[:after], breaks_off=True)


def _failure(request: Request, status: int) -> Answer:
    message = f"The demo provider answers {status} because you asked for it."
    body: Json
    if is_anthropic(request.path):
        kind = _ANTHROPIC.get(status, "api_error")
        body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": new_id("req_01")}
    else:
        kind, code = _OPENAI.get(status, ("server_error", None))
        body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    # Short, so that the SDKs' own retries do not make anything wait.
    return replace(Answer.json(body, status=status), headers={"retry-after-ms": "1"})
