"""`payi-otel doctor` against real servers and real processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from payi_otel.commands.doctor import examine
from payi_otel.delivery.dead import DeadLetters
from payi_otel.delivery.outbox import Entry
from payi_otel.doctor.findings import Finding, report
from payi_otel.doctor.pipeline import span_processors
from payi_otel.doctor.sdks import look_at_other_instrumentations
from tests.support.ingest_sink import running_sink

pytest.importorskip("fastapi", reason="the server extra is not installed")


@pytest.fixture
def clean(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("PAYI_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PAYI_OUTBOX_DIR", str(tmp_path / "outbox"))
    return monkeypatch


@pytest.fixture
def server(clean):
    from payi_otel.server.main import background_server

    with background_server() as running:
        clean.setenv("PAYI_BASE_URL", running.url)
        clean.setenv("PAYI_API_KEY", running.api_key)
        yield running


def found(topic, findings=None):
    """The findings of a topic, as (level, text)."""
    return [(one.level, one.text) for one in findings or examine() if one.topic == topic]


def problems(findings):
    return [one.topic for one in findings if one.level == "problem"]


def test_a_healthy_installation_has_no_problem(server, clean):
    clean.setenv("OTEL_PYTHON_DISTRO", "distro")
    clean.setenv("OTEL_PYTHON_CONFIGURATOR", "configurator")
    findings = examine()
    assert problems(findings) == []
    assert found("key", findings) == [("ok", "accepted")]
    for sdk in ("openai", "anthropic"):
        ((level, text),) = found(sdk, findings)
        assert (level, text.endswith("can be patched")) == ("ok", True)


def test_a_test_event_arrives_and_is_sent_only_when_asked_for(server):
    from payi_otel import Payi

    client = Payi(api_key=server.api_key, base_url=server.url)
    assert found("test event") == []
    ((level, text),) = found("test event", examine(send=True))
    assert level == "ok"
    event_id = text.split()[1].rstrip(",")
    result = client.requests.response_id.result.retrieve(event_id, category="system.openai").xproxy_result
    assert result.use_case_name == "payi_otel_doctor"


def test_a_wrong_key_is_told_from_a_wrong_address(server, clean):
    clean.setenv("PAYI_API_KEY", "wrong")
    findings = examine(send=True)
    assert found("reachability", findings)[0][0] == "ok"
    ((level, text),) = found("key", findings)
    assert level == "problem"
    assert "PAYI_API_KEY" in text
    assert found("test event", findings) == []


def test_an_address_where_nobody_listens(clean):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        clean.setenv("PAYI_BASE_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        clean.setenv("PAYI_API_KEY", "k")
        ((level, text),) = found("reachability")
    assert level == "problem"
    assert "PAYI_BASE_URL" in text


def test_a_service_that_is_not_pay_i(clean):
    with running_sink() as sink:
        clean.setenv("PAYI_BASE_URL", f"{sink.url}/elsewhere")
        clean.setenv("PAYI_API_KEY", "k")
        ((level, text),) = found("key")
    assert (level, "HTTP 404" in text) == ("problem", True)


def test_no_key(clean):
    with running_sink() as sink:
        clean.setenv("PAYI_BASE_URL", sink.url)
        assert found("key")[0] == ("problem", "none; set PAYI_API_KEY to an application's key")


def test_a_wrong_setting_is_named_and_the_rest_is_looked_at(clean):
    clean.setenv("PAYI_TIMEOUT", "soon")
    findings = examine()
    assert found("settings", findings) == [("problem", "PAYI_TIMEOUT='soon': give a number")]
    assert found("openai", findings)


def test_a_disabled_sdk_is_a_problem(clean):
    clean.setenv("OTEL_SDK_DISABLED", "true")
    ((level, text),) = found("provider")
    assert (level, "OTEL_SDK_DISABLED" in text) == ("problem", True)


def test_dead_letters_are_a_problem(server, tmp_path):
    (tmp_path / "outbox").mkdir()
    DeadLetters(tmp_path / "outbox").add(Entry("event", "resp_1", b"{}"), "HTTP 400 invalid_category")
    assert ("problem", "1 refused by Pay-i; see payi-otel outbox list") in found("outbox")


def test_a_folder_that_cannot_be_written(server, clean, tmp_path):
    (tmp_path / "file").write_text("in the way")
    clean.setenv("PAYI_OUTBOX_DIR", str(tmp_path / "file" / "outbox"))
    ((level, text),) = found("outbox")
    assert (level, "PAYI_OUTBOX_DIR" in text) == ("problem", True)


def test_memory_only_is_worth_a_note(server, clean):
    clean.setenv("PAYI_DURABILITY", "memory")
    assert found("outbox")[0][0] == "note"


def test_the_processors_of_a_provider_are_told_by_this_sdk():
    provider = TracerProvider(shutdown_on_exit=False)
    processor = BatchSpanProcessor(InMemorySpanExporter())
    provider.add_span_processor(processor)
    assert span_processors(provider) == (processor,)
    provider.shutdown()


def test_the_native_spans_of_anthropic_are_mentioned_while_they_are_on(clean):
    assert any("spans of its own" in one.text for one in look_at_other_instrumentations())
    clean.setenv("ANTHROPIC_OPEN_TELEMETRY", "false")
    assert not any("spans of its own" in one.text for one in look_at_other_instrumentations())


def test_the_report_is_one_line_each():
    text = report([Finding("ok", "key", "accepted"), Finding("problem", "outbox", "full")])
    assert text == " ok   key           accepted\nFAIL  outbox        full"


@pytest.mark.parametrize(("key", "code"), [("right", 0), ("wrong", 1)])
def test_the_exit_code_tells_whether_something_is_wrong(server, key, code):
    done = subprocess.run(
        [sys.executable, "-m", "payi_otel.cli", "doctor"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
        env={
            **os.environ,
            "PAYI_API_KEY": server.api_key if key == "right" else "wrong",
            "OTEL_PYTHON_DISTRO": "distro",
            "OTEL_PYTHON_CONFIGURATOR": "configurator",
        },
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert ("FAIL" in done.stdout) == bool(code)
