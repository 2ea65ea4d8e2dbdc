"""What a call is priced as: category and resource in Pay-i's catalogue, and the GenAI names of provider and work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from payi_otel.providers.model import Exchange, ModelMapping, PriceKey

UNKNOWN_RESOURCE = "system.unknown_model"

# (client class, category, OpenTelemetry provider, prefix of the resource); the most derived class decides.
_CLIENTS: Mapping[str, tuple[str, str, str]] = {
    "AzureOpenAI": ("system.azureopenai", "azure.ai.openai", ""),
    "BedrockOpenAI": ("system.aws.bedrock", "aws.bedrock", ""),
    "OpenAI": ("system.openai", "openai", ""),
    "AnthropicVertex": ("system.google.vertex", "gcp.vertex_ai", "anthropic."),
    "AnthropicGoogleCloud": ("system.google.vertex", "gcp.vertex_ai", "anthropic."),
    "AnthropicBedrock": ("system.aws.bedrock", "aws.bedrock", ""),
    "AnthropicBedrockMantle": ("system.aws.bedrock", "aws.bedrock", ""),
    "AnthropicAWS": ("system.aws.bedrock", "aws.bedrock", ""),
    "AnthropicFoundry": ("system.azure", "azure.ai.inference", ""),
    "Anthropic": ("system.anthropic", "anthropic", ""),
}
_SDKS = {"openai": "OpenAI", "anthropic": "Anthropic"}
# OpenAI-compatible endpoints that OpenTelemetry has a name for.
_HOSTS: Mapping[str, str] = {
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.deepseek.com": "deepseek",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    "generativelanguage.googleapis.com": "gcp.gemini",
}
_OPERATIONS: Mapping[str, str] = {
    "chat": "chat",
    "completion": "text_completion",
    "complete": "text_completion",
    "embeddings": "embeddings",
    "image": "generate_content",
    "speech": "generate_content",
    "transcription": "generate_content",
    "translation": "generate_content",
    "moderation": "moderation",
}
_NO_GEO = frozenset({"", "global", "not_available"})


def _client(exchange: Exchange) -> tuple[str, str, str]:
    known = next((name for name in exchange.client_classes if name in _CLIENTS), _SDKS[exchange.sdk])
    return _CLIENTS[known]


def operation(exchange: Exchange) -> str:
    """`gen_ai.operation.name`; chat where an API is a conversation under another name."""
    return _OPERATIONS.get(exchange.surface, "chat")


def gen_ai_provider(exchange: Exchange) -> str:
    """`gen_ai.provider.name`."""
    provider = _client(exchange)[1]
    if provider == "openai":
        return _HOSTS.get(urlsplit(exchange.base_url).hostname or "", provider)
    return provider


def price_key(
    exchange: Exchange,
    response_model: str | None,
    headers: Mapping[str, str],
    *,
    host_mappings: Mapping[str, str],
    model_mappings: Sequence[ModelMapping],
    price_as_category: str | None,
    price_as_resource: str | None,
    resource_scope: str | None,
    reading_scope: str | None,
) -> PriceKey:
    """Category, resource and scope: what the caller said, then a mapping, then what client and response say.

    A model mapping counts only where the caller set neither category nor resource.
    """
    host = urlsplit(exchange.base_url).hostname or ""
    category, _, prefix = _client(exchange)
    category = host_mappings.get(host, category)
    requested = exchange.request.get("model")
    deployment = exchange.client_hints.get("deployment") or headers.get("x-ms-deployment-name")
    model = requested if isinstance(requested, str) and requested else deployment or response_model
    resource = prefix + model if model else UNKNOWN_RESOURCE
    scope = reading_scope or _regional_scope(host)
    if price_as_category or price_as_resource:
        return PriceKey(price_as_category or category, price_as_resource or resource, resource_scope or scope)
    for rule in model_mappings:
        if rule.model == model and rule.host in {None, host}:
            return PriceKey(
                rule.price_as_category or category,
                rule.price_as_resource or resource,
                resource_scope or rule.resource_scope or scope,
            )
    return PriceKey(category, resource, resource_scope or scope)


def geo_scope(exchange: Exchange, geo: str | None) -> str | None:
    """The scope of Anthropic's `inference_geo`; clouds have scopes of their own."""
    if geo is None or geo in _NO_GEO or _client(exchange)[0] != "system.anthropic":
        return None
    return f"datazone.{geo}"


def _regional_scope(host: str) -> str | None:
    """OpenAI's regional hosts ("eu.api.openai.com") bill data residency."""
    region, _, rest = host.partition(".")
    return f"datazone.{region}" if rest == "api.openai.com" else None
