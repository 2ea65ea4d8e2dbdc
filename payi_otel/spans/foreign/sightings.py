"""One call seen by several instrumentations becomes one event, whichever of them reports it first."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass

from payi_otel.spans import semconv
from payi_otel.spans.event import ATTRIBUTION, IngestEvent
from payi_otel.spans.neutral import SpanData
from payi_otel.values import value

# How far apart in time two instrumentations report the end of one call.
_SAME_CALL_NS = 2_000_000_000
# Calls of one instrumentation that tell the same within that time.
_MOST_ALONE = 1_000


def richer(first: IngestEvent, second: IngestEvent) -> IngestEvent:
    """Which of two events of one call says more; the first where they say the same.

    Ours before any other, then the one whose usage is told, whose provider named it, that leaves less open, and
    that knows more.
    """
    return second if _richness(second) > _richness(first) else first


def _richness(event: IngestEvent) -> tuple[int, int, int, int, int]:
    properties = event.body.get("properties", {})
    missing = properties.get(semconv.SYSTEM_NOT_TOLD)
    return (
        _is_ours(event),
        bool(event.body["units"]) and not event.estimated,
        _is_named(event),
        -len(missing.split(",")) if missing else 0,
        len(properties),
    )


def _merged(first: IngestEvent, second: IngestEvent) -> IngestEvent:
    """The richer of two events of one call, with the use case of the better informed; ours as it is."""
    rich = richer(first, second)
    owner = max(first, second, key=_ownership)
    if _is_ours(rich) or _ownership(owner) == _ownership(rich):
        return rich
    return rich.owned_as(owner)


def _ownership(event: IngestEvent) -> int:
    return sum(bool(event.body.get(name)) for name in ATTRIBUTION)


def _is_ours(event: IngestEvent) -> bool:
    return semconv.SYSTEM_INSTRUMENTATION not in event.body.get("properties", ())


def _is_named(event: IngestEvent) -> bool:
    """Whether its id is the provider's, which all instrumentations of the call would tell."""
    return not event.body["provider_response_id"].startswith("payi_")


@value
class Place:
    """Where an event was seen: its span, the span around that, who made it, and when it ended (Unix time, ns)."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    scope_name: str
    end_ns: int

    @classmethod
    def of(cls, span: SpanData) -> Place:
        """The place of a span."""
        return cls(span.trace_id, span.span_id, span.parent_span_id, span.scope_name, span.end_ns)


@dataclass(slots=True, eq=False)
class _Sighting:
    """What is known of one call: the event last let through, who has reported it, and when it ended."""

    event: IngestEvent
    scope_name: str
    end_ns: int


_Teller = tuple[str, bool]
"""The instrumentation that told of a call, and whether it told the provider's id."""


