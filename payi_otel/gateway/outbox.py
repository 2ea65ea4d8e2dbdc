"""The gateway's way into the durable outbox of `delivery`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from payi_otel.delivery.intake import plain_json
from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.scores import KpiScore
from payi_otel.delivery.worker import DeliveryWorker
from payi_otel.gateway.known import KnownCalls
from payi_otel.gateway.receiver import Full
from payi_otel.spans.event import IngestEvent


def fast_json(body: Mapping[str, Any]) -> bytes:
    """As `plain_json`, in a fifth of the time.

    >>> fast_json({"units": {}})
    b'{"units":{}}'
    """
    try:
        return orjson.dumps(body)
    except TypeError:
        # Half an emoji, or a number beyond 64 bits: the other one knows what to make of it.
        return plain_json(body)


class DeliveryOutbox:
    """Stores by way of the process's delivery worker, which sends to Pay-i what is stored.

    Args:
        worker: the worker; its outbox is on disk.
        ledger: the ledger it counts in.
        min_room_bytes: with less room than one request may need, the gateway is not ready.

    >>> DeliveryOutbox(worker, ledger, 2**25).store([event])  # doctest: +SKIP
    ()
    """

    def __init__(self, worker: DeliveryWorker, ledger: Ledger, min_room_bytes: int) -> None:
        self.known = KnownCalls()
        self._worker = worker
        self._ledger = ledger
        self._min_room_bytes = min_room_bytes

    def start(self) -> None:
        """Deliver what an earlier gateway left in the folder, also where no sender ever comes."""
        self._worker.store([])

    def store(self, items: Sequence[IngestEvent | KpiScore]) -> Sequence[str]:
        """Put items into the outbox file. Raises `Full` when not all of them are there."""
        if not self._worker.store(items, fast_json):
            raise Full
        estimated = [item.estimated for item in items if isinstance(item, IngestEvent)]
        self._ledger.saw_all(count=len(estimated), estimated=sum(estimated))
        return ()

    def obstacle(self) -> str | None:
        """Why nothing can be stored now; None when it can."""
        return None if self._worker.room_bytes >= self._min_room_bytes else "the outbox is full"
