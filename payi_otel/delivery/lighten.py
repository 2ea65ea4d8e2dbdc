"""An event without its prompt and answer: for an endpoint that takes no event as large as this one."""

from __future__ import annotations

import json
from typing import Any, cast

_CONTENT = ("provider_request_json", "provider_response_json")


def has_content(payload: bytes) -> bool:
    """Whether an event carries a prompt or an answer.

    >>> has_content(b'{"units": {}, "provider_request_json": "..."}')
    True
    """
    return any(f'"{name}"'.encode() in payload for name in _CONTENT)


def without_content(payload: bytes) -> bytes:
    """The same event with its units, and without prompt and answer; the property `system.content` says so.

    >>> without_content(b'{"units": {}, "provider_request_json": "..."}')
    b'{"units": {}, "properties": {"system.content": "too large"}}'
    """
    event = cast("dict[str, Any]", json.loads(payload))
    for name in _CONTENT:
        event.pop(name, None)
    event["properties"] = {**event.get("properties", {}), "system.content": "too large"}
    return json.dumps(event, ensure_ascii=False).encode()
