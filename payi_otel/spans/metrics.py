"""GenAI client metrics and the ledger's counters, for applications with a MeterProvider."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.util.types import AttributeValue

from payi_otel.faults import faults
from payi_otel.providers import catalog
from payi_otel.providers.model import Reading
from payi_otel.spans import semconv
from payi_otel.version import VERSION

if TYPE_CHECKING:
    from payi_otel.spans.writer import CallFacts

# Buckets the GenAI conventions advise.
_TOKEN_BUCKETS = tuple(4.0**power for power in range(14))
_SECOND_BUCKETS = tuple(0.01 * 2**power for power in range(14))


class ClientMetrics:
    """`gen_ai.client.*` histograms; without a MeterProvider of the application they cost next to nothing."""

    def __init__(self) -> None:
        meter = metrics.get_meter(semconv.SCOPE, VERSION)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens used per call",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Duration of a call, streams to their end",
            explicit_bucket_boundaries_advisory=_SECOND_BUCKETS,
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time to the first chunk of a stream",
            explicit_bucket_boundaries_advisory=_SECOND_BUCKETS,
        )

    @property
    def is_idle(self) -> bool:
        """Whether nobody listens: OpenTelemetry's API alone, proxy or no-op, keeps nothing."""
        return type(metrics.get_meter_provider()).__module__.startswith("opentelemetry.metrics.")

    def record(self, facts: CallFacts, reading: Reading) -> None:
        """Record one billed call."""
        if self.is_idle:
            return
        with faults.guard("spans.metrics"):
            attributes: dict[str, AttributeValue] = {
                semconv.GEN_AI_OPERATION: catalog.operation(facts.exchange),
                semconv.GEN_AI_PROVIDER: catalog.endpoint(facts.exchange).provider,
            }
            model = facts.exchange.request.get("model")
            if isinstance(model, str):
                attributes[semconv.GEN_AI_REQUEST_MODEL] = model
            if reading.model:
                attributes[semconv.GEN_AI_RESPONSE_MODEL] = reading.model
            error_type = facts.failure or reading.error_type
            if error_type or (facts.status or 0) >= 400:
                attributes[semconv.ERROR_TYPE] = error_type or str(facts.status)
            self._duration.record(facts.latency_ms / 1000, attributes)
            if facts.first_chunk_ms is not None:
                self._first_chunk.record(facts.first_chunk_ms / 1000, attributes)
            if reading.tokens is not None and reading.usage_source == "provider":
                for kind, count in (("input", reading.tokens.input), ("output", reading.tokens.output)):
                    self._tokens.record(count, {**attributes, semconv.GEN_AI_TOKEN_TYPE: kind})


def observe_ledger(counts: Callable[[], dict[str, int]]) -> None:
    """Publish the ledger as `payi.ledger.events`, one series per state, read when metrics are collected."""

    def read(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(value, {"state": state}) for state, value in counts().items()]

    metrics.get_meter(semconv.SCOPE, VERSION).create_observable_gauge(
        "payi.ledger.events",
        callbacks=[read],
        unit="{event}",
        description="Events seen, delivered, queued, estimated, unpriced, rejected, dropped",
    )
