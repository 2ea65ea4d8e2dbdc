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
        # What could not be stored when it was seen first, by its id, and the ids of its spans. Its sender repeats
        # it, or another one tells the call: then it is no news, but still to be stored. Without what was said.
        self._pending: OrderedDict[str, IngestEvent] = OrderedDict()
        self._pending_spans: OrderedDict[_Span, str] = OrderedDict()
        self._use_cases: OrderedDict[str, UseCase] = OrderedDict()
        # From the look at what is known until it is stored: of two equal events at once both would be.
        self._storing = threading.Lock()

    def pass_on(
        self, seen: Sequence[tuple[IngestEvent, Place]], store: Callable[[Sequence[IngestEvent]], None]
    ) -> None:
        """Give `store` those of the events that say more than is known of their calls.

        When it raises, nothing is known to be stored, and all of it is expected again.
        """
        with self._storing:
            news: list[tuple[Place, IngestEvent]] = []
            events: dict[str, IngestEvent] = {}
            for event, place in seen:
                admitted = self._sightings.admit(event, place) or self._still_wanted(event, place)
                if admitted is not None:
                    news.append((place, admitted))
                    event_id = admitted.body["provider_response_id"]
                    rival = events.get(event_id)
                    events[event_id] = richer(rival, admitted) if rival else admitted
            try:
                store(list(events.values()))
            except BaseException:
                self._postpone(events, news)
                raise
            self._settle(events)

    def _still_wanted(self, event: IngestEvent, place: Place) -> IngestEvent | None:
        event_id = self._pending_spans.get(_span_of(place), event.body["provider_response_id"])
        return event.renamed(event_id) if event_id in self._pending else None

    def _settle(self, events: Mapping[str, IngestEvent]) -> None:
        for event_id, event in events.items():
            pending = self._pending.get(event_id)
            # The richer is still to come, from a sender that was asked to come again.
            if pending is not None and richer(event, pending) is event:
                del self._pending[event_id]
            name, instance = event.body.get("use_case_name"), event.body.get("use_case_id")
            if name and instance:
                self._use_cases[event_id] = name, instance
        if not self._pending:
            self._pending_spans.clear()
        while len(self._use_cases) > _MOST_USE_CASES:
            self._use_cases.popitem(last=False)

    def _postpone(self, events: Mapping[str, IngestEvent], news: Sequence[tuple[Place, IngestEvent]]) -> None:
        for event_id, event in events.items():
            slim = event.without_content()
            self._pending[event_id] = richer(self._pending.get(event_id, slim), slim)
        self._pending_spans.update(
            {_span_of(place): event.body["provider_response_id"] for place, event in news}
        )
        while len(self._pending) > _MOST_PENDING:
            self._pending.popitem(last=False)
        while len(self._pending_spans) > _MOST_PENDING:
            self._pending_spans.popitem(last=False)

    def use_case_of(self, response_id: str) -> UseCase | None:
        """The use case instance of a call, None where the call or its use case is not known."""
        with self._storing:
            return self._use_cases.get(response_id)


def _span_of(place: Place) -> _Span:
    return place.trace_id, place.span_id
