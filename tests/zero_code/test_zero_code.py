"""The real `opentelemetry-instrument` around applications that know nothing of OpenTelemetry or Pay-i."""

from __future__ import annotations

import os
import subprocess
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from payi_otel.demo.provider import running_provider
from tests.support.ingest_sink import running_sink
from tests.support.otlp_sink import running_otlp_sink
from tests.zero_code.environments import make_environment

VENDOR_S_DISTRO = """
from opentelemetry import trace
from opentelemetry.instrumentation.distro import BaseDistro
from opentelemetry.sdk._configuration import _BaseConfigurator
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

class Distro(BaseDistro):
    def _configure(self, **kwargs):
        pass

class Configurator(_BaseConfigurator):
    def _configure(self, **kwargs):
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
"""
CHAT = """
import os, openai
client = openai.OpenAI(api_key="k", base_url=os.environ["VENDOR"] + "/v1")
client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello?"}])
print("done")
"""
MESSAGE = """
import os, anthropic
client = anthropic.Anthropic(api_key="k", base_url=os.environ["VENDOR"])
client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=[{"role": "user", "content": "Hello?"}])
print("done")
"""


@dataclass
class Result:
    """What came of one run."""

    events: list[dict[str, Any]]
    spans: list[str]
    stdout: str
    stderr: str
    code: int
    keys: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    """Environments by name, each made once."""
    made: dict[str, Path] = {}
    recipes = {
        "otel distro": {},
        "vendor's distro": {"without": ("opentelemetry_distro-",), "distro": VENDOR_S_DISTRO},
        "two distros": {"distro": VENDOR_S_DISTRO},
        "no distro": {"without": ("opentelemetry_distro-",)},
        "openai only": {"without": ("anthropic",)},
        "anthropic only": {"without": ("openai",)},
    }

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("environment") / "venv"
            made[name] = make_environment(folder, **recipes[name])
        return made[name]

    return get


@pytest.fixture
def instrumented(environments, tmp_path):
    """Runs an application's source under `opentelemetry-instrument` in an environment."""

    def run(source, *flags, environment="otel distro", **environ):
        binaries = environments(environment)
        (tmp_path / "app.py").write_text(textwrap.dedent(source))
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OTEL_", "PAYI_", "PYTHON"))
        }
        with running_provider() as vendor, running_sink() as pay_i, running_otlp_sink() as otlp:
            done = subprocess.run(
                [binaries / "opentelemetry-instrument", *flags, binaries / "python", tmp_path / "app.py"],
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
                env={
                    **kept,
                    "VENDOR": vendor.url,
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                    "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url,
                    "OTEL_METRICS_EXPORTER": "none",
                    "OTEL_LOGS_EXPORTER": "none",
                    "PAYI_API_KEY": "k",
                    "PAYI_BASE_URL": pay_i.url,
                    "PAYI_OUTBOX_DIR": str(tmp_path / "outbox"),
                    **environ,
                },
            )
            return Result(
                list(pay_i.events.values()),
                # Not those of HTTP clients, which another installed instrumentation may trace.
                [name for name in otlp.spans if name.startswith("chat ")],
                done.stdout,
                done.stderr,
                done.returncode,
                {post.headers.get("xproxy-api-key", "") for post in pay_i.posts},
            )

    return run


def assert_billed_once(result, model="gpt-4o-mini"):
    assert (result.code, result.stdout) == (0, "done\n"), result.stderr
    assert [event["resource"] for event in result.events] == [model], result.stderr


@pytest.mark.parametrize("environment", ["otel distro", "vendor's distro", "two distros"])
def test_one_event_and_one_span_whatever_configures_opentelemetry(instrumented, environment):
    result = instrumented(CHAT, "--traces_exporter", "payi,otlp", environment=environment)
    assert_billed_once(result)
    assert result.spans == ["chat gpt-4o-mini"]


def test_without_any_distro_nothing_configures_opentelemetry_and_the_event_arrives(instrumented):
    result = instrumented(CHAT, "--traces_exporter", "payi,otlp", environment="no distro")
    assert_billed_once(result)
    assert result.spans == []


def test_the_exporter_need_not_be_named(instrumented):
    result = instrumented(CHAT, "--traces_exporter", "otlp")
    assert_billed_once(result)
    assert result.spans == ["chat gpt-4o-mini"]


def test_sampling_0_percent_hides_the_span_and_keeps_the_event(instrumented):
    result = instrumented(
        CHAT,
        "--traces_exporter",
        "payi,otlp",
        OTEL_TRACES_SAMPLER="traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0",
    )
    assert_billed_once(result)
    assert result.spans == []


