"""OTLP/HTTP: what is taken, what is refused, and how it is told."""

from __future__ import annotations

import gzip
import json
import threading
import zlib

import httpx2
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.gateway.conftest import KEY, MAX_BODY_BYTES
from tests.gateway.otlp_json import as_json
from tests.gateway.spans import CHAT, Kept, chat_span, provider_for, request_of

PROTOBUF, JSON = "application/x-protobuf", "application/json"
AUTHORIZED = {"authorization": f"Bearer {KEY}"}


def post(running, body, content_type=PROTOBUF, path="/v1/traces", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.post(
        running.url + path,
        content=body,
        headers={"content-type": content_type, **AUTHORIZED, **named},
        timeout=60,
    )


@pytest.mark.parametrize("compression", list(Compression))
def test_the_python_exporter_in_every_compression(gateway, compression):
    exporter = OTLPSpanExporter(f"{gateway.url}/v1/traces", headers=AUTHORIZED, compression=compression)
    chat_span(provider_for(exporter), "chatcmpl-000000000000001")
    assert gateway.sink.wait_for_events(1)
    body = gateway.sink.events["chatcmpl-000000000000001"]
    assert body["units"] == {"text": {"input": 12, "output": 7}}
    assert (body["category"], body["resource"]) == ("system.openai", "gpt-4o-mini")
    assert (body["use_case_name"], body["use_case_id"]) == ("support_chat", "42")


def test_json_with_ids_in_hex(gateway):
    answer = post(gateway, as_json(request_of("chatcmpl-000000000000001")), JSON)
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (200, JSON, {})
    assert gateway.sink.wait_for_events(1)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:])),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
        ("GZIP", gzip.compress),
    ],
)
def test_content_encodings(gateway, encoding, pack):
    answer = post(
        gateway, pack(request_of("chatcmpl-000000000000001").SerializeToString()), content_encoding=encoding
    )
    assert answer.status_code == 200
    assert gateway.sink.wait_for_events(1)


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer other"}, {"xproxy-api-key": "other"}, {"authorization": f"Basic {KEY}"}],
)
def test_without_a_known_key_nothing_is_taken(gateway, headers):
    body = request_of("chatcmpl-000000000000001").SerializeToString()
    answer = httpx2.post(
        f"{gateway.url}/v1/traces", content=body, headers={"content-type": PROTOBUF, **headers}
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert Status.FromString(answer.content).code == 16
    assert gateway.worker.room_bytes == 2**26


def test_the_key_in_pay_is_own_header(gateway):
    body = request_of("chatcmpl-000000000000001").SerializeToString()
    headers = {"content-type": PROTOBUF, "xProxy-api-key": KEY}
    assert httpx2.post(f"{gateway.url}/v1/traces", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("path", "content_type", "headers", "body", "status", "said"),
    [
        ("/v1/metrics", PROTOBUF, {}, b"", 404, "/v1/traces"),
        ("/", JSON, {}, b"", 404, "/v1/logs"),
        ("/v1/traces", "text/plain", {}, b"", 415, "application/x-protobuf"),
        ("/v1/traces", PROTOBUF, {"content_encoding": "zstd"}, b"", 415, "gzip"),
        ("/v1/traces", PROTOBUF, {}, b"\xff\xff\xff", 400, "protobuf"),
        ("/v1/traces", JSON, {}, b"[]", 400, "object"),
        ("/v1/traces", JSON, {}, b"{", 400, "JSON"),
        ("/v1/traces", JSON, {}, b"[" * 100_000, 400, "JSON"),
        ("/v1/traces", JSON, {}, b'{"a":' + b"9" * 10_000 + b"}", 400, "JSON"),
        ("/v1/traces", PROTOBUF, {"content_encoding": "gzip"}, b"not gzip", 400, "content-encoding"),
        ("/v1/traces", PROTOBUF, {"content_encoding": "gzip"}, gzip.compress(b"x" * 99)[:-9], 400, "early"),
        ("/v1/traces", PROTOBUF, {"content_encoding": "deflate"}, zlib.compress(b"") + b"x", 400, "follow"),
        ("/v1/traces", PROTOBUF, {"content_encoding": "gzip"}, gzip.compress(b"") * 99, 400, "members"),
    ],
)
def test_refusals_name_the_fix_in_the_senders_encoding(
    gateway, path, content_type, headers, body, status, said
):
    answer = post(gateway, body, content_type, path, **headers)
    assert answer.status_code == status
    if content_type == PROTOBUF:
        assert said in Status.FromString(answer.content).message
    else:
        assert said in answer.json()["message"]


def test_only_post(gateway):
    answer = httpx2.get(f"{gateway.url}/v1/traces", headers=AUTHORIZED)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def chunks_of(data: bytes, size: int = 65_536):
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\0" * (MAX_BODY_BYTES + 1), {}),
        (chunks_of(b"\0" * (MAX_BODY_BYTES + 1)), {}),
        (gzip.compress(b"\0" * 400_000_000, 1), {"content_encoding": "gzip"}),
        (zlib.compress(b"\0" * 400_000_000, 1), {"content_encoding": "deflate"}),
        (
            gzip.compress(b"\0" * MAX_BODY_BYTES) + gzip.compress(b"\0" * 2),
            {"content_encoding": "gzip"},
        ),
    ],
    ids=["announced", "chunked", "gzip bomb", "deflate bomb", "two members"],
)
def test_too_large(gateway, body, headers):
    answer = post(gateway, body, **headers)
    assert answer.status_code == 413
    assert str(MAX_BODY_BYTES) in Status.FromString(answer.content).message


