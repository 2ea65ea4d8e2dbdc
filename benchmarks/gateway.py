"""What one core of a gateway takes: OTLP protobuf in, outbox on disk out, beside parts of the way.

    python benchmarks/gateway.py [SPANS] [ROUNDS]

Requests of 500 spans with 20 attributes, all of them billed calls (the most work there is), or one in twenty. CPU
time of the thread that answers the sender, the smallest of several rounds, because a shared machine only ever adds to
it. The garbage collector is as the gateway sets it. Delivery is another thread's work, and not counted.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from payi_otel.delivery.durable import DurableOutbox
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.worker import DeliveryConfig, DeliveryWorker
from payi_otel.garbage import collect_seldom
from payi_otel.gateway.bodies import decompress
from payi_otel.gateway.otlp_json import decode_spans as decode_json
from payi_otel.gateway.outbox import DeliveryOutbox
from payi_otel.gateway.protobuf import decode_spans
from payi_otel.gateway.receiver import Receiver
from payi_otel.spans.event import IngestEvent
from payi_otel.spans.reader import events_of

PER_REQUEST = 500
LIMIT = 2**26
CALL: dict[str, str | int] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 250,
    "server.address": "api.openai.com",
    "payi.category": "system.openai",
    "payi.resource": "gpt-4o-mini",
    "payi.units.text.input": 1200,
    "payi.units.text.output": 250,
    "payi.usage_source": "provider",
    "payi.outcome": "ok",
    "payi.end_to_end_latency_ms": 1800,
    "payi.use_case_name": "support_chat",
    "payi.use_case_id": "42",
    "payi.use_case_step": "answer",
    "payi.user_id": "user-7",
}
OTHER: dict[str, str | int] = {f"http.attribute.{number}": f"value {number}" for number in range(20)}


def request(numbers: Iterator[int], every: int) -> ExportTraceServiceRequest:
    """A request; one span in `every` is a billed call, each with an id of its own."""
    made = ExportTraceServiceRequest()
    scope = made.resource_spans.add().scope_spans.add()
    scope.scope.name = "payi_otel"
    for place in range(PER_REQUEST):
        number = next(numbers)
        span = scope.spans.add(
            name="chat gpt-4o-mini", kind=3, start_time_unix_nano=1_763_700_000 * 10**9 + number
        )
        span.trace_id, span.span_id = number.to_bytes(16, "big"), number.to_bytes(8, "big")
        event_id = f"chatcmpl-{number:024d}"
        call = {**CALL, "payi.event_id": event_id, "gen_ai.response.id": event_id}
        for name, value in (OTHER if place % every else call).items():
            target = span.attributes.add(key=name).value
            if isinstance(value, str):
                target.string_value = value
            else:
                target.int_value = value
    return made


def as_json(made: ExportTraceServiceRequest) -> bytes:
    """The request as OTLP/JSON: ids in hex."""
    body = MessageToDict(made, use_integers_for_enums=True)
    for resource_spans in body["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                for name in ("traceId", "spanId"):
                    span[name] = base64.b64decode(span[name]).hex()
    return json.dumps(body).encode()


def convert(body: bytes) -> list[IngestEvent | None]:
    """The events of a request."""
    return [events_of(span) for span in decode_spans(body).items]


def spans_per_s(step: Callable[[bytes], object], bodies: list[bytes]) -> float:
    """Spans per second of CPU."""
    started = time.thread_time_ns()
    for body in bodies:
        step(body)
    return len(bodies) * PER_REQUEST / ((time.thread_time_ns() - started) / 1e9)


def measure(total: int, rounds: int, every: int) -> dict[str, float]:
    """The best of some rounds of each step, in spans per second of CPU."""
    numbers = itertools.count(1)
    best: dict[str, float] = {}

    def keep(name: str, value: float) -> None:
        best[name] = max(best.get(name, 0.0), value)

    for _ in range(rounds):
        made = [request(numbers, every) for _ in range(max(1, total // PER_REQUEST))]
        bodies = [item.SerializeToString() for item in made]
        packed = [gzip.compress(body, 6) for body in bodies]
        keep("gunzip", spans_per_s(lambda body: decompress(body, "gzip", LIMIT), packed))
        keep("parse alone (upb)", spans_per_s(ExportTraceServiceRequest.FromString, bodies))
        keep("parse and walk", spans_per_s(decode_spans, bodies))
        keep("parse, walk, convert", spans_per_s(convert, bodies))
        keep("JSON: parse and walk", spans_per_s(decode_json, [as_json(item) for item in made[:4]]))
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger()
            outbox = DurableOutbox(Path(folder, "outbox"), max_bytes=2**32, spill_max_bytes=2**20)
            worker = DeliveryWorker(DeliveryConfig(batch_max_age_s=3600, exit_timeout_s=0.1), outbox, ledger)
            receiver, sink = Receiver(), DeliveryOutbox(worker, ledger, 1)

            def take(body: bytes, receiver: Receiver = receiver, sink: DeliveryOutbox = sink) -> None:
                receiver.receive("traces", "protobuf", decompress(body, "gzip", LIMIT), sink)

            keep("gzip in, on disk out", spans_per_s(take, packed))
            worker.shutdown(0.1)
    return best


def main() -> None:
    """Measure and print."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    collect_seldom()
    all_calls, some_calls = measure(total, rounds, 1), measure(total, rounds, 20)
    print(f"{'spans per second of CPU':28}{'all billed':>14}{'1 in 20':>14}")
    for name, value in all_calls.items():
        print(f"{name:28}{value:14,.0f}{some_calls[name]:14,.0f}")


if __name__ == "__main__":
    main()
