"""A span reads the same in process, as protobuf and as JSON; what is broken in one part costs that part only."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("grpc", reason="the gateway extra is not installed")

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from payi_otel.gateway import otlp_json, protobuf
from payi_otel.gateway.batch import Malformed
from payi_otel.gateway.salvage import TRACES, salvage
from payi_otel.spans.neutral import span_data
from tests.gateway.otlp_json import as_json
from tests.gateway.spans import Kept, request_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.one_of(
    TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.one_of(
    SCALARS,
    st.lists(TEXT, max_size=3),
    st.lists(st.booleans(), max_size=3),
    st.lists(st.integers(0, 9), max_size=3),
)
ATTRIBUTES = st.dictionaries(TEXT.filter(bool), VALUES, max_size=6)


def made(kind, attributes, event_attributes, status):
    """An ended span of the SDK that may tell a call."""
    kept = Kept()
    provider = TracerProvider(resource=Resource({"service.name": "s", "n": 1}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("somebody", "1.2")
    with tracer.start_as_current_span("outer"):
        span = tracer.start_span(
            "chat", kind=kind, attributes={**attributes, "gen_ai.operation.name": "chat"}
        )
        span.add_event("gen_ai.evaluation.result", event_attributes)
        span.set_status(status)
        span.end()
    return kept.spans[0]


def plain(value):
    """Sequences as lists: a tuple in the SDK is an array in OTLP."""
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return {name: plain(item) for name, item in value.items()} if isinstance(value, dict) else value


def comparable(data):
    return (
        data.trace_id, data.span_id, data.parent_span_id, data.name, data.kind, data.start_ns, data.end_ns,
        plain(dict(data.attributes)), plain(dict(data.resource)), data.scope_name, data.scope_version,
        data.status_code, data.status_message,
        [(event.name, event.time_ns, plain(dict(event.attributes))) for event in data.events],
    )  # fmt: skip


@given(
    st.sampled_from(list(SpanKind)),
    ATTRIBUTES,
    ATTRIBUTES,
    st.sampled_from([Status(), Status(StatusCode.OK), Status(StatusCode.ERROR, "why")]),
)
def test_the_same_span_from_everywhere(kind, attributes, event_attributes, status):
    span = made(kind, attributes, event_attributes, status)
    request = encode_spans([span])
    (from_protobuf,) = protobuf.decode_spans(request.SerializeToString()).items
    (from_json,) = otlp_json.decode_spans(as_json(request)).items
    assert comparable(from_protobuf) == comparable(from_json) == comparable(span_data(span))


def test_nested_and_binary_values_read_the_same():
    request = request_of("chatcmpl-1")
    span = request.resource_spans[0].scope_spans[0].spans[0]
    nested = span.attributes.add(key="nested").value.kvlist_value
    nested.values.add(key="list").value.array_value.values.add().bytes_value = b"\x00\xff"
    nested.values.add(key="none")
    (from_protobuf,) = protobuf.decode_spans(request.SerializeToString()).items
    (from_json,) = otlp_json.decode_spans(as_json(request)).items
    assert from_protobuf.attributes["nested"] == {"list": ["AP8="], "none": None}
    assert from_json.attributes["nested"] == from_protobuf.attributes["nested"]


def changed(**fields) -> bytes:
    """A JSON request with these fields of its span changed."""
    request = json.loads(as_json(request_of("chatcmpl-1")))
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0].update(fields)
    return json.dumps(request).encode()


@pytest.mark.parametrize(
    ("fields", "reads"),
    [
        ({"startTimeUnixNano": 1_700_000_000_000_000_000}, ("start_ns", 1_700_000_000_000_000_000)),
        ({"startTimeUnixNano": "1700000000000000001"}, ("start_ns", 1_700_000_000_000_000_001)),
        ({"startTimeUnixNano": None, "endTimeUnixNano": "5"}, ("start_ns", 5)),
        ({"kind": "SPAN_KIND_SERVER"}, ("kind", "SERVER")),
        ({"kind": 99}, ("kind", "INTERNAL")),
        ({"status": None}, ("status_code", "UNSET")),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, ("status_code", "ERROR")),
        ({"parentSpanId": ""}, ("parent_span_id", None)),
        ({"unknownField": [1, {"a": 2}]}, ("name", "chat gpt-4o-mini")),
        ({"events": None}, ("events", ())),
    ],
)
def test_what_senders_write_in_more_than_one_way(fields, reads):
    (span,) = otlp_json.decode_spans(changed(**fields)).items
    assert getattr(span, reads[0]) == reads[1]


@pytest.mark.parametrize(
    "fields",
    [
        {"traceId": "00" * 16}, {"traceId": "zz" * 16}, {"spanId": "0102"}, {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": -1}, {"startTimeUnixNano": 2**70}, {"startTimeUnixNano": 1e400}, {"kind": []},
        {"attributes": {}}, {"attributes": [1]}, {"attributes": [{"key": "a", "value": {"intValue": "x"}}]},
        {"attributes": [{"key": "a", "value": {"intValue": 2**63}}]},
        {"attributes": [{"key": "a", "value": {"boolValue": "false"}}]}, {"attributes": [{"key": "a", "value": 1}]},
        {"events": [None]}, {"status": [1]},
    ],
)  # fmt: skip
def test_a_broken_span_is_refused_and_the_others_are_not(fields):
    broken = json.loads(changed(**fields))
    whole = json.loads(as_json(request_of("chatcmpl-2")))
    broken["resourceSpans"] += whole["resourceSpans"]
    batch = otlp_json.decode_spans(json.dumps(broken).encode())
    assert len(batch.refused) == 1
    assert [span.attributes["payi.event_id"] for span in batch.items] == ["chatcmpl-2"]


def test_json_that_is_not_utf8_is_repaired():
    batch = otlp_json.decode_spans(as_json(request_of("chatcmpl-1")).replace(b"support_chat", b"support\xff"))
    assert batch.items[0].attributes["payi.use_case_name"] == "support\ufffd"
    assert batch.warnings


PLACES = [
    "name",
    "attribute value",
    "attribute key",
    "resource",
    "scope",
    "event",
    "nested",
    "status",
    "state",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_cut_text_anywhere_is_repaired(place):
    request = request_of("chatcmpl-1", "chatcmpl-2")
    resource_spans = request.resource_spans[0]
    span = resource_spans.scope_spans[0].spans[0]
    mark = "MARKé"
    if place == "name":
        span.name = mark
    elif place == "attribute value":
        span.attributes.add(key="a").value.string_value = mark
    elif place == "attribute key":
        span.attributes.add(key=mark).value.int_value = 1
    elif place == "resource":
        resource_spans.resource.attributes.add(key="a").value.string_value = mark
    elif place == "scope":
        resource_spans.scope_spans[0].scope.version = mark
    elif place == "event":
        span.events.add(name=mark)
    elif place == "nested":
        value = span.attributes.add(key="a").value.kvlist_value.values.add(key="b").value
        value.array_value.values.add().string_value = mark
    elif place == "status":
        span.status.message = mark
    else:
        span.trace_state = mark
    broken = request.SerializeToString().replace(mark.encode(), b"MARK\xc3\xff")
    batch = protobuf.decode_spans(broken)
    assert [item.attributes["payi.event_id"] for item in batch.items] == ["chatcmpl-1", "chatcmpl-2"]
    assert (batch.refused, len(batch.warnings)) == ([], 1)


def test_a_span_that_is_no_span_is_refused_alone():
    request = request_of("chatcmpl-1", "chatcmpl-2")
    length = len(request.resource_spans[0].scope_spans[0].spans[0].SerializeToString())
    good = request.resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    broken = request.SerializeToString().replace(good, b"\xff" * length)
    batch = protobuf.decode_spans(broken)
    assert [item.attributes["payi.event_id"] for item in batch.items] == ["chatcmpl-2"]
    assert batch.refused == ["span: not readable as protobuf"]


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_message_that_ends_too_early_is_malformed(cut):
    message = request_of("chatcmpl-1").SerializeToString()
    with pytest.raises(Malformed):
        protobuf.decode_spans(message[:-cut])


def test_what_parses_is_not_changed():
    message = request_of("chatcmpl-1").SerializeToString()
    rescued = salvage(message, TRACES)
    assert (rescued.message, rescued.refused, rescued.warnings) == (message, [], [])


def test_attributes_nested_without_end_cost_their_span_at_most():
    request = request_of("chatcmpl-1", "chatcmpl-2")
    inner = b"\x0a\x02\xc3\xff"
    for _ in range(5_000):
        # ArrayValue{values: AnyValue{array_value: inner}}
        inner = wrapped(0x2A, wrapped(0x0A, inner))
    good = request.resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    deep = good + wrapped(0x4A, wrapped(0x0A, b"deep") + wrapped(0x12, inner))
    scope = request.resource_spans[0].scope_spans[0]
    message = ExportTraceServiceRequest()
    message.resource_spans.add().scope_spans.add().scope.CopyFrom(scope.scope)
    body = wrapped(
        0x0A, wrapped(0x12, wrapped(0x12, deep) + wrapped(0x12, scope.spans[1].SerializeToString()))
    )
    batch = protobuf.decode_spans(body)
    assert "chatcmpl-2" in [item.attributes["payi.event_id"] for item in batch.items]
    assert batch.refused or batch.warnings


def wrapped(tag: int, content: bytes) -> bytes:
    """A length-delimited field."""
    length, encoded = len(content), bytearray()
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([tag]) + bytes([*encoded, length]) + content


def test_spans_that_cannot_tell_a_call_are_not_even_read():
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.append(Span(name="GET /"))
    batch = protobuf.decode_spans(request.SerializeToString())
    assert (batch.items, batch.refused) == ([], [])