def test_a_body_of_just_the_limit(gateway):
    padding = request_of("chatcmpl-000000000000001").SerializeToString()
    # An unknown field of this length, which parsers pass over.
    room = MAX_BODY_BYTES - len(padding) - 6
    body = padding + b"\xfa\x7f" + bytes([room & 0x7F | 0x80, room >> 7 & 0x7F | 0x80, room >> 14 & 0x7F | 0x80, room >> 21])  # fmt: skip
    assert post(gateway, body + b"\0" * room).status_code == 200
    assert gateway.sink.wait_for_events(1)


def test_more_bodies_at_once_than_may_be_held(make_gateway):
    running = make_gateway(max_body_bytes=100_000, max_held_bytes=100_000)
    begun, go_on = threading.Event(), threading.Event()

    def slowly():
        yield b"\0" * 90_000
        begun.set()
        assert go_on.wait(60)
        yield request_of("chatcmpl-000000000000001").SerializeToString()

    answers = []
    slow = threading.Thread(target=lambda: answers.append(post(running, slowly())))
    slow.start()
    assert begun.wait(60)
    body = request_of("chatcmpl-000000000000002").SerializeToString().ljust(20_000, b"\0")
    try:
        # Its bytes are on their way: the gateway may read them a moment later.
        refused = post(running, body)
        while refused.status_code != 429:
            refused = post(running, body)
    finally:
        go_on.set()
        slow.join()
    assert refused.headers["retry-after"] == "3"
    # Padding with zeros is no protobuf; what counts is that the memory is free again.
    assert answers[0].status_code == 400
    assert post(running, request_of("chatcmpl-000000000000002").SerializeToString()).status_code == 200


def test_a_full_outbox_asks_to_come_again_and_then_takes_it(make_gateway):
    running = make_gateway(outbox_max_bytes=2_500, api_key=None)
    body = request_of("chatcmpl-000000000000001").SerializeToString()
    assert post(running, body).status_code == 200
    large = request_of("chatcmpl-000000000000002", **{"payi.provider_request_json": "x" * 1_600})
    refused = post(running, large.SerializeToString())
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    status = Status.FromString(refused.content)
    assert status.code == 8
    assert status.details[0].type_url.endswith("RetryInfo")
    running.worker.use_api_key("k")
    assert running.sink.wait_for_events(1)
    exporter = OTLPSpanExporter(f"{running.url}/v1/traces", headers=AUTHORIZED, timeout=60)
    kept = Kept()
    chat_span(provider_for(kept), "chatcmpl-000000000000002", {"payi.provider_request_json": "x" * 1_600})
    assert exporter.export(kept.spans) is SpanExportResult.SUCCESS
    assert running.sink.wait_for_events(2)


