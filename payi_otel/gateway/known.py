"""The calls a gateway has passed on lately: one call told by two instrumentations is stored once, as the richer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from payi_otel.gateway.evaluations import UseCase
from payi_otel.spans.event import IngestEvent
from payi_otel.spans.foreign.sightings import Place, Sightings, richer

# Three or four for each call, whose event takes about a kilobyte.
_MOST_SIGHTINGS = 100_000
_MOST_USE_CASES = 50_000
_MOST_PENDING = 50_000

_Span = tuple[str, str]


class KnownCalls:
    """Remembers calls, and forgets the oldest. All methods are safe in any thread.

    It saves work, and keeps the poorer of two events of a call from replacing the richer. What one gateway has
    forgotten, or another one has seen, Pay-i still stores once for each id.

    >>> KnownCalls().use_case_of("chatcmpl-1")
    """

    def __init__(self) -> None:
        self._sightings = Sightings(_MOST_SIGHTINGS)
        # What could not be stored when it was seen first: its sender will repeat it, and then it is no news.
        self._pending: OrderedDict[_Span, IngestEvent] = OrderedDict()
        self._use_cases: OrderedDict[str, UseCase] = OrderedDict()
        # From the look at what is known until it is stored: of two equal events at once both would be.
        self._storing = threading.Lock()

    def pass_on(
        self, seen: Sequence[tuple[IngestEvent, Place]], store: Callable[[Sequence[IngestEvent]], bool]
    ) -> bool:
        """Give `store` those of the events that say more than is known of their calls; its answer.

        False means that nothing is known to be stored, and that all of it comes again.
        """
        with self._storing:
            news: dict[_Span, IngestEvent] = {}
            for event, place in seen:
                span = (place.trace_id, place.span_id)
                admitted = self._pending.get(span) or self._sightings.admit(event, place)
                if admitted is not None:
                    news[span] = admitted
            events: dict[str, IngestEvent] = {}
            for event in news.values():
                known = events.get(event.provider_response_id, event)
                events[event.provider_response_id] = richer(known, event)
            stored = False
            try:
                stored = store(list(events.values()))
            finally:
                if stored:
                    self._settle(events)
                else:
                    self._pending.update(news)
                    _trim(self._pending, _MOST_PENDING)
            return stored

    def _settle(self, events: Mapping[str, IngestEvent]) -> None:
        """These are stored: nothing of them is pending, not even as another span saw it."""
        if self._pending:
            for span, event in list(self._pending.items()):
                if event.provider_response_id in events:
                    del self._pending[span]
        for event in events.values():
            if event.use_case_name and event.use_case_id:
                self._use_cases[event.provider_response_id] = event.use_case_name, event.use_case_id
        _trim(self._use_cases, _MOST_USE_CASES)

    def use_case_of(self, response_id: str) -> UseCase | None:
        """The use case instance of a call, None where the call or its use case is not known."""
        with self._storing:
            return self._use_cases.get(response_id)


def _trim(memory: OrderedDict[_Span, IngestEvent] | OrderedDict[str, UseCase], limit: int) -> None:
    while len(memory) > limit:
        memory.popitem(last=False)
