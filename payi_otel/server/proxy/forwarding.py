"""Which headers pass the proxy: to the vendor what is meant for it, and back what callers use."""

from __future__ import annotations

from collections.abc import Mapping

from payi_otel.server.errors import ApiError
from payi_otel.server.proxy.targets import Vendor

_OUT = ("content-type", "accept", "user-agent", "idempotency-key")
_OUT_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "openai": ("openai-", "x-stainless-"),
    "anthropic": ("anthropic-", "x-stainless-"),
}
_BACK = ("content-type", "retry-after", "retry-after-ms", "x-request-id", "request-id", "apim-request-id")
_BACK_PREFIXES = ("openai-", "anthropic-", "x-ratelimit-", "x-ms-", "x-should-")
_FORWARD = "xproxy-forward-"
# What belongs to one connection, or would make two messages of one.
_NEVER = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "expect", "keep-alive"}
)


def request_headers(vendor: Vendor, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers for the vendor: its credentials, its own, and those named by `xProxy-Forward-<name>`.

    Raises `ApiError` without a credential. No other `xProxy-*` header ever leaves.
    """
    passed = {"accept-encoding": "identity"}
    for name, value in headers.items():
        name = name.lower()
        if name in (*_OUT, *vendor.credentials) or name.startswith(_OUT_PREFIXES[vendor.sdk]):
            passed[name] = value
        elif name.startswith(_FORWARD) and name.removeprefix(_FORWARD) not in _NEVER:
            passed[name.removeprefix(_FORWARD)] = value
    if not any(name in passed for name in vendor.credentials):
        names = " or ".join(vendor.credentials)
        raise ApiError(
            400, "header_is_missing", f"{names}: missing; the proxy calls the vendor with your key"
        )
    return {name: value for name, value in passed.items() if name and not name.startswith("xproxy-")}


def response_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of the vendor's answer that go back."""
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower() in _BACK or name.lower().startswith(_BACK_PREFIXES)
    }
