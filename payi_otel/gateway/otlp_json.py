"""OTLP in JSON → spans and log events in the neutral form.

Not `google.protobuf.json_format`: OTLP writes ids in hex where protobuf's own JSON has base64, and that parser
takes the one for the other without a word.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from typing import Any, cast

from payi_otel.gateway.batch import (
    KINDS,
    STATUS_CODES,
    Batch,
    LogBatch,
    LogData,
    Malformed,
    SpanBatch,
    check_ids,
    named,
)
from payi_otel.spans.foreign.signs import SIGNS
from payi_otel.spans.neutral import SpanData, SpanEvent

_UINT64_END = 2**64
_INT64_END = 2**63

Object = dict[str, Any]
# All that reading a value of the wrong kind, size or depth can raise.
_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)


def decode_spans(message: bytes) -> SpanBatch:
    """The spans of an OTLP/JSON trace request that may tell a call or a score. Raises `Malformed` when it is none."""
    batch: SpanBatch = Batch()
    for resource, scope, spans in _items(message, ("resourceSpans", "scopeSpans", "spans"), batch):
        name, version = str(scope.get("name") or ""), str(scope.get("version") or "")
        for span in spans:
            try:
                read = _span(_object(span), resource, name, version)
                if read.events or not SIGNS.isdisjoint(read.attributes):
                    batch.items.append(read)
            except _UNREADABLE as error:
                batch.refused.append(f"span: {error}")
    return batch


def decode_logs(message: bytes) -> LogBatch:
    """The events among the records of an OTLP/JSON logs request. Raises `Malformed` when it is none."""
    batch: LogBatch = Batch()
    for resource, _scope, records in _items(message, ("resourceLogs", "scopeLogs", "logRecords"), batch):
        for record in records:
            try:
                log = _log(_object(record), resource)
            except _UNREADABLE as error:
                batch.refused.append(f"log record: {error}")
                continue
            if log.event_name:
                batch.items.append(log)
    return batch


def _items(
    message: bytes, path: tuple[str, str, str], batch: Batch[Any]
) -> Generator[tuple[Object, Object, list[Any]]]:
    """(resource attributes, scope, items) of each scope in the request."""
    text = message.decode("utf-8", "replace")
    if "\ufffd" in text and text.encode() != message:
        batch.warnings.append("a text that is not UTF-8 was repaired")
    try:
        request = json.loads(text.removeprefix("\ufeff"))
        outer = _list(_object(request), path[0])
    except _UNREADABLE as error:
        raise Malformed(f"not OTLP JSON: {error}") from None
    for of_resource in outer:
        try:
            resource = _attributes(_object(_object(of_resource).get("resource") or {}))
            of_scopes = [_object(item) for item in _list(of_resource, path[1])]
            # All of it before the first is given out: what fails is refused, and nothing is given out twice.
            groups = [(_object(item.get("scope") or {}), _list(item, path[2])) for item in of_scopes]
        except _UNREADABLE as error:
            batch.refused.append(f"{path[0]}: {error}")
            continue
        for scope, items in groups:
            yield resource, scope, items


def _span(span: Object, resource: Object, scope_name: str, scope_version: str) -> SpanData:
    trace_id, span_id = _id(span, "traceId"), _id(span, "spanId")
    check_ids(trace_id, span_id)
    status = _object(span.get("status") or {})
    end_ns = _uint64(span, "endTimeUnixNano")
    return SpanData(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_span_id=_id(span, "parentSpanId").hex() or None,
        name=str(span.get("name") or ""),
        kind=_enum(span.get("kind"), KINDS, "SPAN_KIND_"),
        start_ns=_uint64(span, "startTimeUnixNano") or end_ns,
        end_ns=end_ns,
        attributes=_attributes(span),
        resource=resource,
        scope_name=scope_name,
        scope_version=scope_version,
        status_code=_enum(status.get("code"), STATUS_CODES, "STATUS_CODE_"),
        status_message=str(status.get("message") or ""),
        events=tuple(
            SpanEvent(str(event.get("name") or ""), _uint64(event, "timeUnixNano"), _attributes(event))
            for event in map(_object, _list(span, "events"))
        ),
    )


def _log(record: Object, resource: Object) -> LogData:
    attributes = _attributes(record)
    return LogData(
        event_name=str(record.get("eventName") or attributes.get("event.name") or ""),
        time_ns=_uint64(record, "timeUnixNano") or _uint64(record, "observedTimeUnixNano"),
        trace_id=_id(record, "traceId").hex(),
        span_id=_id(record, "spanId").hex(),
        attributes=attributes,
        resource=resource,
    )


def _attributes(holder: Object) -> Object:
    return {
        str(attribute.get("key") or ""): _value(attribute.get("value"))
        for attribute in map(_object, _list(holder, "attributes"))
    }


def _value(value: Any) -> Any:
    if value is None:
        return None
    for kind, read in _READERS.items():
        if (content := _object(value).get(kind)) is not None:
            return read(content)
    return None


def _array(value: Any) -> list[Any]:
    return [_value(item) for item in _list(_object(value), "values")]


def _map(value: Any) -> Object:
    items = map(_object, _list(_object(value), "values"))
    return {str(item.get("key") or ""): _value(item.get("value")) for item in items}


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("boolValue: not true or false")
    return value


def _int64(value: Any) -> int:
    number = _whole(value)
    if not -_INT64_END <= number < _INT64_END:
        raise ValueError("intValue: not a number of 64 bits")
    return number


def _whole(value: Any) -> int:
    """A number that JSON may hold as text; 12.0 is 12."""
    number = float(value) if isinstance(value, float) else int(value)
    if number != int(number):
        raise ValueError(f"{value!r}: not a whole number")
    return int(number)


_READERS: dict[str, Callable[[Any], Any]] = {
    "stringValue": str,
    "intValue": _int64,
    "boolValue": _bool,
    "doubleValue": float,
    "arrayValue": _array,
    "kvlistValue": _map,
    "bytesValue": str,
}


def _uint64(holder: Object, name: str) -> int:
    value = holder.get(name)
    number = _whole(value) if value is not None and value != "" else 0
    if not 0 <= number < _UINT64_END:
        raise ValueError(f"{name}: not a time in nanoseconds")
    return number


def _id(holder: Object, name: str) -> bytes:
    value = holder.get(name)
    return bytes.fromhex(str(value)) if value is not None else b""


def _enum(value: Any, names: tuple[str, ...], prefix: str) -> str:
    """OTLP wants the number; some senders write the name."""
    if isinstance(value, str) and value.startswith(prefix):
        name = value.removeprefix(prefix)
        return name if name in names else names[0]
    return named(_whole(value) if value is not None else 0, names)


def _object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise TypeError(f"an object is expected where {type(value).__name__} stands")
    return cast(Object, value)


def _list(holder: Object, name: str) -> list[Any]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"{name}: a list is expected where {type(value).__name__} stands")
    return cast("list[Any]", value)
