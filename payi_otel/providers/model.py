"""The vocabulary between capture, providers and spans: one billed request and what it meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from payi_otel.values import value

Sdk = Literal["openai", "anthropic"]

Surface = Literal[
    "chat",
    "completion",
    "responses",
    "responses.compact",
    "responses.retrieve",
    "embeddings",
    "image",
    "speech",
    "transcription",
    "translation",
    "moderation",
    "realtime",
    "messages",
    "complete",
    "batch.create",
    "batch.retrieve",
    "batch.results",
]
"""Which API was called. A surface decides how the bodies are read; the URL decides the surface."""

UsageSource = Literal["provider", "estimated", "none"]
"""Who counted the units: the provider, we (a cut stream), or nobody (an error before any work)."""

Outcome = Literal["ok", "error", "cancelled", "closed_early", "dropped"]
"""How a call ended, from the caller's point of view."""


@value
class Units:
    """A count of one unit, each side a non-negative integer."""

    input: int = 0
    output: int = 0


@value
class FunctionCall:
    """A tool the model asked for. `arguments` is the JSON text as the model wrote it, if any."""

    name: str
    arguments: str | None = None


@value
class TokenTotals:
    """Token totals in OpenTelemetry's sense: input includes cache and all modalities, output includes reasoning."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


@value
class Exchange:
    """The request side of one billed call, as the caller made it.

    `request` is the caller's JSON body and must never be changed. `client_classes` are the names of the
    client's class and its bases without `Async` ("AzureOpenAI", "OpenAI", ...), most derived first.
    `client_hints` are client facts that price the call, such as Azure's `deployment`.
    """

    sdk: Sdk
    surface: Surface
    request: Mapping[str, Any]
    base_url: str = ""
    path: str = ""
    client_classes: tuple[str, ...] = ()
    client_hints: Mapping[str, str] = field(default_factory=dict[str, str])
    is_stream: bool = False


@value
class Reading:
    """What one billed pass cost, read from its response.

    `suffix` tells further passes of one response apart ("" for the response itself, "iteration-2" for an
    advisor pass, "image_gen" for a hosted tool's own model); `pending` says that the provider has accepted
    the work and will know its usage later (background responses).
    """

    units: Mapping[str, Units]
    usage_source: UsageSource
    model: str | None = None
    response_id: str | None = None
    suffix: str = ""
    tokens: TokenTotals | None = None
    function_calls: tuple[FunctionCall, ...] = ()
    finish_reasons: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict[str, str])
    resource_scope: str | None = None
    error_status: int | None = None
    error_type: str | None = None
    pending: bool = False


@value
class PriceKey:
    """What is priced: `category` and `resource` in Pay-i's catalogue, and where it ran (`scope`)."""

    category: str
    resource: str
    scope: str | None = None


@value
class ModelMapping:
    """A rule of `openai_config.model_mappings`: calls of `model` (at `host`, if set) are priced as the rest."""

    model: str
    host: str | None = None
    price_as_category: str | None = None
    price_as_resource: str | None = None
    resource_scope: str | None = None
