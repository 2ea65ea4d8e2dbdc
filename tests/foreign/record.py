"""Records the spans of other people's instrumentations, one file each in recorded/.

    python -m tests.foreign.record [name ...]

Makes a virtual environment per instrumentation (a Node.js or Java project where it is one) in a temporary folder,
makes the calls of calls.json under it against the demo's fake provider, and keeps with every call what the
provider billed. Needs a package registry; the tests do not, they read the records.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from payi_otel.demo.provider import FakeProvider, running_provider
from payi_otel.gateway.protobuf import decode_spans
from payi_otel.spans.neutral import SpanData
from tests.support.otlp_sink import running_otlp_sink

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("PAYI_FOREIGN_CACHE") or Path(tempfile.gettempdir()) / "payi-foreign")
LONG_PROMPT = json.loads((HERE / "calls.json").read_text())["long_prompt"]

PYTHON: Mapping[str, tuple[str, ...]] = {
    "opentelemetry-genai": (
        "opentelemetry-sdk",
        "opentelemetry-instrumentation-genai-openai",
        "opentelemetry-instrumentation-genai-anthropic",
        "openai",
        "anthropic",
    ),
    # The last openai that still brings httpx, and the last util-genai that has what it imports.
    "opentelemetry-openai-v2": (
        "opentelemetry-sdk",
        "opentelemetry-instrumentation-openai-v2",
        "openai<3",
        "opentelemetry-util-genai<1",
    ),
    "openllmetry": (
        "opentelemetry-sdk",
        "opentelemetry-instrumentation-openai",
        "opentelemetry-instrumentation-anthropic",
        "openai",
        "anthropic",
    ),
    "openinference": (
        "opentelemetry-sdk",
        "openinference-instrumentation-openai",
        "openinference-instrumentation-anthropic",
        "openai",
        "anthropic",
    ),
    "logfire": ("logfire>=5,<6", "openai", "anthropic"),
    "anthropic-native": ("opentelemetry-sdk", "anthropic"),
}
NODE: Mapping[str, tuple[str, ...]] = {
    "opentelemetry-js": ("@opentelemetry/instrumentation-openai", "openai"),
    # The Anthropic instrumentation stops the program with newer SDKs.
    "openllmetry-js": (
        "@traceloop/instrumentation-openai",
        "@traceloop/instrumentation-anthropic",
        "openai",
        "@anthropic-ai/sdk@<1",
    ),
}
JAVA: Mapping[str, tuple[str, ...]] = {
    "opentelemetry-java-agent": (
        "io.opentelemetry.javaagent:opentelemetry-javaagent:[2.18,3)",
        "com.openai:openai-java:[4,5)",
    )
}
NODE_COMMON = ("@opentelemetry/api", "@opentelemetry/sdk-trace-node", "@opentelemetry/instrumentation")


def python_command(name: str) -> list[str]:
    """The command that drives a Python instrumentation, its environment made on first use."""
    folder = CACHE / name
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        # The instrumentations are pre-releases for ever.
        subprocess.run([python, "-m", "pip", "install", "-q", "--pre", *PYTHON[name]], check=True)
    return [str(python), str(HERE / "drive.py"), name]


def node_command(name: str) -> list[str]:
    """The command that drives a Node.js instrumentation, its project made on first use."""
    folder = CACHE / name
    if not (folder / "node_modules").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        packages = (*NODE_COMMON, *NODE[name])
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", *packages], check=True, cwd=folder)
    for part in ("drive.cjs", "calls.json"):
        # Beside node_modules: that is where Node.js looks for packages.
        (folder / part).write_text((HERE / part).read_text())
    return ["node", str(folder / "drive.cjs"), name]


def java_folder(name: str) -> Path:
    """The folder with the jars of a Java instrumentation, made on first use."""
    folder = CACHE / name
    if not (folder / "lib").exists():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = "".join(
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version></dependency>"
            for group, artifact, version in (package.split(":") for package in JAVA[name])
        )
        (folder / "pom.xml").write_text(
            '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            "<groupId>drive</groupId><artifactId>drive</artifactId><version>1</version>"
            f"<dependencies>{wanted}</dependencies></project>"
        )
        copy = ["mvn", "-q", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
        subprocess.run(copy, check=True, cwd=folder)
    return folder


def record_java(name: str) -> None:
    """Drive the Java agent, whose spans come by OTLP, and write its file."""
    lib = java_folder(name) / "lib"
    (agent,) = lib.glob("opentelemetry-javaagent-*.jar")
    jars = [agent, *lib.glob("openai-java-[0-9]*.jar")]
    with running_provider() as provider, running_otlp_sink() as otlp:
        options = {
            # Without it the agent takes a program that is run from its source for a tool of the JDK.
            "javaagent.enabled": "true",
            "metrics.exporter": "none",
            "logs.exporter": "none",
            "exporter.otlp.protocol": "http/protobuf",
            "exporter.otlp.endpoint": otlp.url,
        }
        flags = [f"-Dotel.{option}={value}" for option, value in options.items()]
        program = [str(HERE / "Drive.java"), str(HERE / "calls.json"), provider.openai_base_url]
        done = subprocess.run(
            ["java", f"-javaagent:{agent}", *flags, "-cp", f"{lib}/*", *program],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        spans = [span for body in otlp.bodies for span in decode_spans(body).items]
        calls = []
        for line in map(json.loads, done.stdout.splitlines()):
            mine = [one for one in spans if line["begin_ns"] <= one.start_ns <= line["end_ns"]]
            calls.append({"label": line["label"], "spans": [as_json(one) for one in mine]})
        told = {
            "versions": {jar.stem.rpartition("-")[0]: jar.stem.rpartition("-")[2] for jar in jars},
            "calls": [with_bill(*pair) for pair in pairs(calls, provider)],
        }
    write(name, told)


def as_json(span: SpanData) -> dict[str, Any]:
    """A span as in the other records."""
    told = asdict(span)
    del told["resource"]
    return told


def record(name: str, command: list[str]) -> None:
    """Drive one instrumentation and write its file."""
    with running_provider() as provider:
        process = subprocess.Popen(
            [*command, provider.openai_base_url, provider.anthropic_base_url],
            stdout=subprocess.PIPE,
            text=True,
            env={key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "PYTHON"))},
        )
        assert process.stdout is not None
        lines = [json.loads(line) for line in process.stdout]
        if process.wait() != 0:
            raise SystemExit(f"{name}: {' '.join(command)} failed")
        told = {**lines[0], "calls": [with_bill(*pair) for pair in pairs(lines[1:], provider)]}
    write(name, told)


def write(name: str, told: dict[str, Any]) -> None:
    """Keep a record."""
    (HERE / "recorded" / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")


def pairs(lines: list[dict[str, Any]], provider: FakeProvider) -> list[tuple[dict[str, Any], Any]]:
    """Each call with the request that reached the provider: there is one, in the same order."""
    assert len(lines) == len(provider.requests)
    return list(zip(lines, provider.requests, strict=True))


def with_bill(line: dict[str, Any], served: Any) -> dict[str, Any]:
    """A call with the id that the provider gave its answer, None where it refused."""
    billed_id = served.billed.response_id if served.billed else None
    return {"label": line["label"], "billed_id": billed_id, **shortened(line)}


def shortened(value: Any) -> Any:
    """A record without what only takes space: the long prompt's repetitions, vectors, tracebacks."""
    if isinstance(value, dict):
        return {
            name: [] if name.endswith("embedding.vector") else shortened(item)
            for name, item in value.items()
            if name not in {"exception.stacktrace", "logfire.json_schema"}
        }
    if isinstance(value, (list, tuple)):
        return [shortened(item) for item in value]
    if isinstance(value, str):
        value = re.sub(f"({re.escape(LONG_PROMPT)})+", LONG_PROMPT, value)
        return re.sub(r"\[(-?\d+\.\d+(e-\d+)?,\s?){9,}[^]]*\]", "[]", value)
    return value


def main(names: list[str]) -> None:
    """Record these instrumentations, all where none is named."""
    makers: dict[str, Callable[[str], list[str]]] = {
        **dict.fromkeys(PYTHON, python_command),
        **dict.fromkeys(NODE, node_command),
    }
    for name in names or [*makers, *JAVA]:
        if name in JAVA:
            record_java(name)
        else:
            record(name, makers[name](name))
        print(f"recorded {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
