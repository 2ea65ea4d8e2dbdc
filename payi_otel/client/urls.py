"""Base URLs for sending a provider SDK's requests through the Pay-i proxy."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from payi_otel.client.errors import InvalidArgumentError

DEFAULT_BASE_URL = "https://api.pay-i.com"


def resolve_base_url(base_url: str | None = None) -> str:
    """The service's base URL without a trailing slash: `base_url`, else PAYI_BASE_URL, else Pay-i's own.

    Raises `InvalidArgumentError` when it is no http(s) URL.
    """
    source, value = ("base_url", base_url) if base_url else ("PAYI_BASE_URL", os.environ.get("PAYI_BASE_URL"))
    value = (value or "").strip() or DEFAULT_BASE_URL
    if not _usable(value):
        raise InvalidArgumentError(f"{source}={value!r}: give an http(s) URL such as {DEFAULT_BASE_URL}")
    return value.rstrip("/")


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and has_host and not (parts.query or parts.fragment)


def payi_openai_url(payi_base_url: str | None = None) -> str:
    """`base_url` for `openai.OpenAI`.

    >>> payi_openai_url("https://pay-i.example/")
    'https://pay-i.example/api/v1/proxy/openai/v1'
    """
    return _proxy(payi_base_url, "openai/v1")


def payi_azure_openai_url(payi_base_url: str | None = None) -> str:
    """`azure_endpoint` for `openai.AzureOpenAI`; the request also needs the header xProxy-Provider-BaseUri."""
    return _proxy(payi_base_url, "azure.openai")


def payi_anthropic_url(payi_base_url: str | None = None) -> str:
    """`base_url` for `anthropic.Anthropic`."""
    return _proxy(payi_base_url, "anthropic")


def payi_azure_anthropic_url(payi_base_url: str | None = None) -> str:
    """`base_url` for `anthropic.AnthropicFoundry`; the request also needs the header xProxy-Provider-BaseUri."""
    return _proxy(payi_base_url, "azure.anthropic")


def payi_aws_bedrock_url(payi_base_url: str | None = None) -> str:
    """Endpoint URL for Bedrock's runtime client."""
    return _proxy(payi_base_url, "aws.bedrock")


def _proxy(base_url: str | None, route: str) -> str:
    return f"{resolve_base_url(base_url)}/api/v1/proxy/{route}"
