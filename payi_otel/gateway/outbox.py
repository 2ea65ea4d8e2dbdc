"""The gateway's way into the durable outbox of `delivery`."""

from __future__ import annotations

from collections.abc import Sequence

from payi_otel.delivery.ledger import Ledger
from payi_otel.delivery.scores import KpiScore
from payi_otel.delivery.worker import DeliveryWorker
from payi_otel.spans.event import IngestEvent

# A disk that takes longer is as good as none: the sender keeps its batch and comes again.
_WRITE_TIMEOUT_S = 5.0


class DeliveryOutbox:
    """Stores by way of the process's delivery worker, which also sends to Pay-i.

    >>> DeliveryOutbox(worker, ledger).store([event])  # doctest: +SKIP
    True
    """

    def __init__(self, worker: DeliveryWorker, ledger: Ledger) -> None:
        self._worker = worker
        self._ledger = ledger

    def store(self, items: Sequence[IngestEvent | KpiScore]) -> bool:
        """Put items into the outbox file; False when not all of them are there, for the sender to repeat."""
        drops = self._ledger.drops
        for item in items:
            if isinstance(item, IngestEvent):
                self._ledger.saw(estimated=item.estimated)
                self._worker.submit_event(item)
            else:
                self._worker.submit_score(item)
        return self._worker.persist(_WRITE_TIMEOUT_S) and self._ledger.drops == drops

    def obstacle(self) -> str | None:
        """Why nothing can be stored now; None when it can."""
        return None
