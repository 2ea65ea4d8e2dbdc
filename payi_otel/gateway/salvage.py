"""What can be read of an OTLP message that does not parse as a whole: one bad string must not cost a batch.

Protobuf refuses a message entirely for one string that is no UTF-8, as a text cut in the middle of a character
is. Here the message is taken apart along the fields that lead to texts: such a text is repaired, a part that still
does not parse is left out, and the rest is put together again.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from payi_otel.gateway.batch import Malformed

_LENGTH_DELIMITED = 2
_FIXED_BYTES = {1: 8, 5: 4}
# Attribute values nest; beyond this depth, which no instrumentation reaches, they are left out.
_DEEPEST = 24


@dataclass(frozen=True, slots=True)
class Part:
    """A message that may be taken apart: the numbers of its text fields, and its inner messages by field number.

    `is_item`: it is what the sender counts, a span or a log record.
    """

    type: type[Message]
    name: str
    texts: frozenset[int] = frozenset()
    inside: Mapping[int, Part] = field(default_factory=dict[int, "Part"])
    is_item: bool = False


def _attribute() -> Part:
    """The one part that holds itself: values are lists and maps of values."""
    in_value: dict[int, Part] = {}
    value = Part(AnyValue, "attribute value", frozenset({1}), in_value)
    attribute = Part(KeyValue, "attribute", frozenset({1}), {2: value})
    in_value[5] = Part(ArrayValue, "attribute value", inside={1: value})
    in_value[6] = Part(KeyValueList, "attribute value", inside={1: attribute})
    return attribute


_ATTRIBUTE = _attribute()
_RESOURCE = Part(Resource, "resource", inside={1: _ATTRIBUTE})
_SCOPE = Part(InstrumentationScope, "scope", frozenset({1, 2}), {3: _ATTRIBUTE})
_SPAN = Part(
    Span,
    "span",
    frozenset({3, 5}),
    {
        9: _ATTRIBUTE,
        11: Part(Span.Event, "span event", frozenset({2}), {3: _ATTRIBUTE}),
        13: Part(Span.Link, "span link", frozenset({3}), {4: _ATTRIBUTE}),
        15: Part(Status, "status", frozenset({2})),
    },
    is_item=True,
)
_LOG_RECORD = Part(
    LogRecord,
    "log record",
    frozenset({3, 12}),
    {5: _ATTRIBUTE.inside[2], 6: _ATTRIBUTE},
    is_item=True,
)
_SCOPE_SPANS = Part(ScopeSpans, "scope spans", frozenset({3}), {1: _SCOPE, 2: _SPAN})
_SCOPE_LOGS = Part(ScopeLogs, "scope logs", frozenset({3}), {1: _SCOPE, 2: _LOG_RECORD})
TRACES = Part(
    ExportTraceServiceRequest,
    "request",
    inside={1: Part(ResourceSpans, "resource spans", frozenset({3}), {1: _RESOURCE, 2: _SCOPE_SPANS})},
)
LOGS = Part(
    ExportLogsServiceRequest,
    "request",
    inside={1: Part(ResourceLogs, "resource logs", frozenset({3}), {1: _RESOURCE, 2: _SCOPE_LOGS})},
)


@dataclass(frozen=True, slots=True)
class Rescued:
    """A message that parses, the items left out of it, and what else was left out or repaired."""

    message: bytes
    refused: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])


def salvage(message: bytes, part: Part) -> Rescued:
    """The readable parts of `message`. Raises `Malformed` where its framing itself is broken.

    >>> salvage(b"", TRACES).message
    b''
    """
    refused: list[str] = []
    warnings: list[str] = []
    kept = _Salvage(refused, warnings).keep(message, part, 0)
    if kept is None:
        raise Malformed("not an OTLP protobuf message of this kind")
    return Rescued(kept, refused, warnings)


@dataclass(frozen=True, slots=True)
class _Salvage:
    refused: list[str]
    warnings: list[str]

    def keep(self, data: bytes, part: Part, depth: int) -> bytes | None:
        """`data` without what does not parse in it; None when nothing can be kept."""
        if _parses(part.type, data):
            return data
        if depth == _DEEPEST:
            return None
        kept: list[bytes] = []
        try:
            for tag, number, content in _fields(data):
                if content is None:
                    kept.append(tag)
                    continue
                good = self._field(number, content, part, depth)
                if good is not None:
                    kept.append(tag + _varint(len(good)) + good)
        except (IndexError, ValueError):
            return None
        joined = b"".join(kept)
        return joined if _parses(part.type, joined) else None

    def _field(self, number: int, content: bytes, part: Part, depth: int) -> bytes | None:
        if number in part.texts:
            repaired = content.decode("utf-8", "replace").encode()
            if repaired != content:
                self.warnings.append(f"{part.name}: a text that is not UTF-8 was repaired")
            return repaired
        inner = part.inside.get(number)
        if inner is None:
            return content
        good = self.keep(content, inner, depth + 1)
        if good is None and inner.is_item:
            self.refused.append(f"{inner.name}: not readable as protobuf")
        elif good is None:
            self.warnings.append(f"{part.name}: {inner.name} left out, not readable as protobuf")
        return good


def _parses(kind: type[Any], data: bytes) -> bool:
    try:
        kind.FromString(data)
    except DecodeError:
        return False
    return True


def _fields(data: bytes) -> Generator[tuple[bytes, int, bytes | None]]:
    """(tag, field number, content) of each length-delimited field; other fields whole, as (bytes, number, None)."""
    position = 0
    while position < len(data):
        start = position
        tag, position = _read_varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _LENGTH_DELIMITED:
            after_tag = position
            length, position = _read_varint(data, position)
            content = data[position : position + length]
            if len(content) != length:
                raise ValueError("a field is longer than its message")
            yield data[start:after_tag], number, content
            position += length
        else:
            if wire_type in _FIXED_BYTES:
                position += _FIXED_BYTES[wire_type]
            elif wire_type == 0:
                _, position = _read_varint(data, position)
            else:
                raise ValueError(f"wire type {wire_type}")
            yield data[start:position], number, None


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at `position` and where it ends. Raises IndexError at the end of the data."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than ten bytes")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
