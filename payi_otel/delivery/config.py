"""Settings of the delivery worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from payi_otel.settings import Durability
from payi_otel.values import value


@value
class DeliveryConfig:
    """How and where to deliver.

    api_key: Pay-i application key; None lets everything wait in the queue.
    base_url: address of Pay-i without a path.
    timeout_s: seconds for one request from start to end.
    batch_max_items, batch_max_bytes, batch_max_age_s: a batch leaves when it has this many events, this many
        bytes of JSON, or its oldest event has waited this many seconds.
    queue_max_bytes: bound of everything that waits in memory, in bytes; at the bound the newest is refused and counted.
    outbox_max_age_s: what could not be delivered for so many seconds is given up.
    delivery: False where spans alone carry the events, by a Collector to a gateway: nothing is sent from here.
    durability: "memory", "default" (on disk soon after the call) or "sync" (on disk before the call returns).
    exit_timeout_s: seconds that the final flush may delay the end of the process.
    headers: extra request headers.

    Raises ValueError when a number is not above 0.
    """

    api_key: str | None = field(default=None, repr=False)
    base_url: str = "https://api.pay-i.com"
    timeout_s: float = 10.0
    batch_max_items: int = 500
    batch_max_bytes: int = 1_000_000
    batch_max_age_s: float = 1.0
    queue_max_bytes: int = 64 * 1024 * 1024
    outbox_max_age_s: float = 7 * 86_400.0
    delivery: bool = True
    durability: Durability = "default"
    exit_timeout_s: float = 5.0
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def __post_init__(self) -> None:
        for name in (
            "timeout_s",
            "batch_max_items",
            "batch_max_bytes",
            "batch_max_age_s",
            "queue_max_bytes",
            "outbox_max_age_s",
            "exit_timeout_s",
        ):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name}={value!r}: give a number above 0")
