"""Which hosts the proxy may call. A caller names them, so every one is checked before a connection is made."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
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


_HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


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
        named = self.named(base_url)
        return replace(named, address=self._address(named.host, named.port))

    def named(self, base_url: str) -> Endpoint:
        """The same without looking for its address."""
        try:
            parts = urlsplit(base_url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise _bad_uri(base_url, "is no URL") from None
        if (
            parts.scheme not in {"https", "http"}
            or not _is_host(host)
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
        return Endpoint(parts.scheme, host, chosen, "", parts.path.rstrip("/"))

    def _address(self, host: str, port: int) -> str:
        try:
            found = [entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError):
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


def _is_host(text: str) -> bool:
    """Whether it is a name or an address as such, and nothing that a resolver might read otherwise."""
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return bool(_HOST.fullmatch(text))


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return all(one.is_global and not one.is_multicast for one in (parsed, *_within(parsed)))


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for: a gateway would call those."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    # Of NAT64, and of the older "compatible" form, in which the rest is zero.
    if address in _NAT64 or int(address) < 2**32:
        found.append(ipaddress.IPv4Address(int(address) % 2**32))
    return [one for one in found if one is not None]


def _bad_uri(base_url: str, problem: str) -> ApiError:
    return ApiError(400, "invalid_provider_uri", f"xProxy-Provider-BaseUri: {base_url!r}: {problem}")
