"""An application that exports by OTLP: `python -m tests.collector.app ENDPOINT PROTOCOL PREFIX COUNT PAUSE_S`.

Between the billed calls are spans of other work. A line per call says which was made; the last says whether all
was exported.
"""

from __future__ import annotations

import sys
import time

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import StatusCode

from tests.gateway.spans import chat_span

# While the Collector is away: the exporter tries again until then.
_EXPORT_TIMEOUT_S = 90
# What a tail sampler keeps for certain.
_ERROR_EVERY = 50


def exporter_for(endpoint: str, protocol: str) -> SpanExporter:
    """The real exporter."""
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(endpoint, insecure=True, timeout=_EXPORT_TIMEOUT_S)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    return Http(f"{endpoint}/v1/traces", timeout=_EXPORT_TIMEOUT_S)


def main(endpoint: str, protocol: str, prefix: str, count: int, pause_s: float) -> None:
    """Make `count` calls."""
    provider = TracerProvider()
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter_for(endpoint, protocol),
            max_queue_size=100_000,
            schedule_delay_millis=50,
            max_export_batch_size=20,
        )
    )
    for number in range(count):
        with provider.get_tracer("shop").start_as_current_span("GET /answer") as request:
            if number % _ERROR_EVERY == 0:
                request.set_status(StatusCode.ERROR)
            content = {"payi.provider_request_json": '{"messages":[]}'}
            chat_span(provider, f"chatcmpl-{prefix}-{number:08d}", content)
        print(number, flush=True)
        time.sleep(pause_s)
    print("flushed", provider.force_flush(), flush=True)
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
