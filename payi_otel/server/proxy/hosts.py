"""Which hosts the proxy may call. A caller names them, so every one is checked before a connection is made."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from payi_otel.server.errors import ApiError

VENDOR_HOSTS = (
    "api.openai.com",
    "*.api.openai.com",
    "api.anthropic.com",
    "*.openai.azure.com",
    "*.cognitiveservices.azure.com",
    "*.services.ai.azure.com",
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host that may be called, and the address that was checked: connecting to the name might find another."""

    scheme: str
    host: str
    port: int
    address: str
    path: str

    def url(self, path: str, query: str) -> str:
        """The URL to connect to."""
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{shown}:{self.port}{self.path}/{path}" + (f"?{query}" if query else "")

    @property
    def host_header(self) -> str:
        """The `Host` header to send."""
        default = 443 if self.scheme == "https" else 80
        return self.host if self.port == default else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HostRules:
    """`allowed`: hosts besides the vendors' own. `private`: whether private networks and plain HTTP are allowed."""

    allowed: Sequence[str] = ()
    private: bool = False

    def check(self, base_url: str) -> Endpoint:
        """The endpoint of a provider's base URL. Resolves its name; raises `ApiError` where it may not be called."""
        try:
            parts = urlsplit(base_url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise _bad_uri(base_url, "is no URL") from None
        if (
            parts.scheme not in {"https", "http"}
            or not host
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise _bad_uri(base_url, "give one such as https://my-resource.openai.azure.com")
        if parts.scheme == "http" and not self.private:
            raise _bad_uri(base_url, "use https")
        if not any(_matches(host, pattern) for pattern in (*VENDOR_HOSTS, *self.allowed)):
            message = f"{host}: is none the proxy may call; the operator allows it with --provider-host"
            raise ApiError(400, "invalid_provider_host", message)
        chosen = port or (443 if parts.scheme == "https" else 80)
        return Endpoint(parts.scheme, host, chosen, self._address(host, chosen), parts.path.rstrip("/"))

    def _address(self, host: str, port: int) -> str:
        try:
            found = [entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except OSError:
            raise ApiError(502, "invalid_provider_host", f"{host}: has no address") from None
        addresses = [str(address) for address in found]
        if not self.private and not all(_is_public(address) for address in addresses):
            message = f"{host}: is in a private network; the operator allows those with --private-providers"
            raise ApiError(400, "invalid_provider_host", message)
        return addresses[0]


def _matches(host: str, pattern: str) -> bool:
    """Whether a host is the one of a pattern, or below it where that begins with `*.`."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern.lower()


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_global


def _bad_uri(base_url: str, problem: str) -> ApiError:
    return ApiError(400, "invalid_provider_uri", f"xProxy-Provider-BaseUri: {base_url!r}: {problem}")
