"""One call, several instrumentations: one event, in whatever order they report it."""

from __future__ import annotations

import itertools
import threading
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.spans.event import IngestEvent
from payi_otel.spans.foreign.sightings import Place, Sightings, richer
from payi_otel.spans.reader import events_of
from tests.foreign.conftest import records, span_of

BASE = IngestEvent(
    {
        "provider_response_id": "chatcmpl-0123456789",
        "category": "system.openai",
        "resource": "gpt-4o",
        "units": {"text": {"input": 10, "output": 5}},
        "event_timestamp": datetime(2026, 1, 1, tzinfo=timezone.utc),
        "properties": {"system.instrumentation": "a"},
    }
)


def event(*, estimated=False, **changes):
    return IngestEvent({**BASE.body, **changes}, estimated)


def span(scope="a", number=1, parent=None, trace="1", end_ns=1):
    around = None if parent is None else f"{parent:016x}"
    return Place(trace * 32, f"{number:016x}", around, scope, end_ns)


RICHER = [
    ("ours", event(properties={}), event(properties={"system.instrumentation": "a", "system.speed": "fast"})),
    ("with usage", BASE, event(units={})),
    ("told", BASE, event(estimated=True)),
    ("named", BASE, event(provider_response_id="payi_1-2")),
    ("complete", BASE, event(properties={"system.instrumentation": "a", "system.not_told": "cache_ttl"})),
    (
        "more complete",
        event(properties={"system.instrumentation": "a", "system.not_told": "cache_ttl"}),
        event(properties={"system.instrumentation": "a", "system.not_told": "cache_ttl,service_tier"}),
    ),
    ("more facts", event(properties={"system.instrumentation": "a", "system.speed": "fast"}), BASE),
]


@pytest.mark.parametrize(("rich", "poor"), [pair[1:] for pair in RICHER], ids=[pair[0] for pair in RICHER])
def test_the_richer_event(rich, poor):
    assert richer(rich, poor) is rich
    assert richer(poor, rich) is rich


def test_of_two_equal_events_the_first_stays():
    again = event()
    assert richer(BASE, again) is BASE


@pytest.mark.parametrize("poor_first", [True, False])
def test_one_id_is_one_call_and_the_richest_event_is_what_stays(poor_first):
    poor = event(units={})
    sightings = Sightings()
    if poor_first:
        assert sightings.admit(poor, span("a")) is poor
        assert sightings.admit(BASE, span("b", 2)) == BASE
    else:
        assert sightings.admit(BASE, span("b", 2)) is BASE
        assert sightings.admit(poor, span("a")) is None
    assert sightings.admit(poor, span("c", 3)) is None


def test_the_use_case_of_the_better_informed_is_kept():
    # Logfire's last span of a stream starts outside of every scope; it knows the usage best.
    default = event(
        use_case_name="app", properties={"system.instrumentation": "logfire", "system.speed": "fast"}
    )
    scoped = event(use_case_name="chat", use_case_id="7", user_id="jane")
    both = default.owned_as(scoped)
    assert both.body == default.body | {"use_case_name": "chat", "use_case_id": "7", "user_id": "jane"}
    for first, second in ((default, scoped), (scoped, default)):
        sightings = Sightings()
        assert sightings.admit(first, span("a")) is first
        assert sightings.admit(second, span("b", 2)) == both
        assert sightings.admit(first, span("a")) is None


def test_an_event_of_ours_is_not_touched():
    sightings = Sightings()
    ours = event(properties={})
    assert sightings.admit(ours, span("payi_otel")) is ours
    assert sightings.admit(event(use_case_name="chat", use_case_id="7"), span("b", 2)) is None


def test_one_id_of_two_providers_is_two_calls():
    sightings = Sightings()
    assert sightings.admit(BASE, span())
    assert sightings.admit(event(category="system.groq"), span("b", 2))


@pytest.mark.parametrize("inner_first", [True, False])
def test_a_span_around_another_is_the_same_call_where_one_has_no_id(inner_first):
    inner = (BASE, span("inner", 2, parent=1))
    outer = (event(provider_response_id="payi_1-1", units={}), span("outer", 1))
    sightings = Sightings()
    first, second = (inner, outer) if inner_first else (outer, inner)
    assert sightings.admit(*first) is first[0]
    again = sightings.admit(*second)
    if inner_first:
        assert again is None
    else:
        # Replaces what was sent, so it goes by the same id.
        assert again == event(provider_response_id="payi_1-1")


def test_two_calls_with_ids_stay_two_even_if_one_span_is_the_parent_of_the_other():
    sightings = Sightings()
    assert sightings.admit(BASE, span("outer", 1))
    assert sightings.admit(event(provider_response_id="chatcmpl-9876543210"), span("inner", 2, parent=1))


@given(st.permutations([(scope, call) for scope in "ab" for call in range(3)]))
def test_equal_calls_without_ids_find_one_partner_each(order):
    sightings = Sightings()
    sent = [
        sightings.admit(
            event(provider_response_id=f"payi_{scope}-{call}"),
            span(scope, ord(scope) * 10 + call, trace=scope),
        )
        for scope, call in order
    ]
    assert sum(one is not None for one in sent) == 3


def test_equal_calls_at_different_times_are_different_calls():
    sightings = Sightings()
    assert sightings.admit(event(provider_response_id="payi_1-1"), span("a", 1))
    later = span("b", 2, trace="2", end_ns=5_000_000_000)
    assert sightings.admit(event(provider_response_id="payi_2-2"), later)


def test_the_memory_is_bounded():
    sightings = Sightings(limit=10)
    for number in range(100):
        one = event(
            provider_response_id=f"chatcmpl-{number:012d}", units={"text": {"input": number, "output": 0}}
        )
        assert sightings.admit(one, span(number=number))
    assert sightings.admit(event(provider_response_id="chatcmpl-000000000000"), span("b", 200))
    assert sightings.admit(event(provider_response_id="chatcmpl-000000000099"), span("b", 201)) is None


def test_threads_that_report_one_call_at_once_send_it_once():
    sightings, sent, ready = Sightings(), [], threading.Barrier(8)

    def report(number):
        ready.wait()
        for call in range(200):
            one = event(provider_response_id=f"chatcmpl-{call:012d}")
            sent.append(sightings.admit(one, span(f"scope{number}", number)))

    threads = [threading.Thread(target=report, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in sent) == 200


@pytest.mark.parametrize("name", sorted(records()))
def test_recorded_calls_are_one_event_each_in_every_order(name):
    for call in records()[name]:
        seen = [(events_of(one), Place.of(one)) for one in map(span_of, call["spans"])]
        told = [(found, one) for found, one in seen if found is not None]
        for order in itertools.permutations(told):
            sightings = Sightings()
            sent = [sightings.admit(found, one) for found, one in order]
            ids = {one.body["provider_response_id"] for one in sent if one is not None}
            assert len(ids) == (1 if told else 0), call["label"]
            last = [one for one in sent if one is not None][-1] if told else None
            best = max((len(found.body["units"]) for found, _ in told), default=0)
            assert last is None or len(last.body["units"]) == best


def test_all_records_one_after_another_are_one_event_per_call():
    for name, calls in records().items():
        sightings, ids = Sightings(), []
        for call in calls:
            for one in map(span_of, call["spans"]):
                found = events_of(one)
                admitted = sightings.admit(found, Place.of(one)) if found is not None else None
                if admitted is not None:
                    ids.append(admitted.body["provider_response_id"])
        instrumented = [call for call in calls if any(map(events_of, map(span_of, call["spans"])))]
        assert len(set(ids)) == len(instrumented), name
