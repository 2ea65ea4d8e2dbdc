"""The calls a gateway has passed on lately: one call told by two instrumentations is stored once, as the richer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from payi_otel.gateway.evaluations import UseCase
from payi_otel.spans.event import IngestEvent

# Some 300 bytes each.
_MOST_CALLS = 50_000

Richness = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    richness: Richness
    use_case: UseCase | None


class KnownCalls:
    """Remembers calls by their id, which is what Pay-i stores them under, and forgets the oldest.

    It only saves work and keeps the poorer of two from replacing the richer: what one gateway has forgotten, or
    another one has seen, Pay-i still stores once. All methods are safe in any thread.

    Args:
        max_calls: calls remembered.
    """

    def __init__(self, max_calls: int = _MOST_CALLS) -> None:
        self._max_calls = max_calls
        self._lock = threading.Lock()
        self._calls: OrderedDict[str, _Known] = OrderedDict()

    def news(self, events: Sequence[IngestEvent]) -> list[IngestEvent]:
        """The events that say more of their call than is known of it; the richest of each call."""
        best: dict[str, IngestEvent] = {}
        with self._lock:
            for event in events:
                other = best.get(event.provider_response_id)
                known = self._calls.get(event.provider_response_id)
                rivals = (
                    [richness(other)] if other is not None else [known.richness] if known is not None else []
                )
                if all(richness(event) > rival for rival in rivals):
                    best[event.provider_response_id] = event
        return list(best.values())

    def remember(self, events: Sequence[IngestEvent]) -> None:
        """These are stored now."""
        with self._lock:
            for event in events:
                use_case = (
                    (event.use_case_name, event.use_case_id)
                    if event.use_case_name and event.use_case_id
                    else None
                )
                self._calls[event.provider_response_id] = _Known(richness(event), use_case)
                self._calls.move_to_end(event.provider_response_id)
            while len(self._calls) > self._max_calls:
                self._calls.popitem(last=False)

    def use_case_of(self, response_id: str) -> UseCase | None:
        """The use case instance of a call, None where the call or its use case is not known."""
        with self._lock:
            known = self._calls.get(response_id)
        return known.use_case if known is not None else None


def richness(event: IngestEvent) -> Richness:
    """How much an event says, to be compared: billed units before all, then attribution, then the rest."""
    return (
        not event.estimated and bool(event.units),
        len(event.units),
        event.use_case_name is not None,
        sum(
            value is not None
            for value in (event.resource, event.use_case_id, event.user_id, event.account_name)
        ),
        len(event.properties) + len(event.use_case_properties),
        event.provider_response_json is not None,
    )
