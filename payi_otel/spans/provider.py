"""Which TracerProvider our spans go to: the application's, whenever it appears, else a private one."""

from __future__ import annotations

import logging
import os
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace import TracerProvider

from payi_otel.faults import faults
from payi_otel.registry import registry
from payi_otel.spans.processor import PayiSpanProcessor
from payi_otel.spans.sampler import RecordingSampler
from payi_otel.spans.semconv import SCOPE
from payi_otel.version import VERSION

logger = logging.getLogger("payi_otel")


class TracerSource:
    """Finds the tracer for each call and prepares a provider the first time it is seen.

    We never set the global provider: an application that sets its own later would be refused. Until it does,
    there are no spans, only events.
    """

    def __init__(self, provider: Any = None) -> None:
        self._fixed = provider
        self._is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        self._said_disabled = False

    def tracer(self) -> trace.Tracer | None:
        """The application's tracer, None while it has none: nobody would see a span then."""
        given = self._fixed or trace.get_tracer_provider()
        if given.__class__ is not trace.ProxyTracerProvider:
            provider = _sdk_provider(given)
            if isinstance(provider, TracerProvider) or self._fixed is not None:
                return self._prepared(provider)
        if self._is_disabled:
            self._say_disabled()
            return trace.NoOpTracer()
        return None

    def _prepared(self, provider: Any) -> trace.Tracer:
        tracer = registry.tracers.get(provider)
        if tracer is None:
            tracer = provider.get_tracer(SCOPE, VERSION)
            if isinstance(tracer, SdkTracer):
                if registry.processor is None:
                    registry.processor = PayiSpanProcessor()
                provider.add_span_processor(registry.processor)
                tracer.sampler = RecordingSampler(tracer.sampler)
            else:
                self._say_disabled()
            registry.tracers[provider] = tracer
        return tracer

    def _say_disabled(self) -> None:
        if self._said_disabled:
            return
        self._said_disabled = True
        if self._is_disabled:
            logger.warning("payi_otel: OTEL_SDK_DISABLED=true is respected: no spans and no Pay-i events")
        else:
            logger.warning(
                "payi_otel: %s gives no OpenTelemetry SDK tracer: no Pay-i events; use an SDK TracerProvider",
                type(self._fixed or trace.get_tracer_provider()).__name__,
            )

    def adopt_global(self) -> None:
        """Prepare the application's provider if it has appeared: its spans get use-case attributes."""
        with faults.guard("spans.provider"):
            self.tracer()


def _sdk_provider(provider: Any) -> Any:
    """The SDK's provider behind one that only passes on to it, such as Logfire's (checked on 4.41 to 5.2)."""
    if isinstance(provider, TracerProvider):
        return provider
    inner = getattr(provider, "provider", None)
    return inner if isinstance(inner, TracerProvider) else provider
