"""Typed client for the Pay-i REST API: `Payi` and `AsyncPayi`.

>>> from payi_otel.client import Payi
>>> client = Payi()  # doctest: +SKIP
>>> client.use_cases.kpis.update("Deflection Rate", use_case_name="chat", use_case_id="ticket-42",
...     score=True)  # doctest: +SKIP
"""

from payi_otel.client.errors import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    InvalidArgumentError,
    NotFoundError,
    PayiError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)
from payi_otel.client.pages import AsyncPage, Page
from payi_otel.client.payi import AsyncPayi, Payi
from payi_otel.client.urls import (
    payi_anthropic_url,
    payi_aws_bedrock_url,
    payi_azure_anthropic_url,
    payi_azure_openai_url,
    payi_openai_url,
)

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncPage",
    "AsyncPayi",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "InternalServerError",
    "InvalidArgumentError",
    "NotFoundError",
    "Page",
    "Payi",
    "PayiError",
    "PermissionDeniedError",
    "RateLimitError",
    "UnprocessableEntityError",
    "payi_anthropic_url",
    "payi_aws_bedrock_url",
    "payi_azure_anthropic_url",
    "payi_azure_openai_url",
    "payi_openai_url",
]
