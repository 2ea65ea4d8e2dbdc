"""`gen_ai.evaluation.result`, on spans and as log records, becomes a KPI score."""

from __future__ import annotations

import httpx2
import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.trace import SpanKind

from payi_otel.gateway.batch import LogData
from payi_otel.gateway.evaluations import EVALUATION_EVENT, NoScore, score_of_log
from tests.gateway.conftest import KEY
from tests.gateway.otlp_json import as_json
from tests.gateway.spans import CHAT, Kept, provider_for, request_of

USE_CASE = {"payi.use_case_name": "support_chat", "payi.use_case_id": "42"}
SCORE = {"gen_ai.evaluation.name": "solved", "gen_ai.evaluation.score.value": 0.75}
PLACE = ("support_chat", "42", "solved")
RESPONSE_ID = "chatcmpl-000000000000001"


def log(attributes, resource=None) -> LogData:
    return LogData(EVALUATION_EVENT, 0, "", "", attributes, resource or {})


def nowhere(_response_id):
    return None


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_the_sdks_log_events(gateway, protocol):
    exporter = (
        HttpLogExporter(f"{gateway.url}/v1/logs", headers={"xproxy-api-key": KEY})
        if protocol == "http"
        else GrpcLogExporter(gateway.target, insecure=True, headers={"xproxy-api-key": KEY})
    )
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("evaluator")
    logger.emit(event_name="something.else", attributes={"a": 1})
    logger.emit(body="a plain line")
    logger.emit(event_name=EVALUATION_EVENT, attributes={**SCORE, **USE_CASE})
    assert gateway.sink.wait_until(lambda sink: PLACE in sink.scores)
    assert gateway.sink.scores == {PLACE: 0.75}


def test_our_own_score_kpi_through_the_applications_log_pipeline(gateway):
    from opentelemetry._logs import SeverityNumber

    # What payi_otel.kpi emits.
    provider = LoggerProvider()
    provider.add_log_record_processor(
        SimpleLogRecordProcessor(
            HttpLogExporter(f"{gateway.url}/v1/logs", headers={"authorization": f"Bearer {KEY}"})
        )
    )
    provider.get_logger("payi_otel").emit(
        event_name=EVALUATION_EVENT, severity_number=SeverityNumber.INFO, attributes={**SCORE, **USE_CASE}
    )
    assert gateway.sink.wait_until(lambda sink: PLACE in sink.scores)


def test_an_event_of_a_span(gateway):
    kept = Kept()
    tracer = provider_for(kept).get_tracer("somebody")
    span = tracer.start_span("chat", kind=SpanKind.CLIENT, attributes={**CHAT, "payi.event_id": RESPONSE_ID})
    span.add_event(EVALUATION_EVENT, SCORE)
    span.end()
    alone = tracer.start_span("evaluate", attributes=USE_CASE)
    alone.add_event(EVALUATION_EVENT, {**SCORE, "gen_ai.evaluation.name": "polite"})
    alone.end()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    OTLPSpanExporter(f"{gateway.url}/v1/traces", headers={"xproxy-api-key": KEY}).export(kept.spans)
    assert gateway.sink.wait_until(lambda sink: len(sink.scores) == 2 and len(sink.events) == 1)
    assert set(gateway.sink.scores) == {PLACE, ("support_chat", "42", "polite")}


def send_logs(running, body: bytes, content_type: str) -> httpx2.Response:
    headers = {"content-type": content_type, "xproxy-api-key": KEY}
    return httpx2.post(f"{running.url}/v1/logs", content=body, headers=headers)


def logs_request(*records: dict) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    scope_logs = request.resource_logs.add().scope_logs.add()
    for attributes in records:
        record = scope_logs.log_records.add(event_name=EVALUATION_EVENT, time_unix_nano=1)
        for name, value in attributes.items():
            target = record.attributes.add(key=name).value
            if isinstance(value, str):
                target.string_value = value
            else:
                target.double_value = value
    return request


def test_a_score_of_a_call_seen_before_finds_its_use_case(gateway):
    headers = {"content-type": "application/x-protobuf", "xproxy-api-key": KEY}
    body = request_of(RESPONSE_ID).SerializeToString()
    assert httpx2.post(f"{gateway.url}/v1/traces", content=body, headers=headers).status_code == 200
    request = logs_request({**SCORE, "gen_ai.response.id": RESPONSE_ID})
    assert send_logs(gateway, as_json(request), "application/json").json() == {}
    assert gateway.sink.wait_until(lambda sink: PLACE in sink.scores)


def test_partial_success_says_what_is_missing(gateway):
    request = logs_request(SCORE, {**SCORE, **USE_CASE}, USE_CASE)
    answer = send_logs(gateway, request.SerializeToString(), "application/x-protobuf")
    partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_log_records == 2
    assert "payi.use_case_name" in partial.error_message
    assert "gen_ai.evaluation.name" in partial.error_message
    in_json = send_logs(gateway, as_json(request), "application/json").json()["partialSuccess"]
    assert in_json["rejectedLogRecords"] == "2"
    assert gateway.sink.wait_until(lambda sink: PLACE in sink.scores)


@pytest.mark.parametrize(
    ("attributes", "score"),
    [
        ({"gen_ai.evaluation.score.value": 4}, 4),
        ({"gen_ai.evaluation.score.value": True}, True),
        ({"gen_ai.evaluation.score.value": 0.0, "gen_ai.evaluation.score.label": "pass"}, 0.0),
        ({"gen_ai.evaluation.score.label": "Pass"}, True),
        ({"gen_ai.evaluation.score.label": "failed"}, False),
    ],
)
def test_values_and_labels(attributes, score):
    found = score_of_log(log({"gen_ai.evaluation.name": "solved", **USE_CASE, **attributes}), nowhere)
    assert (found.score, type(found.score)) == (score, type(score))


@pytest.mark.parametrize(
    ("attributes", "missing"),
    [
        ({**USE_CASE, "gen_ai.evaluation.score.value": 1.0}, "gen_ai.evaluation.name"),
        (SCORE, "payi.use_case_id"),
        ({**SCORE, "payi.use_case_name": "support_chat"}, "payi.use_case_id"),
        ({**SCORE, "gen_ai.response.id": "never seen"}, "gen_ai.response.id"),
        ({**USE_CASE, "gen_ai.evaluation.name": "solved"}, "gen_ai.evaluation.score.value"),
        ({**USE_CASE, **SCORE, "gen_ai.evaluation.score.value": float("nan")}, "score.value"),
        ({**USE_CASE, **SCORE, "gen_ai.evaluation.score.value": "good"}, "score.value"),
        (
            {**USE_CASE, "gen_ai.evaluation.name": "solved", "gen_ai.evaluation.score.label": "so-so"},
            "score.label",
        ),
    ],
)
def test_what_is_no_score_says_what_to_set(attributes, missing):
    with pytest.raises(NoScore, match=missing.replace(".", r"\.")):
        score_of_log(log(attributes), nowhere)


def test_the_use_case_may_stand_on_the_resource():
    assert score_of_log(log(SCORE, USE_CASE), nowhere).use_case_id == "42"
