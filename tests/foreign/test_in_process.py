"""Our processor and exporter beside other instrumentations of one process; each case is a fresh process."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.scripts import run_script

PRELUDE = """
import json, os, anthropic, openai, payi_otel
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
provider = TracerProvider()
trace.set_tracer_provider(provider)
hi = [{"role": "user", "content": "Where is my parcel?"}]
def chat():
    client = openai.OpenAI(api_key="k", base_url=os.environ["VENDOR"] + "/v1")
    return client.chat.completions.create(model="gpt-4o-mini", messages=hi)
def message():
    client = anthropic.Anthropic(api_key="k", base_url=os.environ["VENDOR"])
    return client.messages.create(model="claude-haiku-4-5", max_tokens=64, messages=hi)
def replay(scope, **attributes):
    span = trace.get_tracer(scope).start_span("chat", kind=SpanKind.CLIENT, attributes=attributes)
    return span
GENAI = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
         "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 46}
"""


def run(script, tmp_path, **environ):
    """The events that a script's process sent, and its log."""
    ran = run_script(PRELUDE, script, tmp_path, **environ)
    assert all(len(post.ids) == len(set(post.ids)) for post in ran.sink.posts)
    return list(ran.sink.events.values()), ran.stderr


def test_where_ours_is_off_the_native_spans_are_read_with_their_use_case(tmp_path):
    events, _ = run(
        """
        payi_otel.payi_instrument(instruments=["openai"])
        with payi_otel.track_context(use_case_name="support_chat", user_id="jane"):
            message()
        assert payi_otel.force_flush(30)
        assert payi_otel.status().seen == 1
        """,
        tmp_path,
    )
    (event,) = events
    assert event["category"] == "system.anthropic"
    assert event["units"] == {"text": {"input": 9, "output": 46}}
    assert (event["use_case_name"], event["user_id"]) == ("support_chat", "jane")
    assert event["properties"]["system.instrumentation"] == "com.anthropic.sdk.python"


def test_even_if_other_spans_are_to_stay_as_they_are(tmp_path):
    events, _ = run(
        """
        payi_otel.payi_instrument(instruments=["openai"])
        with payi_otel.track_context(use_case_name="support_chat"):
            message()
        """,
        tmp_path,
        PAYI_ALL_SPANS="false",
    )
    assert [event["use_case_name"] for event in events] == ["support_chat"]


def test_where_ours_is_on_the_native_spans_are_left_alone_and_nothing_is_said(tmp_path):
    events, log = run("payi_otel.payi_instrument(); message(); message()", tmp_path)
    assert len(events) == 2
    assert all("system.instrumentation" not in event["properties"] for event in events)
    assert "traces the same SDK" not in log


def test_another_instrumentation_of_an_sdk_of_ours_is_named_once_and_not_priced(tmp_path):
    events, log = run(
        """
        payi_otel.payi_instrument()
        for _ in range(2):
            span = replay("opentelemetry.instrumentation.genai.openai", **GENAI)
            with trace.use_span(span, end_on_exit=True):
                span.set_attribute("gen_ai.response.id", chat().id)
        """,
        tmp_path,
    )
    assert len(events) == 2
    assert all("system.instrumentation" not in event["properties"] for event in events)
    assert log.count("opentelemetry.instrumentation.genai.openai traces the same SDK") == 1


def test_a_framework_around_a_call_of_ours_adds_nothing(tmp_path):
    events, _ = run(
        """
        payi_otel.payi_instrument()
        span = replay("some.framework", **GENAI)
        with trace.use_span(span, end_on_exit=True):
            span.set_attribute("gen_ai.response.id", chat().id)
        without_id = replay("some.framework", **GENAI)
        with trace.use_span(without_id, end_on_exit=True):
            chat()
        """,
        tmp_path,
    )
    assert len(events) == 2
    assert all("system.instrumentation" not in event["properties"] for event in events)


def test_a_call_that_only_a_framework_saw_is_its_event(tmp_path):
    events, _ = run(
        """
        payi_otel.payi_instrument()
        chat()
        replay("some.framework", **{**GENAI, "gen_ai.request.model": "gpt-4.1", "gen_ai.response.id": "chatcmpl-0123456789"}).end()
        replay("some.framework", **{"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 9}).end()
        """,
        tmp_path,
    )
    assert sorted(event["resource"] for event in events) == ["gpt-4.1", "gpt-4o-mini"]


def test_the_exporter_alone_reads_foreign_spans_once_each(tmp_path):
    record = json.loads((Path(__file__).parent / "recorded" / "opentelemetry-genai.json").read_text())
    (tmp_path / "record.json").write_text(json.dumps(record["calls"]))
    events, _ = run(
        f"""
        from payi_otel.delivery.exporter import PayiSpanExporter
        provider.add_span_processor(BatchSpanProcessor(PayiSpanExporter()))
        for call in json.load(open({str(tmp_path / "record.json")!r})):
            for span in call["spans"]:
                replay(span["scope_name"], **span["attributes"]).end()
        provider.shutdown()
        """,
        tmp_path / "outbox",
    )
    named = {call["billed_id"] for call in record["calls"] if call["billed_id"]}
    assert named <= {event["provider_response_id"] for event in events}
    # Beside them one embedding and the two refused calls, of which the Anthropic SDK tells one as well.
    assert len(events) == len(record["calls"])
