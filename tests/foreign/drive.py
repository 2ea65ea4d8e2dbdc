"""Makes the calls under one instrumentation that is not ours and prints the spans, one JSON line per call.

    python drive.py <instrumentation> <OpenAI base URL> <Anthropic base URL>

Runs in a virtual environment that holds that instrumentation; see record.py.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import distributions
from typing import Any

from calls import caller, calls
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

TOLD = ("openai", "anthropic", "opentelemetry", "openinference", "logfire")


def instrument(name: str, exporter: InMemorySpanExporter) -> tuple[str, ...]:
    """Switch an instrumentation on; the SDKs that it covers."""
    if name == "logfire":
        import logfire

        processors = [SimpleSpanProcessor(exporter)]
        logfire.configure(send_to_logfire=False, console=False, additional_span_processors=processors)
        logfire.instrument_openai()
        logfire.instrument_anthropic()
        return ("openai", "anthropic")
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    if name == "opentelemetry-genai":
        from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        AnthropicInstrumentor().instrument()
    elif name == "opentelemetry-openai-v2":
        from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        return ("openai",)
    elif name == "openllmetry":
        from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        AnthropicInstrumentor().instrument()
    elif name == "openinference":
        from openinference.instrumentation.anthropic import AnthropicInstrumentor
        from openinference.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        AnthropicInstrumentor().instrument()
    elif name == "anthropic-native":
        return ("anthropic",)
    else:
        raise SystemExit(f"instrumentation {name!r}: not one of those in record.py")
    return ("openai", "anthropic")


def as_json(span: ReadableSpan) -> dict[str, Any]:
    """A span under the field names of `SpanData`."""
    context, scope = span.get_span_context(), span.instrumentation_scope
    return {
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "parent_span_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "name": span.name,
        "kind": span.kind.name,
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "attributes": dict(span.attributes or {}),
        "scope_name": scope.name,
        "scope_version": scope.version or "",
        "status_code": span.status.status_code.name,
        "status_message": span.status.description or "",
        "events": [
            {"name": event.name, "time_ns": event.timestamp, "attributes": dict(event.attributes or {})}
            for event in span.events
        ],
    }


def main() -> None:
    """Print the versions, then for each call its label and spans."""
    name, openai_url, anthropic_url = sys.argv[1:]
    exporter = InMemorySpanExporter()
    sdks = instrument(name, exporter)
    versions = {
        dist.metadata["Name"]: dist.version
        for dist in distributions()
        if dist.metadata["Name"].startswith(TOLD)
    }
    print(json.dumps({"versions": dict(sorted(versions.items()))}))
    make = caller(openai_url, anthropic_url)
    for call in calls(*sdks):
        exporter.clear()
        make(call)
        spans = [as_json(span) for span in exporter.get_finished_spans()]
        print(json.dumps({"label": call["label"], "spans": spans}, default=list), flush=True)


main()
