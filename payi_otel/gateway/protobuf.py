"""OTLP in protobuf → spans and log events in the neutral form."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from payi_otel.gateway.batch import (
    KINDS,
    STATUS_CODES,
    Batch,
    LogBatch,
    LogData,
    SpanBatch,
    check_ids,
    named,
)
from payi_otel.gateway.salvage import LOGS, TRACES, salvage
from payi_otel.spans.foreign.signs import SIGNS
from payi_otel.spans.neutral import SpanData, SpanEvent


class SlowProtobuf(RuntimeError):
    """The protobuf package here has no compiled part."""


def require_fast_protobuf() -> None:
    """Raise `SlowProtobuf` where protobuf runs in pure Python, about twenty times slower than its C version."""
    # The only place that tells; checked on protobuf 5.26 to 7.36.
    implementation = api_implementation.Type()
    if implementation != "upb":
        raise SlowProtobuf(
            f"protobuf runs as {implementation!r}, about 20 times slower than 'upb'; install a protobuf wheel for "
            "this platform (Alpine has none: use a Debian image) and unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
        )


def decode_spans(message: bytes) -> SpanBatch:
    """The spans of an `ExportTraceServiceRequest` that may tell a call or a score.

    Raises `Malformed` when it is none.
    """
    batch: SpanBatch = Batch()
    try:
        request = ExportTraceServiceRequest.FromString(message)
    except DecodeError:
        rescued = salvage(message, TRACES)
        request = ExportTraceServiceRequest.FromString(rescued.message)
        batch.refused.extend(rescued.refused)
        batch.warnings.extend(rescued.warnings)
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            name, version = scope.name, scope.version
            for span in scope_spans.spans:
                # Reaching into a message is what takes the time: each part is reached for once.
                attributes = list(span.attributes)
                keys = [attribute.key for attribute in attributes]
                if SIGNS.isdisjoint(keys) and not span.events:
                    continue
                try:
                    batch.items.append(_span(span, keys, attributes, resource, name, version))
                except ValueError as error:
                    batch.refused.append(f"span: {error}")
    return batch


def decode_logs(message: bytes) -> LogBatch:
    """The events among the records of an `ExportLogsServiceRequest`. Raises `Malformed` when it is none."""
    batch: LogBatch = Batch()
    try:
        request = ExportLogsServiceRequest.FromString(message)
    except DecodeError:
        rescued = salvage(message, LOGS)
        request = ExportLogsServiceRequest.FromString(rescued.message)
        batch.refused.extend(rescued.refused)
        batch.warnings.extend(rescued.warnings)
    for resource_logs in request.resource_logs:
        resource = _attributes(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                attributes = _attributes(record.attributes)
                # Where the event's name was kept before it had a field of its own.
                name = record.event_name or attributes.get("event.name")
                if name:
                    batch.items.append(
                        LogData(
                            event_name=str(name),
                            time_ns=record.time_unix_nano or record.observed_time_unix_nano,
                            trace_id=record.trace_id.hex(),
                            span_id=record.span_id.hex(),
                            attributes=attributes,
                            resource=resource,
                        )
                    )
    return batch


def _span(
    span: Span,
    keys: list[str],
    attributes: list[KeyValue],
    resource: dict[str, Any],
    scope_name: str,
    scope_version: str,
) -> SpanData:
    check_ids(span.trace_id, span.span_id)
    status = span.status
    return SpanData(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex() or None,
        name=span.name,
        kind=named(span.kind, KINDS),
        start_ns=span.start_time_unix_nano or span.end_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=dict(zip(keys, [_value(item.value) for item in attributes], strict=True)),
        resource=resource,
        scope_name=scope_name,
        scope_version=scope_version,
        status_code=named(status.code, STATUS_CODES),
        status_message=status.message,
        events=tuple(
            SpanEvent(event.name, event.time_unix_nano, _attributes(event.attributes))
            for event in span.events
        )
        if span.events
        else (),
    )


def _attributes(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value: AnyValue) -> Any:
    # By frequency: this is where the gateway's time goes.
    text = value.string_value
    if text:
        return text
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return text
    if kind == "int_value":
        return value.int_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "double_value":
        return value.double_value
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode("ascii")
    return None
