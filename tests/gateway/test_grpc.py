"""OTLP/gRPC: the same as over HTTP, told in gRPC's way."""

from __future__ import annotations

import logging

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.gateway.conftest import KEY, MAX_BODY_BYTES
from tests.gateway.spans import Kept, chat_span, provider_for, request_of

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
AUTHORIZED = (("authorization", f"Bearer {KEY}"),)


@pytest.fixture
def channel(gateway):
    with grpc.insecure_channel(gateway.target) as opened:
        yield opened


def export(channel, body: bytes, metadata=AUTHORIZED, compression=None) -> bytes:
    """One call with the bytes as they are."""
    return channel.unary_unary(EXPORT)(body, metadata=metadata, timeout=60, compression=compression)


@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_the_python_exporter_in_every_compression(gateway, compression):
    exporter = OTLPSpanExporter(
        gateway.target, insecure=True, headers={"xproxy-api-key": KEY}, compression=compression
    )
    chat_span(provider_for(exporter), "chatcmpl-000000000000001")
    assert gateway.sink.wait_for_events(1)
    assert gateway.sink.events["chatcmpl-000000000000001"]["units"] == {"text": {"input": 12, "output": 7}}


@pytest.mark.parametrize("metadata", [(), (("authorization", "Bearer other"),), (("xproxy-api-key", ""),)])
def test_without_a_known_key_nothing_is_taken(gateway, channel, metadata):
    with pytest.raises(grpc.RpcError) as refused:
        export(channel, request_of("chatcmpl-000000000000001").SerializeToString(), metadata)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert gateway.worker.room_bytes == 2**26


def test_what_cannot_be_read_is_an_invalid_argument(channel):
    with pytest.raises(grpc.RpcError) as refused:
        export(channel, b"\xff\xff\xff")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_partial_success(gateway, channel):
    request = request_of("chatcmpl-000000000000001", "chatcmpl-000000000000002")
    request.resource_spans[0].scope_spans[0].spans[1].span_id = b""
    partial = ExportTraceServiceResponse.FromString(
        export(channel, request.SerializeToString())
    ).partial_success
    assert (partial.rejected_spans, "span_id" in partial.error_message) == (1, True)
    assert gateway.sink.wait_for_events(1)


@pytest.mark.parametrize(
    ("size", "compression"),
    [
        (MAX_BODY_BYTES + 1, None),
        (400_000_000, grpc.Compression.Gzip),
        (400_000_000, grpc.Compression.Deflate),
    ],
    ids=["plain", "gzip bomb", "deflate bomb"],
)
def test_too_large_is_final(gateway, channel, size, compression):
    with pytest.raises(grpc.RpcError) as refused:
        export(channel, b"\0" * size, compression=compression)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    # Without RetryInfo: a sender is not to repeat it.
    assert not any(key == "grpc-status-details-bin" for key, _ in refused.value.trailing_metadata() or ())


def test_a_full_outbox_tells_when_to_come_again(make_gateway):
    running = make_gateway(outbox_max_bytes=500, api_key=None)
    body = request_of("chatcmpl-000000000000001", "chatcmpl-000000000000002").SerializeToString()
    with grpc.insecure_channel(running.target) as channel, pytest.raises(grpc.RpcError) as refused:
        export(channel, body)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    retry = RetryInfo()
    assert Status.FromString(details).details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 3


def test_the_python_exporter_waits_and_is_served(make_gateway, caplog):
    running = make_gateway(outbox_max_bytes=900, api_key=None)
    kept = Kept()
    provider = provider_for(kept)
    for number in range(3):
        chat_span(provider, f"chatcmpl-00000000000000{number}")
    exporter = OTLPSpanExporter(running.target, insecure=True, headers={"xproxy-api-key": KEY}, timeout=60)
    # Once it has been asked to wait, there is a key, and so room.
    handler = _OnRetry(lambda: running.worker.use_api_key("k"))
    log = logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter")
    log.addHandler(handler)
    try:
        assert exporter.export(kept.spans) is SpanExportResult.SUCCESS
    finally:
        log.removeHandler(handler)
    assert handler.retries > 0
    assert running.sink.wait_for_events(3)


class _OnRetry(logging.Handler):
    def __init__(self, act) -> None:
        super().__init__()
        self._act = act
        self.retries = 0

    def emit(self, record: logging.LogRecord) -> None:
        if "retrying" in record.getMessage():
            self.retries += 1
            self._act()


def test_no_such_method(channel):
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")(
            b"", timeout=60
        )
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
