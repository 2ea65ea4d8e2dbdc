"""By what a span of another instrumentation may be known for a billed call."""

from __future__ import annotations

from payi_otel.spans import semconv

PROVIDER = (semconv.GEN_AI_PROVIDER, "gen_ai.system", "llm.provider", "llm.system")
"""Attributes that name the provider, the ones to prefer first."""
REQUEST_MODEL = (semconv.GEN_AI_REQUEST_MODEL, "llm.request.model_name", "llm.request.model")
"""Attributes that name the model asked for, the ones to prefer first."""
SIGNS = frozenset(
    {
        semconv.EVENT_ID,
        semconv.GEN_AI_OPERATION,
        "llm.request.type",
        "openinference.span.kind",
        *REQUEST_MODEL,
        *PROVIDER,
    }
)
"""Attributes of which every billed call has one."""
