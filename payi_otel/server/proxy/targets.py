"""Which vendor, API and host a request to the proxy is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from payi_otel.providers.model import Exchange, Sdk, Surface

_SURFACES: Mapping[str, Surface] = {
    "chat/completions": "chat",
    "responses": "responses",
    "embeddings": "embeddings",
    "images/generations": "image",
    "messages": "messages",
}


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor the proxy calls. Without `base_url` the caller must name one."""

    sdk: Sdk
    client_class: str
    paths: re.Pattern[str]
    base_url: str | None
    credentials: tuple[str, ...]


_DEPLOYMENT = r"openai/deployments/(?P<deployment>[^/]+)/"
VENDORS: Mapping[str, Vendor] = {
    "openai": Vendor(
        "openai",
        "OpenAI",
        re.compile(r"v1/(?P<api>chat/completions|responses|embeddings|images/generations)"),
        "https://api.openai.com",
        ("authorization",),
    ),
    "azure.openai": Vendor(
        "openai",
        "AzureOpenAI",
        re.compile(
            rf"{_DEPLOYMENT}(?P<api>chat/completions|embeddings|images/generations)"
            r"|openai/v1/(?P<v1>responses)"
        ),
        None,
        ("authorization", "api-key"),
    ),
    "anthropic": Vendor(
        "anthropic",
        "Anthropic",
        re.compile(r"v1/(?P<api>messages)"),
        "https://api.anthropic.com",
        ("x-api-key", "authorization"),
    ),
    "azure.anthropic": Vendor(
        "anthropic",
        "AnthropicFoundry",
        re.compile(r"v1/(?P<api>messages)"),
        None,
        ("x-api-key", "api-key", "authorization"),
    ),
}


@dataclass(frozen=True, slots=True)
class Target:
    """One API of a vendor."""

    vendor: Vendor
    surface: Surface
    path: str
    deployment: str | None = None

    def exchange(self, body: Mapping[str, Any], base_url: str) -> Exchange:
        """The call as the readers of answers know it."""
        return Exchange(
            sdk=self.vendor.sdk,
            surface=self.surface,
            request=body,
            base_url=base_url,
            path=f"/{self.path}",
            client_classes=(self.vendor.client_class,),
            client_hints={"deployment": self.deployment} if self.deployment else {},
            is_stream=body.get("stream") is True,
        )


def target_of(vendor: str, path: str) -> Target | None:
    """What a path below `/api/v1/proxy/<vendor>/` is for, None for what the proxy does not pass on.

    >>> target_of("azure.openai", "openai/deployments/mine/chat/completions").deployment
    'mine'
    """
    known = VENDORS.get(vendor)
    match = known.paths.fullmatch(path) if known is not None else None
    if known is None or match is None:
        return None
    groups = match.groupdict()
    api = groups.get("api") or groups.get("v1") or ""
    deployment = groups.get("deployment")
    return Target(known, _SURFACES[api], path, None if deployment is None else unquote(deployment))
