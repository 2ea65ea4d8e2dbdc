"""Usage of chat streams whose caller did not ask for it: asked for, hidden, and taken back when refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from payi_otel.providers.model import Exchange

# The first api-version of Azure OpenAI that knows stream_options everywhere.
_AZURE_SINCE = "2024-10-21"
# Refuses stream_options with 422; every other host is asked once and remembered when it refuses.
_REFUSING_HOSTS = frozenset({"api.mistral.ai"})
_REFUSAL_STATUSES = frozenset({400, 404, 405, 415, 422})


class Verdict(Enum):
    """What to do with a chunk the caller is about to get."""

    PASS = 1
    HIDE = 2
    LOOK_AHEAD = 3
    """Pass it, but read the next chunk first: callers stop at the finish reason, before the usage."""


class UsageGate:
    """Undoes, chunk by chunk, every trace of the usage we asked for."""

    __slots__ = ("_ahead", "_choices", "_finished")

    def __init__(self, choices: int) -> None:
        self._choices = choices
        self._finished = 0
        self._ahead = False

    def judge(self, chunk: Any) -> Verdict:
        """Judge one parsed chunk (`ChatCompletionChunk`, `Completion`)."""
        fields = chunk.__dict__
        choices = fields.get("choices")
        if fields.get("usage") is not None:
            # Servers that put usage on a chunk with choices send content there: that one stays.
            return Verdict.PASS if choices else Verdict.HIDE
        fields_set = getattr(chunk, "__pydantic_fields_set__", None)
        if fields_set is None:
            fields_set = getattr(chunk, "__fields_set__", None)
        if fields_set is not None:
            # `"usage": null` is on every chunk only because we asked.
            fields_set.discard("usage")
        if not self._ahead and choices:
            self._finished += sum(1 for choice in choices if choice.__dict__.get("finish_reason") is not None)
            if self._finished >= self._choices:
                self._ahead = True
                return Verdict.LOOK_AHEAD
        return Verdict.PASS


def with_stream_usage(exchange: Exchange, body: Any, extra_body: Any) -> dict[str, Any] | None:
    """The body that asks for usage, or None when it must stay as it is. The caller's dict is not changed."""
    if exchange.sdk != "openai" or exchange.surface not in {"chat", "completion"} or not exchange.is_stream:
        return None
    if not isinstance(body, dict) or (isinstance(extra_body, Mapping) and "stream_options" in extra_body):
        return None
    fields = cast("dict[str, Any]", body)
    given = fields.get("stream_options")
    if given is not None and not isinstance(given, dict):
        return None
    options = cast("dict[str, Any]", given or {})
    if options.get("include_usage") is not None or not _accepts_stream_options(exchange, fields):
        return None
    return {**fields, "stream_options": {**options, "include_usage": True}}


def _accepts_stream_options(exchange: Exchange, body: Mapping[str, Any]) -> bool:
    if (urlsplit(exchange.base_url).hostname or "") in _REFUSING_HOSTS:
        return False
    # Azure's "On your data" has its own request schema.
    if "data_sources" in body:
        return False
    version = exchange.client_hints.get("api_version", "")
    return not version[:1].isdigit() or version[:10] >= _AZURE_SINCE


def choices_expected(body: Mapping[str, Any]) -> int:
    """How many finish reasons the stream will bring."""
    count = body.get("n")
    prompts = body.get("prompt")
    number = count if isinstance(count, int) and count > 0 else 1
    if isinstance(prompts, list) and prompts and isinstance(prompts[0], (str, list)):
        return number * len(cast("list[Any]", prompts))
    return number


def endpoint_key(exchange: Exchange) -> tuple[str, str]:
    """What a refusal is remembered for: the host and its API version."""
    parts = urlsplit(exchange.base_url)
    version = exchange.client_hints.get("api_version") or "".join(
        parse_qs(parts.query).get("api-version", [])
    )
    return parts.netloc, version


def is_refusal(error: BaseException) -> bool:
    """True when the provider refused the request because of the `stream_options` we added."""
    status = getattr(error, "status_code", None)
    if status not in _REFUSAL_STATUSES:
        return False
    text = f"{getattr(error, 'body', '')} {error}"
    return (
        "stream_options" in text
        or "include_usage" in text
        or (status in {400, 422} and ("extra_forbidden" in text or "extra fields" in text.lower()))
    )
