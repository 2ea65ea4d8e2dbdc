"""Answers as OTLP wants them: export responses with partial success, and google.rpc.Status where it fails."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from payi_otel.gateway.batch import Signal
from payi_otel.gateway.receiver import Accepted, Encoding

INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE, UNAUTHENTICATED = 3, 8, 14, 16
_JSON_COUNTS = {"traces": "rejectedSpans", "logs": "rejectedLogRecords"}


def export_response(
    signal: Signal, accepted: Accepted
) -> ExportTraceServiceResponse | ExportLogsServiceResponse:
    """The response to a request that was taken; a message without refusals is a warning."""
    refused, message = accepted.refused, accepted.message
    if signal == "traces":
        if not message:
            return ExportTraceServiceResponse()
        trace_part = ExportTracePartialSuccess(rejected_spans=refused, error_message=message)
        return ExportTraceServiceResponse(partial_success=trace_part)
    if not message:
        return ExportLogsServiceResponse()
    log_part = ExportLogsPartialSuccess(rejected_log_records=refused, error_message=message)
    return ExportLogsServiceResponse(partial_success=log_part)


def export_body(signal: Signal, encoding: Encoding, accepted: Accepted) -> bytes:
    """The same as an HTTP body."""
    if encoding == "protobuf":
        return export_response(signal, accepted).SerializeToString()
    body: dict[str, Any] = {}
    if accepted.message:
        # A 64-bit number is text in protobuf's JSON.
        counts = {_JSON_COUNTS[signal]: str(accepted.refused)} if accepted.refused else {}
        body["partialSuccess"] = {**counts, "errorMessage": accepted.message}
    return json.dumps(body).encode()


def failure(code: int, message: str, retry_after_s: int | None = None) -> Status:
    """What went wrong, by its gRPC code. Without `retry_after_s` a sender is not to repeat RESOURCE_EXHAUSTED."""
    status = Status(code=code, message=message)
    if retry_after_s is not None:
        detail = AnyMessage()
        detail.Pack(RetryInfo(retry_delay=Duration(seconds=retry_after_s)))
        status.details.append(detail)
    return status


def failure_body(encoding: Encoding, code: int, message: str, retry_after_s: int | None = None) -> bytes:
    """The same as an HTTP body."""
    if encoding == "protobuf":
        return failure(code, message, retry_after_s).SerializeToString()
    return json.dumps({"code": code, "message": message}).encode()
