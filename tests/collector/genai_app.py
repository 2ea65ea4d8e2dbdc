"""An application with both SDKs and `payi_instrument()`, which exports by OTLP as well.

    python -m tests.collector.genai_app COLLECTOR_URL OPENAI_URL ANTHROPIC_URL COUNT

Without PAYI_API_KEY its events reach Pay-i through the Collector only. The last line says whether all was exported.
"""

from __future__ import annotations

import sys

import anthropic
import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import payi_otel

ASK = [{"role": "user", "content": "What does a parcel to Lyon cost?"}]


def main(collector_url: str, openai_url: str, anthropic_url: str, count: int) -> None:
    """Make `count` calls with each SDK, every other one streamed."""
    provider = TracerProvider()
    to_collector = BatchSpanProcessor(OTLPSpanExporter(f"{collector_url}/v1/traces", timeout=90))
    provider.add_span_processor(to_collector)
    trace.set_tracer_provider(provider)
    payi_otel.payi_instrument()
    one = openai.OpenAI(api_key="k", base_url=openai_url)
    other = anthropic.Anthropic(api_key="k", base_url=anthropic_url)
    for number in range(count):
        stream = number % 2 == 1
        with payi_otel.track_context(use_case_name="shipping", use_case_id=str(number)):
            answers = (
                one.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=stream),
                other.messages.create(model="claude-haiku-4-5", max_tokens=50, messages=ASK, stream=stream),
            )
            if stream:
                for answer in answers:
                    list(answer)
    print("flushed", to_collector.force_flush(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
