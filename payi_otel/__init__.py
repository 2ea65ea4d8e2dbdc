"""What your GenAI features cost and whether they were worth it: OpenTelemetry-native instrumentation for Pay-i.

>>> from payi_otel import payi_instrument, track
>>> payi_instrument()  # doctest: +SKIP
>>> @track(use_case_name="support_chat")  # doctest: +SKIP
... def answer(question: str) -> str: ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from payi_otel.bootstrap import force_flush, payi_instrument, shutdown, status, uninstrument
from payi_otel.settings import SettingsError
from payi_otel.tracking.headers import create_headers
from payi_otel.tracking.propagation import TrackedExecutor, extract_baggage, inject_baggage, with_context
from payi_otel.tracking.scopes import get_context, track, track_context
from payi_otel.version import VERSION as __version__

if TYPE_CHECKING:
    from payi_otel.client import AsyncPayi, Payi
    from payi_otel.client.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ConflictError,
        InternalServerError,
        NotFoundError,
        PayiError,
        PermissionDeniedError,
        RateLimitError,
        UnprocessableEntityError,
    )
    from payi_otel.client.urls import (
        payi_anthropic_url,
        payi_aws_bedrock_url,
        payi_azure_anthropic_url,
        payi_azure_openai_url,
        payi_openai_url,
    )
    from payi_otel.delivery.exporter import PayiSpanExporter
    from payi_otel.kpi import NoUseCaseError, define_kpi, increment_kpi, score_kpi

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncPayi",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "InternalServerError",
    "NoUseCaseError",
    "NotFoundError",
    "Payi",
    "PayiError",
    "PayiSpanExporter",
    "PermissionDeniedError",
    "RateLimitError",
    "SettingsError",
    "TrackedExecutor",
    "UnprocessableEntityError",
    "__version__",
    "create_headers",
    "define_kpi",
    "extract_baggage",
    "force_flush",
    "get_context",
    "increment_kpi",
    "inject_baggage",
    "payi_anthropic_url",
    "payi_aws_bedrock_url",
    "payi_azure_anthropic_url",
    "payi_azure_openai_url",
    "payi_instrument",
    "payi_openai_url",
    "score_kpi",
    "shutdown",
    "status",
    "track",
    "track_context",
    "uninstrument",
    "with_context",
]

# Imported on first use: they bring an HTTP client or the OpenTelemetry SDK with them.
_LAZY = {
    "APIConnectionError": "payi_otel.client.errors",
    "APIError": "payi_otel.client.errors",
    "APIStatusError": "payi_otel.client.errors",
    "APITimeoutError": "payi_otel.client.errors",
    "AsyncPayi": "payi_otel.client",
    "AuthenticationError": "payi_otel.client.errors",
    "BadRequestError": "payi_otel.client.errors",
    "ConflictError": "payi_otel.client.errors",
    "InternalServerError": "payi_otel.client.errors",
    "NoUseCaseError": "payi_otel.kpi",
    "NotFoundError": "payi_otel.client.errors",
    "Payi": "payi_otel.client",
    "PayiError": "payi_otel.client.errors",
    "PayiSpanExporter": "payi_otel.delivery.exporter",
    "PermissionDeniedError": "payi_otel.client.errors",
    "RateLimitError": "payi_otel.client.errors",
    "UnprocessableEntityError": "payi_otel.client.errors",
    "define_kpi": "payi_otel.kpi",
    "increment_kpi": "payi_otel.kpi",
    "payi_anthropic_url": "payi_otel.client.urls",
    "payi_aws_bedrock_url": "payi_otel.client.urls",
    "payi_azure_anthropic_url": "payi_otel.client.urls",
    "payi_azure_openai_url": "payi_otel.client.urls",
    "payi_openai_url": "payi_otel.client.urls",
    "score_kpi": "payi_otel.kpi",
}


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'payi_otel' has no attribute {name!r}")
    return getattr(import_module(module), name)
