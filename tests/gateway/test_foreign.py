"""Recorded spans of other instrumentations, sent by OTLP, make the events that they make in process."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from payi_otel.gateway.batch import STATUS_CODES
from payi_otel.gateway.protobuf import decode_spans
from payi_otel.spans.neutral import SpanData
from payi_otel.spans.reader import events_of
from tests.foreign.conftest import records, span_of
from tests.gateway.conftest import KEY

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
HEADERS = {"content-type": "application/x-protobuf", "xproxy-api-key": KEY}


def put(target: AnyValue, value: Any) -> None:
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, dict):
        for name, inner in value.items():
            put(target.kvlist_value.values.add(key=name).value, inner)
        target.kvlist_value.SetInParent()
    elif value is not None:
        target.array_value.SetInParent()
        for inner in value:
            put(target.array_value.values.add(), inner)


def request_of(spans: list[SpanData]) -> bytes:
    """Spans in the neutral form as an OTLP request."""
    request = ExportTraceServiceRequest()
    for data in spans:
        scope_spans = request.resource_spans.add().scope_spans.add()
        scope_spans.scope.name, scope_spans.scope.version = data.scope_name, data.scope_version
        span = scope_spans.spans.add(
            trace_id=bytes.fromhex(data.trace_id),
            span_id=bytes.fromhex(data.span_id),
            parent_span_id=bytes.fromhex(data.parent_span_id or ""),
            name=data.name,
            kind=KINDS.index(data.kind),
            start_time_unix_nano=data.start_ns,
            end_time_unix_nano=data.end_ns,
        )
        span.status.code = STATUS_CODES.index(data.status_code)
        span.status.message = data.status_message
        for name, value in data.attributes.items():
            put(span.attributes.add(key=name).value, value)
        for event in data.events:
            made = span.events.add(name=event.name, time_unix_nano=event.time_ns)
            for name, value in event.attributes.items():
                put(made.attributes.add(key=name).value, value)
    return request.SerializeToString()


@pytest.mark.parametrize("instrumentation", records())
def test_events_are_the_same_by_otlp(instrumentation):
    for call in records()[instrumentation]:
        spans = [span_of(record) for record in call["spans"]]
        here = [event for event in map(events_of, spans) if event is not None]
        there = [events_of(span) for span in decode_spans(request_of(spans)).items]
        bodies = [event.body for event in there if event is not None]
        assert [without_own_id(body) for body in bodies] == [without_own_id(event.body) for event in here]


def without_own_id(body: dict[str, Any]) -> dict[str, Any]:
    """Where the provider told no id, each reading makes one."""
    return {name: value for name, value in body.items() if not str(value).startswith("payi_")}


def test_all_of_them_at_once_and_twice_are_one_event_for_each_call(gateway):
    calls = [call for made in records().values() for call in made]
    body = request_of([span_of(record) for call in calls for record in call["spans"]])
    for _ in range(2):
        answer = httpx2.post(f"{gateway.url}/v1/traces", content=body, headers=HEADERS, timeout=60)
        assert (answer.status_code, answer.content) == (200, b"")
    assert gateway.worker.force_flush(60)
    # A call may be told under an id of ours first, and keeps it when the provider's comes with another span.
    billed = [call for call in calls if any(events_of(span_of(record)) for record in call["spans"])]
    assert len(gateway.sink.events) == len(billed)
    assert len(gateway.sink.stored) == len(billed)
