"""One call told several times is stored once, as the richest; what could not be stored is not forgotten."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

pytest.importorskip("grpc", reason="the gateway extra is not installed")

from payi_otel.gateway.known import KnownCalls
from payi_otel.gateway.receiver import Full
from payi_otel.spans.event import IngestBody, IngestEvent
from payi_otel.spans.foreign.sightings import Place

ID = "chatcmpl-000000000000001"
CALL: IngestBody = {
    "provider_response_id": ID,
    "category": "system.openai",
    "resource": "gpt-4o-mini",
    "units": {"text": {"input": 12, "output": 7}},
    "event_timestamp": datetime.now(timezone.utc),
}
POOR = IngestEvent({**CALL, "properties": {"system.instrumentation": "somebody"}})
RICH = IngestEvent({**CALL, "use_case_name": "support_chat", "use_case_id": "42"})


def place(span: int, scope: str = "payi_otel") -> Place:
    return Place("0" * 31 + "1", f"{span:016x}", None, scope, 0)


class Store:
    """Where events go; `full` refuses, `broken` raises."""

    def __init__(self) -> None:
        self.full = self.broken = False
        self.events: list[IngestEvent] = []

    def __call__(self, events) -> None:
        if self.broken:
            raise OSError("the disk is gone")
        if self.full:
            raise Full
        self.events.extend(events)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.mark.parametrize("order", [(POOR, RICH), (RICH, POOR)])
def test_the_richer_is_the_last_word_whichever_comes_first(store, order):
    known = KnownCalls()
    for number, event in enumerate(order):
        known.pass_on([(event, place(number, f"scope-{number}"))], store)
    assert store.events[-1] == RICH
    assert len(store.events) == (2 if order[0] is POOR else 1)


def test_both_in_one_batch_are_one_event(store):
    KnownCalls().pass_on([(POOR, place(1, "somebody")), (RICH, place(2))], store)
    assert store.events == [RICH]


def test_a_repetition_is_acknowledged_and_not_stored_again(store):
    known = KnownCalls()
    for _ in range(3):
        known.pass_on([(RICH, place(1))], store)
    assert store.events == [RICH]


@pytest.mark.parametrize("span", [1, 2], ids=["the same span", "another span of the call"])
def test_what_was_refused_is_stored_when_it_comes_again(store, span):
    known = KnownCalls()
    store.full = True
    with pytest.raises(Full):
        known.pass_on([(RICH, place(1))], store)
    with pytest.raises(Full):
        known.pass_on([(RICH, place(1))], store)
    store.full = False
    known.pass_on([(RICH, place(span))], store)
    assert store.events == [RICH]


def test_a_store_that_fails_is_as_good_as_full(store):
    known = KnownCalls()
    store.broken = True
    with pytest.raises(OSError, match="gone"):
        known.pass_on([(RICH, place(1))], store)
    store.broken = False
    known.pass_on([(RICH, place(1))], store)
    assert store.events == [RICH]


def test_the_poorer_that_was_refused_never_replaces_the_richer(store):
    known = KnownCalls()
    store.full = True
    with pytest.raises(Full):
        known.pass_on([(POOR, place(1, "somebody"))], store)
    store.full = False
    known.pass_on([(RICH, place(2))], store)
    known.pass_on([(POOR, place(1, "somebody"))], store)
    assert store.events == [RICH]


def test_the_richer_that_was_refused_still_replaces_the_poorer(store):
    known = KnownCalls()
    store.full = True
    with pytest.raises(Full):
        known.pass_on([(RICH, place(1))], store)
    store.full = False
    known.pass_on([(POOR, place(2, "somebody"))], store)
    known.pass_on([(RICH, place(1))], store)
    known.pass_on([(RICH, place(1))], store)
    assert store.events == [POOR, RICH]


def test_what_was_said_comes_again_with_its_sender(store):
    known, full = KnownCalls(), IngestEvent({**RICH.body, "provider_response_json": "what was said"})
    store.full = True
    with pytest.raises(Full):
        known.pass_on([(full, place(1))], store)
    store.full = False
    known.pass_on([(full, place(1))], store)
    assert store.events == [full]


def test_a_calls_use_case_is_known_once_it_is_stored(store):
    known = KnownCalls()
    store.full = True
    with pytest.raises(Full):
        known.pass_on([(RICH, place(1))], store)
    assert known.use_case_of(ID) is None
    store.full = False
    known.pass_on([(RICH, place(1))], store)
    assert known.use_case_of(ID) == ("support_chat", "42")