def test_the_same_batch_again_after_it_was_refused_is_stored(make_gateway):
    running = make_gateway(outbox_max_bytes=500, api_key=None)
    body = request_of("chatcmpl-000000000000001", "chatcmpl-000000000000002").SerializeToString()
    assert post(running, body).status_code == 429
    assert post(running, body).status_code == 429
    running.worker.use_api_key("k")
    while post(running, body).status_code != 200:
        pass
    assert running.sink.wait_for_events(2)


def test_a_disk_that_fails_acknowledges_nothing(make_gateway):
    running = make_gateway()
    running.folder.write_text("where the outbox folder should be")
    body = request_of("chatcmpl-000000000000001").SerializeToString()
    assert post(running, body).status_code == 429
    assert running.sink.events == {}


def test_partial_success_counts_what_is_refused(gateway):
    request = request_of("chatcmpl-000000000000001", "chatcmpl-000000000000002", "chatcmpl-000000000000003")
    spans = request.resource_spans[0].scope_spans[0].spans
    spans[0].trace_id = b"short"
    # Limit ids are a list of texts.
    spans[1].attributes.add(key="payi.limit_ids").value.int_value = 5
    answer = post(gateway, request.SerializeToString())
    assert answer.status_code == 200
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 2
    assert "trace_id" in partial.error_message
    assert "TypeError" in partial.error_message
    assert gateway.sink.wait_for_events(1)
    assert list(gateway.sink.events) == ["chatcmpl-000000000000003"]


def test_partial_success_in_json(gateway):
    body = json.loads(as_json(request_of("chatcmpl-000000000000001", "chatcmpl-000000000000002")))
    body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"] = "no hex"
    answer = post(gateway, json.dumps(body).encode(), JSON).json()
    assert answer["partialSuccess"]["rejectedSpans"] == "1"
    assert gateway.sink.wait_for_events(1)


def test_a_text_that_is_not_utf8_costs_nothing(gateway):
    marked = request_of("chatcmpl-000000000000001", **{"payi.user_id": "MARK-é"}).SerializeToString()
    answer = post(gateway, marked.replace("MARK-é".encode(), b"MARK-\xc3\xff"))
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 0
    assert "UTF-8" in partial.error_message
    assert gateway.sink.wait_for_events(1)
    assert gateway.sink.events["chatcmpl-000000000000001"]["user_id"].startswith("MARK-")


def test_spans_that_are_no_calls_are_taken_and_left(gateway):
    nothing = dict.fromkeys((*CHAT, "payi.event_id", "gen_ai.response.id"))
    kept = Kept()
    chat_span(provider_for(kept), "unused", {**nothing, "http.route": "/"})
    exporter = OTLPSpanExporter(f"{gateway.url}/v1/traces", headers=AUTHORIZED)
    assert exporter.export(kept.spans) is SpanExportResult.SUCCESS
    assert gateway.worker.room_bytes == 2**26


def test_what_is_acknowledged_is_on_disk(make_gateway):
    running = make_gateway(api_key=None)
    post(running, request_of("chatcmpl-000000000000001").SerializeToString())
    # Another process's view of the file, while this one still has it open.
    assert any(b"chatcmpl-000000000000001" in file.read_bytes() for file in running.folder.iterdir())


def test_health_and_readiness(make_gateway):
    running = make_gateway(outbox_max_bytes=900, api_key=None)
    assert httpx2.get(f"{running.url}/readyz").json() == {"status": "ok"}
    large = request_of("chatcmpl-000000000000001", **{"payi.provider_request_json": "x" * 300})
    assert post(running, large.SerializeToString()).status_code == 200
    ready = httpx2.get(f"{running.url}/readyz")
    assert (ready.status_code, ready.json()["reason"]) == (503, "the outbox is full")
    assert httpx2.get(f"{running.url}/healthz").status_code == 200
