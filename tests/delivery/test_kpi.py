"""KPI scores from the caller's line to the service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as logs_export
from opentelemetry.sdk.trace import TracerProvider

from payi_otel import kpi
from payi_otel.delivery.scores import KpiScore
from payi_otel.kpi import NoUseCaseError, define_kpi, increment_kpi, score_kpi
from payi_otel.registry import registry
from payi_otel.spans import semconv
from payi_otel.tracking.scopes import track_context
from tests.delivery.conftest import Bench, MakeBench
from tests.support.ingest_sink import IngestSink, Reply, Reset


@pytest.fixture
def bench(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = make_bench()
    monkeypatch.setattr(registry, "worker", bench.worker)
    return bench


def test_the_current_scope_is_scored(sink: IngestSink, bench: Bench) -> None:
    with track_context(use_case_name="support_chat", use_case_id="42"):
        handle = score_kpi("solved", True)
    assert handle.wait(10) is True
    assert sink.scores == {("support_chat", "42", "solved"): True}
    assert sink.posts[0].path == "/api/v1/use_cases/instances/support_chat/42/kpis/solved"
    assert (bench.status.scores_delivered, bench.status.scores_queued) == (1, 0)


def test_the_current_span_is_asked_before_the_scope(sink: IngestSink, bench: Bench) -> None:
    tracer = TracerProvider().get_tracer("app")
    attributes = {semconv.USE_CASE_NAME: "from_span", semconv.USE_CASE_ID: "7"}
    with (
        track_context(use_case_name="from_scope", use_case_id="42"),
        tracer.start_as_current_span("work", attributes=attributes),
    ):
        assert score_kpi("solved", 1).wait(10)
    assert list(sink.scores) == [("from_span", "7", "solved")]


def test_names_travel_percent_encoded(sink: IngestSink, bench: Bench) -> None:
    assert score_kpi("a/b ü", 1, use_case_name="x", use_case_id="order/7?").wait(10)
    assert sink.scores == {("x", "order/7?", "a/b ü"): 1}


def test_scores_do_not_wait_for_each_other(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(batch_max_age_s=600)
    for number in range(5):
        bench.worker.submit_score(KpiScore("chat", str(number), "solved", 1))
    assert sink.wait_until(lambda sink: len(sink.scores) == 5)


async def test_a_score_can_be_awaited(sink: IngestSink, bench: Bench) -> None:
    assert await score_kpi("solved", True, use_case_name="chat", use_case_id="1") is True


async def test_a_cancelled_wait_does_not_cancel_the_score(sink: IngestSink, bench: Bench) -> None:
    sink.script.append(Reply(503))
    handle = score_kpi("solved", True, use_case_name="chat", use_case_id="1")
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(handle, 0.01)
    assert await handle is True
    assert sink.scores


def test_an_unknown_kpi_is_rejected_with_its_reason(sink: IngestSink, bench: Bench) -> None:
    sink.missing_scores.add("nope")
    handle = score_kpi("nope", 1, use_case_name="chat", use_case_id="1")
    assert handle.wait(10) is False
    assert handle.reason == "chat/1/nope: HTTP 404 Not Found"
    assert bench.status.scores_rejected == 1
    assert bench.status.last_rejection == handle.reason
    assert bench.worker.force_flush(5) is False


def test_a_score_follows_the_events_before_it(sink: IngestSink, bench: Bench) -> None:
    bench.submit(1, use_case_name="chat")
    handle = score_kpi("solved", 1, use_case_name="chat", use_case_id="1")
    bench.submit(2)
    assert handle.wait(10)
    assert bench.worker.force_flush(10)
    assert [post.method for post in sink.posts][:2] == ["POST", "PUT"]


def test_the_last_score_of_an_instance_wins_through_failures(sink: IngestSink, bench: Bench) -> None:
    sink.script.extend([Reply(503), Reply(500)])
    for score in (1, 2, 3):
        handle = score_kpi("stars", score, use_case_name="chat", use_case_id="1")
    assert handle.wait(20)
    assert sink.scores["chat", "1", "stars"] == 3


def test_without_a_use_case_the_error_tells_the_fix(bench: Bench) -> None:
    with pytest.raises(NoUseCaseError, match="track_context"):
        score_kpi("solved", True)
    with pytest.raises(NoUseCaseError):
        score_kpi("solved", True, use_case_name="chat")
    assert issubclass(NoUseCaseError, ValueError)


def test_an_id_of_another_use_case_is_not_borrowed(bench: Bench) -> None:
    with track_context(use_case_name="chat", use_case_id="42"), pytest.raises(NoUseCaseError):
        score_kpi("solved", True, use_case_name="search")


@pytest.mark.parametrize(
    ("kpi_type", "good", "bad"),
    [
        ("boolean", [True, False, 0, 1], [2, 0.5]),
        ("likert5", [1, 3.89, 5], [0, 5.1, True]),
        ("likert10", [10], [11]),
        ("percentage", [0.3, 130.0], []),
        ("number", [-7, 1e9], []),
    ],
)
def test_scores_are_checked_against_the_defined_type(
    bench: Bench, kpi_type: kpi.KpiType, good: list[float], bad: list[float]
) -> None:
    define_kpi("chat", "k", kpi_type, goal=1)
    for score in good:
        assert score_kpi("k", score, use_case_name="chat", use_case_id="1").wait(10)
    for score in bad:
        with pytest.raises(ValueError, match="score="):
            score_kpi("k", score, use_case_name="chat", use_case_id="1")


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_must_be_finite(bench: Bench, score: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        score_kpi("k", score, use_case_name="chat", use_case_id="1")


def test_wrong_arguments_are_named(bench: Bench) -> None:
    with pytest.raises(TypeError, match="score='5'"):
        score_kpi("k", "5", use_case_name="chat", use_case_id="1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kpi_type='likert6'"):
        define_kpi("chat", "k", "likert6", goal=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kpi_name=''"):
        score_kpi("", 1, use_case_name="chat", use_case_id="1")


def test_a_definition_creates_what_is_missing_and_may_repeat(sink: IngestSink, bench: Bench) -> None:
    assert define_kpi("fresh", "solved", "boolean", goal=0.8, description="solved at once").wait(10)
    assert sink.definitions["fresh", "solved"] == {
        "name": "solved",
        "description": "solved at once",
        "kpi_type": "boolean",
        "goal": 0.8,
    }
    assert define_kpi("fresh", "solved", "boolean", goal=0.8).wait(10)


def test_d47_increments_of_one_process_are_not_lost_and_not_truncated(sink: IngestSink, bench: Bench) -> None:
    handles = [increment_kpi("n", 0.5, use_case_name="chat", use_case_id="1") for _ in range(10)]
    assert all(handle.wait(10) for handle in handles)
    assert sink.scores["chat", "1", "n"] == 5.0


def test_d47_an_increment_whose_answer_was_lost_is_not_added_twice(sink: IngestSink, bench: Bench) -> None:
    sink.scores["chat", "1", "n"] = 10
    sink.script.extend([None, Reset(after_storing=True)])
    assert increment_kpi("n", 3, use_case_name="chat", use_case_id="1").wait(20)
    assert sink.scores["chat", "1", "n"] == 13


def test_a_score_tells_the_applications_telemetry(
    sink: IngestSink, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(logs_export, "InMemoryLogRecordExporter"):
        pytest.skip("this OpenTelemetry has no log events yet")
    exporter = logs_export.InMemoryLogRecordExporter()
    provider = LoggerProvider()
    provider.add_log_record_processor(logs_export.SimpleLogRecordProcessor(exporter))
    monkeypatch.setattr("opentelemetry._logs.get_logger", provider.get_logger)
    tracer = TracerProvider().get_tracer("app")
    with tracer.start_as_current_span("work") as span:
        score_kpi("solved", True, use_case_name="chat", use_case_id="1")
    assert bench.worker.force_flush(10)
    (data,) = exporter.get_finished_logs()
    record = data.log_record
    assert record.event_name == "gen_ai.evaluation.result"
    assert record.attributes[semconv.GEN_AI_EVALUATION_NAME] == "solved"
    assert record.attributes[semconv.GEN_AI_EVALUATION_SCORE] == 1.0
    assert record.trace_id == span.get_span_context().trace_id
