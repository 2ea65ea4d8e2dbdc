"""What a call is priced as: category and resource in Pay-i's catalogue, and the GenAI names of provider and work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from payi_otel.providers.model import Exchange, ModelMapping, PriceKey, Sdk
from payi_otel.values import value

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


@value
class Endpoint:
    """What a client's class and address tell of every call it makes.

    `provider` is `gen_ai.provider.name`; `prefix` is put before a model's name to make it a resource.
    """

    category: str
    provider: str
    prefix: str
    host: str
    port: int | None


def endpoint(exchange: Exchange) -> Endpoint:
    """Where a call goes."""
    return _endpoint(exchange.sdk, exchange.client_classes, exchange.base_url)


# A program talks to a few addresses, thousands of times.
@lru_cache(maxsize=256)
def _endpoint(sdk: Sdk, client_classes: tuple[str, ...], base_url: str) -> Endpoint:
    known = next((name for name in client_classes if name in _CLIENTS), _SDKS[sdk])
    category, provider, prefix = _CLIENTS[known]
    url = urlsplit(base_url)
    host = url.hostname or ""
    if provider == "openai":
        provider = _HOSTS.get(host, provider)
    return Endpoint(category, provider, prefix, host, url.port)


def operation(exchange: Exchange) -> str:
    """`gen_ai.operation.name`; chat where an API is a conversation under another name."""
    return _OPERATIONS.get(exchange.surface, "chat")


def price_key(
    exchange: Exchange,
    response_model: str | None,
    *,
    served_deployment: str | None = None,
    host_mappings: Mapping[str, str],
    model_mappings: Sequence[ModelMapping],
    price_as_category: str | None,
    price_as_resource: str | None,
    resource_scope: str | None,
    reading_scope: str | None,
) -> PriceKey:
    """Category, resource and scope: what the caller said, then a mapping, then what client and response say.

    A model mapping counts only where the caller set neither category nor resource. `served_deployment` is what Azure
    says it was.
    """
    place = endpoint(exchange)
    host = place.host
    category = host_mappings.get(host, place.category)
    requested = exchange.request.get("model")
    if isinstance(requested, str) and requested:
        model = requested
    else:
        deployment = exchange.client_hints.get("deployment") or served_deployment
        model = deployment or response_model
    resource = place.prefix + model if model else UNKNOWN_RESOURCE
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
    if geo is None or geo in _NO_GEO or endpoint(exchange).category != "system.anthropic":
        return None
    return f"datazone.{geo}"


def _regional_scope(host: str) -> str | None:
    """OpenAI's regional hosts ("eu.api.openai.com") bill data residency."""
    region, _, rest = host.partition(".")
    return f"datazone.{region}" if rest == "api.openai.com" else None