DECLARED = """
file_format: "1.0"
tracer_provider:
  processors:
    - batch:
        exporter:
          payi: {}
    - batch:
        exporter:
          otlp_http:
            endpoint: ${OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces
  sampler:
    SAMPLER
"""


@pytest.mark.parametrize(
    ("sampler", "spans"),
    [("payi: {}", ["chat gpt-4o-mini"]), ("always_off: {}", [])],
    ids=["payi", "always off"],
)
def test_declarative_configuration(instrumented, tmp_path, sampler, spans):
    (tmp_path / "otel.yaml").write_text(DECLARED.replace("SAMPLER", sampler))
    result = instrumented(CHAT, OTEL_CONFIG_FILE=str(tmp_path / "otel.yaml"))
    assert_billed_once(result)
    assert result.spans == spans


@pytest.mark.parametrize(
    ("environment", "source", "model"),
    [("openai only", CHAT, "gpt-4o-mini"), ("anthropic only", MESSAGE, "claude-haiku-4-5")],
)
def test_one_sdk_is_enough(instrumented, environment, source, model):
    result = instrumented(source, "--traces_exporter", "payi", environment=environment)
    assert_billed_once(result, model)
    assert "Traceback" not in result.stderr


def test_both_sdks_in_one_application(instrumented):
    result = instrumented(CHAT + MESSAGE, "--traces_exporter", "payi")
    assert sorted(event["resource"] for event in result.events) == ["claude-haiku-4-5", "gpt-4o-mini"]


def test_child_processes_are_billed_too(instrumented, tmp_path):
    (tmp_path / "child.py").write_text(CHAT)
    parent = """
        import subprocess, sys
        subprocess.run([sys.executable, __file__.replace("app.py", "child.py")], check=True)
    """
    result = instrumented(textwrap.dedent(parent) + CHAT, "--traces_exporter", "payi,otlp")
    assert (result.code, result.stdout) == (0, "done\ndone\n"), result.stderr
    assert len(result.events) == 2
    assert result.spans == ["chat gpt-4o-mini"] * 2


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_are_billed_too(instrumented, tmp_path, method):
    (tmp_path / "work.py").write_text("def call():\n" + textwrap.indent(CHAT, "    "))
    parent = f"""
        import multiprocessing
        from work import call
        if __name__ == "__main__":
            child = multiprocessing.get_context({method!r}).Process(target=call)
            child.start()
            child.join()
            call()
    """
    result = instrumented(parent, "--traces_exporter", "payi")
    assert (result.code, result.stdout) == (0, "done\ndone\n"), result.stderr
    assert len(result.events) == 2


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"PAYI_TIMEOUT": "soon"}, "PAYI_TIMEOUT"),
        ({"PAYI_BASE_URL": "nowhere"}, "PAYI_BASE_URL"),
        ({"PAYI_API_KEY": ""}, "PAYI_API_KEY"),
        ({"PAYI_INSTRUMENTS": "gemini"}, ""),
        ({"PAYI_OUTBOX_DIR": "/proc/nowhere"}, ""),
        ({"OTEL_SDK_DISABLED": "true"}, ""),
    ],
    ids=["timeout", "address", "key", "instruments", "folder", "disabled"],
)
def test_a_wrong_setting_never_stops_the_application(instrumented, environ, named):
    result = instrumented(CHAT, "--traces_exporter", "payi,otlp", **environ)
    assert (result.code, result.stdout) == (0, "done\n"), result.stderr
    assert named in result.stderr


def test_pay_i_s_own_flags(instrumented):
    flags = ("--payi_use_case_name", "support_chat", "--payi_api_key", "from-the-flag")
    result = instrumented(CHAT, *flags, "--traces_exporter", "payi", PAYI_API_KEY="")
    assert_billed_once(result)
    assert result.events[0]["use_case_name"] == "support_chat"
    assert result.keys == {"from-the-flag"}


def test_the_doctor_sees_what_opentelemetry_instrument_configured(instrumented):
    result = instrumented(
        "from payi_otel.cli import main; main(['doctor'])",
        "--traces_exporter", "payi,otlp",
        OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0",
    )  # fmt: skip
    assert "patched in this process" in result.stdout
    assert "TraceIdRatioBased{0.0}" in result.stdout
    assert "BatchSpanProcessor(PayiSpanExporter)" in result.stdout
    assert "BatchSpanProcessor(OTLPSpanExporter)" in result.stdout
    assert "PayiSpanProcessor" in result.stdout
