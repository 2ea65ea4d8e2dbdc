"""Which TracerProvider gets the spans, and that the events do not depend on it. Each case is a fresh process,
because OpenTelemetry's global provider can be set only once."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.capture.conftest import chat
from tests.support.ingest_sink import running_sink
from tests.support.vendor import Reply, running_vendor

CALL = """
import os, openai, payi_otel
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
exporter = InMemorySpanExporter()
def provider(**options):
    made = TracerProvider(**options)
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made
def call():
    client = openai.OpenAI(api_key="k", base_url=os.environ["VENDOR"])
    client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "x"}])
def names():
    payi_otel.force_flush(20)
    return sorted(span.name for span in exporter.get_finished_spans())
"""


def run(script, tmp_path, **environ):
    """Run a script in a process of its own: what it printed, the events that arrived, and its log."""
    import os

    with running_sink() as sink, running_vendor(lambda _: Reply.json(chat())) as vendor:
        done = subprocess.run(
            [sys.executable, "-c", CALL + textwrap.dedent(script)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                **os.environ,
                "VENDOR": f"{vendor.url}/v1",
                "PAYI_API_KEY": "k",
                "PAYI_BASE_URL": sink.url,
                "PAYI_OUTBOX_DIR": str(tmp_path),
                "PYTHONPATH": os.getcwd(),
                **environ,
            },
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split(), list(sink.events.values()), done.stderr


def test_without_a_provider_the_event_arrives_and_no_global_provider_is_set(tmp_path):
    printed, events, _ = run(
        """
        payi_otel.payi_instrument(); call()
        print(type(trace.get_tracer_provider()).__name__)
        """,
        tmp_path,
    )
    assert printed == ["ProxyTracerProvider"]
    assert len(events) == 1


def test_a_provider_set_before_is_added_to(tmp_path):
    printed, events, _ = run(
        """
        trace.set_tracer_provider(provider()); payi_otel.payi_instrument(); call()
        print(*names())
        """,
        tmp_path,
    )
    assert printed == ["chat", "gpt-4o-mini"]
    assert len(events) == 1


def test_a_provider_set_later_is_picked_up(tmp_path):
    printed, events, _ = run(
        """
        payi_otel.payi_instrument(); trace.set_tracer_provider(provider()); call()
        print(*names())
        """,
        tmp_path,
    )
    assert printed == ["chat", "gpt-4o-mini"]
    assert len(events) == 1


def test_sampling_0_percent_hides_the_span_and_keeps_the_event(tmp_path):
    printed, events, _ = run(
        """
        trace.set_tracer_provider(provider(sampler=ALWAYS_OFF)); payi_otel.payi_instrument(); call()
        print(len(names()))
        """,
        tmp_path,
    )
    assert printed == ["0"]
    assert len(events) == 1


def test_installed_twice_it_bills_once(tmp_path):
    _, events, _ = run(
        """
        trace.set_tracer_provider(provider())
        payi_otel.payi_instrument(); payi_otel.payi_instrument(); call()
        payi_otel.uninstrument(); payi_otel.payi_instrument(); call()
        """,
        tmp_path,
    )
    # The vendor repeats its id: one event each call would be two posts of one id, more would be more.
    assert len(events) == 1


def test_a_disabled_sdk_is_respected_and_said_once(tmp_path):
    _, events, log = run(
        "trace.set_tracer_provider(provider()); payi_otel.payi_instrument(); call(); call()",
        tmp_path,
        OTEL_SDK_DISABLED="true",
    )
    assert events == []
    assert log.count("OTEL_SDK_DISABLED=true is respected") == 1


@pytest.mark.parametrize("all_spans", [True, False])
def test_every_span_in_a_use_case_carries_it_unless_told_not_to(tmp_path, all_spans):
    printed, _, _ = run(
        """
        trace.set_tracer_provider(provider()); payi_otel.payi_instrument()
        with payi_otel.track_context(use_case_name="chat"):
            trace.get_tracer("app").start_span("work").end()
        print(*(span.attributes.get("payi.use_case_name") for span in exporter.get_finished_spans()))
        """,
        tmp_path,
        PAYI_ALL_SPANS=str(all_spans),
    )
    assert printed == ["chat" if all_spans else "None"]


def test_a_stream_open_at_exit_is_billed(tmp_path):
    import os

    from tests.capture.conftest import message_events

    with running_sink() as sink, running_vendor(lambda _: Reply.sse(message_events())) as vendor:
        script = """
            import anthropic, os, payi_otel
            payi_otel.payi_instrument()
            client = anthropic.Anthropic(api_key="k", base_url=os.environ["VENDOR"])
            stream = client.messages.create(model="claude-haiku-4-5", max_tokens=9, stream=True,
                                            messages=[{"role": "user", "content": "x"}])
            next(stream)
        """
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            check=True,
            timeout=60,
            env={**os.environ, "VENDOR": vendor.url, "PAYI_API_KEY": "k", "PAYI_BASE_URL": sink.url,
                 "PAYI_OUTBOX_DIR": str(tmp_path), "PYTHONPATH": os.getcwd()},
        )  # fmt: skip
        (event,) = sink.events.values()
        assert event["properties"]["system.outcome"] == "dropped"
        assert event["units"]["text"]["input"] == 30


def test_no_key_is_one_clear_warning(tmp_path):
    _, events, log = run(
        "payi_otel.payi_instrument(config={'exit_timeout_s': 0.2}); call(); call()", tmp_path, PAYI_API_KEY=""
    )
    assert events == []
    assert log.count("PAYI_API_KEY") == 1
