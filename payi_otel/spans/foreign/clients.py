"""Which provider a span names, in every spelling, and the SDK client that a price is looked up for."""

from __future__ import annotations

from collections.abc import Mapping

from payi_otel.providers.model import Sdk

# Older or private names → the conventions' (`gen_ai.provider.name`).
_PROVIDERS: Mapping[str, str] = {
    "az.ai.openai": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google": "gcp.gemini",
    "gemini": "gcp.gemini",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
}
# Reached with the OpenAI SDK at an address of their own, and priced as our own instrumentation prices that.
_COMPATIBLE = frozenset({"groq", "mistral_ai", "deepseek", "perplexity", "x_ai", "moonshot_ai"})


def provider_name(text: str) -> str:
    """The conventions' name of a provider.

    >>> provider_name("Azure"), provider_name("OpenAI")
    ('azure.ai.openai', 'openai')
    """
    lowered = text.strip().lower()
    return _PROVIDERS.get(lowered, lowered)


def client_of(provider: str, model: str) -> tuple[Sdk, str] | None:
    """The SDK and client class that a provider's model is called with, None where neither SDK is used for it.

    >>> client_of("gcp.vertex_ai", "claude-sonnet-4-5")
    ('anthropic', 'AnthropicVertex')
    """
    claude = "claude" in model.lower()
    if provider == "openai" or provider in _COMPATIBLE:
        return "openai", "OpenAI"
    if provider == "anthropic":
        return "anthropic", "Anthropic"
    if provider == "azure.ai.openai":
        return "openai", "AzureOpenAI"
    if provider == "aws.bedrock":
        return ("anthropic", "AnthropicBedrock") if claude else ("openai", "BedrockOpenAI")
    if provider == "gcp.vertex_ai" and claude:
        return "anthropic", "AnthropicVertex"
    if provider == "azure.ai.inference" and claude:
        return "anthropic", "AnthropicFoundry"
    return None


def category_of(provider: str) -> str:
    """The category of a provider that neither SDK reaches.

    >>> category_of("gcp.gemini"), category_of("cohere")
    ('system.google.vertex', 'system.cohere')
    """
    if provider in {"gcp.gemini", "gcp.vertex_ai", "gcp.gen_ai"}:
        return "system.google.vertex"
    return "system.azure" if provider == "azure.ai.inference" else f"system.{provider}"
