"""OTLP/JSON as senders write it, from the protobuf: camel case, ids in hex, enums and 64-bit numbers by the book."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

_IDS = {"traceId", "spanId", "parentSpanId"}


def as_json(message: Message) -> bytes:
    """The JSON of an OTLP request."""
    return json.dumps(_hex_ids(MessageToDict(message, use_integers_for_enums=True))).encode()


def _hex_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: base64.b64decode(inner).hex() if name in _IDS else _hex_ids(inner)
            for name, inner in value.items()
        }
    return [_hex_ids(item) for item in value] if isinstance(value, list) else value