class Sightings:
    """A bounded memory of the calls seen lately, safe to use from several threads.

    Two events are one call if they have the provider's id in common, if the span of one is the parent of the
    other's and only one of them has such an id, or, where one has none, if two instrumentations tell the same
    provider, model and total tokens within two seconds; then each event finds at most one partner.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._by_key: OrderedDict[Hashable, _Sighting] = OrderedDict()
        # By what they tell, then by who tells it: a partner is found without a look at all that tell the same.
        self._alone: OrderedDict[Hashable, dict[_Teller, deque[_Sighting]]] = OrderedDict()

    def admit(self, event: IngestEvent, place: Place) -> IngestEvent | None:
        """The event to send, None where what was sent before says as much.

        A richer event of a known call keeps the id that the call was sent under: it replaces what was sent. The
        use case is that of the one which tells most of it.
        """
        facts = _facts_key(event)
        id_key = _id_key(event)
        with self._lock:
            known = self._by_key.get(id_key) or self._find(event, place, facts)
            if known is None:
                known = _Sighting(event.without_content(), place.scope_name, place.end_ns)
                self._keep_alone(known, facts)
                self._keep(known, id_key, place)
                return event
            self._drop_alone(known)
            self._keep(known, id_key, place)
            renamed = event.renamed(known.event.body["provider_response_id"])
            told = _merged(known.event, renamed)
            if told is known.event:
                return None
            known.event = told.without_content()
            return told

    def _find(self, event: IngestEvent, place: Place, facts: Hashable) -> _Sighting | None:
        """The call of an event whose id is not known."""
        relative = self._by_key.get(("child of", place.trace_id, place.span_id))
        if relative is not None and _may_be_one(relative, event, place):
            return relative
        if place.parent_span_id is not None:
            relative = self._by_key.get(("span", place.trace_id, place.parent_span_id))
            if relative is not None and _may_be_one(relative, event, place):
                return relative
        tellers = self._alone.get(facts)
        if tellers is None:
            return None
        named = _is_named(event)
        for (scope_name, is_named), alone in tellers.items():
            if scope_name == place.scope_name or (named and is_named):
                continue
            for one in alone:
                if _may_be_one(one, event, place) and _is_near(one, place):
                    return one
        return None

    def _keep(self, sighting: _Sighting, id_key: Hashable, place: Place) -> None:
        by_key = self._by_key
        keys: list[Hashable] = [("span", place.trace_id, place.span_id), id_key]
        if place.parent_span_id is not None:
            keys.append(("child of", place.trace_id, place.parent_span_id))
        for key in keys:
            by_key[key] = sighting
            by_key.move_to_end(key)
        while len(by_key) > self._limit:
            by_key.popitem(last=False)

    def _keep_alone(self, sighting: _Sighting, facts: Hashable) -> None:
        tellers = self._alone.get(facts)
        if tellers is None:
            tellers = self._alone[facts] = {}
        else:
            self._alone.move_to_end(facts)
        teller = _teller(sighting)
        alone = tellers.get(teller)
        if alone is None:
            alone = tellers[teller] = deque(maxlen=_MOST_ALONE)
        while alone and sighting.end_ns - alone[0].end_ns >= _SAME_CALL_NS:
            alone.popleft()
        alone.append(sighting)
        while len(self._alone) > self._limit:
            self._alone.popitem(last=False)

    def _drop_alone(self, sighting: _Sighting) -> None:
        """It has found its partner: the next event with these facts is another call."""
        key, teller = _facts_key(sighting.event), _teller(sighting)
        tellers = self._alone.get(key, {})
        alone = tellers.get(teller)
        if alone is None or sighting not in alone:
            return
        alone.remove(sighting)
        if not alone:
            del tellers[teller]
        if not tellers:
            del self._alone[key]


def _teller(sighting: _Sighting) -> _Teller:
    return sighting.scope_name, _is_named(sighting.event)


def _may_be_one(known: _Sighting, event: IngestEvent, place: Place) -> bool:
    """Two ids of the provider are two calls, and so are two spans of one instrumentation."""
    both_named = _is_named(event) and _is_named(known.event)
    return not both_named and place.scope_name != known.scope_name and _agree(known.event, event)


def _is_near(known: _Sighting, place: Place) -> bool:
    return abs(known.end_ns - place.end_ns) < _SAME_CALL_NS


def _agree(first: IngestEvent, second: IngestEvent) -> bool:
    """Whether two events may tell of one call: of one provider, and of as many tokens where both tell them."""
    same = first.body["category"] == second.body["category"]
    both_tell = first.body["units"] and second.body["units"]
    return same and (not both_tell or _tokens(first) == _tokens(second))


def _tokens(event: IngestEvent) -> tuple[int, int]:
    put_in = put_out = 0
    for unit in event.body["units"].values():
        put_in += unit["input"]
        put_out += unit["output"]
    return put_in, put_out


def _id_key(event: IngestEvent) -> Hashable:
    return "id", event.body["category"], event.body["provider_response_id"]


def _facts_key(event: IngestEvent) -> Hashable:
    body = event.body
    status = body.get("http_status_code") if not body["units"] else None
    return "facts", body["category"], body.get("resource"), _tokens(event), status
