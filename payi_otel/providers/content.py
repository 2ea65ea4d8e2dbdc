"""Requests and answers as they may be kept: inline media replaced, vectors dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from payi_otel.providers.model import Exchange

PLACEHOLDER = "<not_instrumented>"

# Fields that hold media as base64, by the name they have in either API.
_MEDIA_FIELDS = frozenset({"file_data", "b64_json", "partial_image_b64", "audio"})
_VECTOR_FIELDS = frozenset({"embedding"})
# Parts whose `data` is media: an image source, an audio input, a document.
_DATA_SIBLINGS = frozenset({"media_type", "format", "transcript"})
_MIN_MEDIA_CHARACTERS = 64


def redact_request(exchange: Exchange, keep_inline_data: bool) -> dict[str, Any]:
    """A copy of the request's JSON; lists and dicts are copied, anything else that is no JSON becomes its type."""
    return cast("dict[str, Any]", _copy(exchange.request, keep_inline_data))


def redact_response(body: Mapping[str, Any], keep_inline_data: bool) -> dict[str, Any]:
    """A copy of an answer's JSON."""
    return cast("dict[str, Any]", _copy(body, keep_inline_data))


def _copy(value: Any, keep: bool) -> Any:
    if isinstance(value, Mapping):
        fields = cast("Mapping[Any, Any]", value)
        return {str(name): _field(str(name), item, fields, keep) for name, item in fields.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(item, keep) for item in cast("list[Any]", value)]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return PLACEHOLDER if not keep and value.startswith("data:") and ";base64," in value[:100] else value
    return f"<{type(value).__name__}>"


def _field(name: str, value: Any, siblings: Mapping[Any, Any], keep: bool) -> Any:
    if name in _VECTOR_FIELDS and isinstance(value, (list, str)):
        return PLACEHOLDER
    if keep or not isinstance(value, str):
        return _copy(value, keep)
    if name in _MEDIA_FIELDS and len(value) >= _MIN_MEDIA_CHARACTERS:
        return PLACEHOLDER
    if name == "data" and (siblings.get("type") == "base64" or not _DATA_SIBLINGS.isdisjoint(siblings)):
        return PLACEHOLDER
    if name == "result" and siblings.get("type") == "image_generation_call":
        return PLACEHOLDER
    return _copy(value, keep)
