"""Settings of the gateway."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_HTTP_PORT, DEFAULT_GRPC_PORT = 4318, 4317
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Where the gateway listens, to whom, and how much it takes.

    host: address of both servers.
    http_port, grpc_port: ports, 0 for a free one; `grpc_port=None` serves HTTP only.
    keys: what senders must show; without keys everybody may send.
    allow_anonymous: serve without keys at another address than loopback.
    tls_certificate, tls_key: PEM files; both or neither.
    max_body_bytes: largest request, as sent and decompressed.
    max_held_bytes: largest sum of HTTP bodies held at once; more are asked to come again.
    drain_timeout_s: seconds that requests under way may still take after a stop signal.

    Raises ValueError when a setting is wrong.

    >>> GatewayConfig(host="0.0.0.0")
    Traceback (most recent call last):
    ...
    ValueError: host='0.0.0.0': others can reach it; set keys, or allow senders without one
    """

    host: str = "127.0.0.1"
    http_port: int = DEFAULT_HTTP_PORT
    grpc_port: int | None = DEFAULT_GRPC_PORT
    keys: tuple[str, ...] = field(default=(), repr=False)
    allow_anonymous: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    max_body_bytes: int = 32 * MIB
    max_held_bytes: int = 256 * MIB
    drain_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        for name in ("max_body_bytes", "max_held_bytes", "drain_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)!r}: give a number above 0")
        if self.max_body_bytes > self.max_held_bytes:
            raise ValueError(
                f"max_body_bytes={self.max_body_bytes}: not above max_held_bytes, {self.max_held_bytes}"
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key: give both or neither")
        if not self.keys and not self.allow_anonymous and not _is_loopback(self.host):
            raise ValueError(
                f"host={self.host!r}: others can reach it; set keys, or allow senders without one"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
