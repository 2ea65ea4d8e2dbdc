"""OTLP/HTTP at the self-hosted server: its own keys, its own store."""

from __future__ import annotations

import httpx2
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

pytest.importorskip("fastapi", reason="the server extra is not installed")

from fastapi.testclient import TestClient

from payi_otel.server.app import create_app
from payi_otel.server.config import ServerConfig
from payi_otel.server.otlp import mount_otlp
from tests.gateway.spans import Kept, chat_span, provider_for, request_of
from tests.gateway.test_evaluations import SCORE, USE_CASE, logs_request

KEY = {"xProxy-api-key": "sk-payi-app-1"}
PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture
def client(tmp_path):
    app = create_app(ServerConfig(tmp_path / "payi.db", api_key=KEY["xProxy-api-key"]))
    mount_otlp(app, app.state.store, 1_000_000)
    with TestClient(app) as opened:
        yield opened


def events(client) -> list[str]:
    items = client.get("/api/v1/local/events", headers=KEY).json()["items"]
    return [item["provider_response_id"] for item in items]


@pytest.mark.parametrize("header", [KEY, {"authorization": f"Bearer {KEY['xProxy-api-key']}"}])
def test_spans_are_stored_and_priced(client, header):
    body = request_of("chatcmpl-000000000000001", "chatcmpl-000000000000002").SerializeToString()
    for _ in range(2):
        assert client.post("/v1/traces", content=body, headers={**PROTOBUF, **header}).status_code == 200
    assert sorted(events(client)) == ["chatcmpl-000000000000001", "chatcmpl-000000000000002"]
    (use_case,) = client.get("/api/v1/local/summary", headers=KEY).json()["use_cases"]
    assert use_case["cost"] == pytest.approx(2 * (12 * 0.15e-6 + 7 * 0.60e-6))


def test_another_key_is_refused(client):
    answer = client.post("/v1/traces", content=b"", headers={**PROTOBUF, "xProxy-api-key": "other"})
    assert answer.status_code == 401
    assert events(client) == []


def test_what_the_server_refuses_is_told_as_partial_success(client):
    body = request_of("chatcmpl-000000000000001")
    body.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano = 2**64 - 1
    answer = client.post("/v1/traces", content=body.SerializeToString(), headers={**PROTOBUF, **KEY})
    assert answer.status_code == 200
    assert b"event_timestamp" in answer.content
    assert events(client) == []


def test_scores_need_their_kpi(client):
    scores = logs_request({**SCORE, **USE_CASE}).SerializeToString()
    refused = client.post("/v1/logs", content=scores, headers={**PROTOBUF, **KEY})
    assert refused.status_code == 200
    assert b"1 x score" in refused.content
    client.post(
        "/v1/traces",
        content=request_of("chatcmpl-000000000000001").SerializeToString(),
        headers={**PROTOBUF, **KEY},
    )
    kpi = {"name": "solved", "description": "solved", "kpi_type": "percentage", "goal": 0.5}
    made = client.post("/api/v1/use_cases/definitions/support_chat/kpis", json=kpi, headers=KEY)
    assert made.status_code < 300
    assert client.post("/v1/logs", content=scores, headers={**PROTOBUF, **KEY}).content == b""
    found = client.get("/api/v1/use_cases/instances/support_chat/42/kpis", headers=KEY).json()["items"]
    assert [(item["kpi_name"], item["score"]) for item in found] == [("solved", 0.75)]


def test_a_real_server_and_the_real_exporter(tmp_path):
    from payi_otel.server.main import background_server

    with background_server(tmp_path / "payi.db") as server:
        answer = httpx2.post(f"{server.url}/v1/traces", content=b"", headers=PROTOBUF)
        if answer.status_code == 404:
            pytest.fail("the server does not mount OTLP: see payi_otel.server.otlp.mount_otlp")
        kept = Kept()
        chat_span(provider_for(kept), "chatcmpl-000000000000001")
        exporter = OTLPSpanExporter(
            f"{server.url}/v1/traces", headers={"authorization": f"Bearer {server.api_key}"}
        )
        assert exporter.export(kept.spans) is SpanExportResult.SUCCESS
