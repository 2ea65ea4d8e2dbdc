"""Sending through every failure: all that can be stored is, the rest is named, and it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from payi_otel.backfill import sender as module
from payi_otel.backfill.sender import GaveUp, KeyRefused, Outgoing, Sender
from payi_otel.delivery.answers import Answer
from payi_otel.delivery.config import DeliveryConfig
from payi_otel.delivery.transport import Transport
from tests.backfill.conftest import event
from tests.support.ingest_sink import Hang, IngestSink, Reply, Reset


class Pauses(list[tuple[str, float]]):
    """The pauses the sender made, each with its reason."""

    def __call__(self, reason: str, seconds: float) -> None:
        self.append((reason, seconds))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """Pauses are noted, and none is waited for."""
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    return Pauses()


@pytest.fixture
def transport(sink: IngestSink) -> Iterator[Transport]:
    transport = Transport(DeliveryConfig(api_key="sk-test", base_url=sink.url))
    yield transport
    transport.close()


def make(transport: Transport, pauses: Pauses, **changes: Any) -> Sender:
    settings: dict[str, Any] = {"timeout_s": 30.0, "give_up_after_s": 600.0, "max_bytes": 1_000_000}
    return Sender(transport, waiting=pauses, **(settings | changes))


def outgoing(count: int, **changes: Any) -> list[Outgoing]:
    return [Outgoing(number, json.dumps(event(number, **changes)).encode()) for number in range(count)]


def ids(numbers: Any) -> list[str]:
    return [f"resp_{number}" for number in numbers]


def test_one_request_for_one_batch(sink: IngestSink, transport: Transport, pauses: Pauses) -> None:
    assert make(transport, pauses).send(outgoing(10)) == []
    assert (sink.stored, len(sink.posts), pauses) == (ids(range(10)), 1, [])


@pytest.mark.parametrize(
    "fault",
    [Reply(408), Reply(409), Reply(425), Reply(429), Reply(500), Reply(502), Reply(503), Reply(504), Reset()],
)
def test_what_passes_is_tried_again(
    sink: IngestSink, transport: Transport, pauses: Pauses, fault: Any
) -> None:
    sink.script += [fault, fault]
    assert make(transport, pauses).send(outgoing(4)) == []
    assert sink.stored == ids(range(4))
    assert len(pauses) == 2
    assert 0.25 <= pauses[0][1] <= 0.5 <= pauses[1][1] <= 1.0


def test_the_server_says_when(sink: IngestSink, transport: Transport, pauses: Pauses) -> None:
    sink.script += [Reply(503, headers={"Retry-After": "7"}), Reply(429, headers={"Retry-After": "9999"})]
    make(transport, pauses).send(outgoing(1))
    assert pauses == [("HTTP 503", 7.0), ("HTTP 429", 300.0)]


def test_a_lost_answer_stores_nothing_twice(sink: IngestSink, transport: Transport, pauses: Pauses) -> None:
    sink.script.append(Reset(after_storing=True))
    make(transport, pauses).send(outgoing(3))
    assert sorted(sink.events) == ids(range(3))
    assert sink.posts[0].ids == sink.posts[1].ids


def test_a_server_that_never_answers(sink: IngestSink, transport: Transport, pauses: Pauses) -> None:
    sink.script.append(Hang())
    assert make(transport, pauses, timeout_s=0.3).send(outgoing(2)) == []
    assert sink.stored == ids(range(2))


def test_a_slow_network_gets_smaller_requests(
    sink: IngestSink, transport: Transport, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = transport.post_events

    def slow(payloads: Sequence[bytes], timeout_s: float) -> Answer:
        if len(payloads) > 4:
            return Answer(None, error="WriteTimeout", timed_out=True)
        return answered(payloads, timeout_s)

    monkeypatch.setattr(transport, "post_events", slow)
    sender = make(transport, pauses)
    assert sender.send(outgoing(16)) == []
    assert sink.stored == ids(range(16))
    pauses.clear()
    # It has learned, but tries more now and then.
    assert sender.send(outgoing(16)) == []
    assert len(pauses) <= 3


def test_too_large_batches_are_split_and_stay_small(
    sink: IngestSink, transport: Transport, pauses: Pauses
) -> None:
    sink.max_bytes = 1_000
    sender = make(transport, pauses)
    assert sender.send(outgoing(16)) == []
    assert sink.stored == ids(range(16))
    before = len(sink.posts)
    sender.send(outgoing(16))
    assert all(post.size <= 1_000 for post in sink.posts[before:])


def test_one_event_too_large_is_refused(sink: IngestSink, transport: Transport, pauses: Pauses) -> None:
    sink.max_bytes = 1_000
    events = [*outgoing(3), Outgoing(99, json.dumps(event(99, user_id="x" * 2_000)).encode())]
    (refusal,) = make(transport, pauses).send(events)
    assert (refusal.event.line, refusal.reason) == (99, "HTTP 413 too_large: Request too large")
    assert sink.stored == ids(range(3))


def test_one_event_too_large_for_its_prompt_goes_without(
    sink: IngestSink, transport: Transport, pauses: Pauses
) -> None:
    sink.max_bytes = 1_000
    large = Outgoing(7, json.dumps(event(7, provider_request_json="x" * 2_000)).encode())
    assert make(transport, pauses).send([large]) == []
    assert sink.events["resp_7"]["properties"] == {"system.content": "too large"}
    assert "provider_request_json" not in sink.events["resp_7"]


def test_the_refused_are_named_with_what_the_server_says(
    sink: IngestSink, transport: Transport, pauses: Pauses
) -> None:
    sink.item_errors["resp_2"] = {
        "message": "user_id: 'a b': no spaces",
        "statusCode": 400,
        "xproxy_error": {"code": "invalid_user_id"},
    }
    (refusal,) = make(transport, pauses).send(outgoing(5))
    assert refusal.event.line == 2
    assert refusal.reason == "HTTP 400 invalid_user_id: user_id: 'a b': no spaces"
    assert sink.stored == ids([0, 1, 3, 4])


def test_a_poisoned_event_is_found_where_the_whole_batch_is_refused(
    sink: IngestSink, transport: Transport, pauses: Pauses
) -> None:
    sink.poison = {"resp_3", "resp_9"}
    refusals = make(transport, pauses).send(outgoing(16))
    assert [refusal.event.line for refusal in refusals] == [3, 9]
    assert sink.stored == ids(number for number in range(16) if number not in {3, 9})
    assert pauses == []


def test_an_event_that_breaks_the_server_is_found(
    sink: IngestSink, transport: Transport, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = sink.work
    monkeypatch.setattr(sink, "work", lambda post: Reply(500, b"") if "resp_5" in post.ids else work(post))
    (refusal,) = make(transport, pauses).send(outgoing(8))
    assert refusal.event.line == 5
    assert refusal.reason == "HTTP 500, 8 times while others were taken"
    assert sorted(sink.stored) == ids(number for number in range(8) if number != 5)


def test_events_that_the_server_wants_again_are_sent_again(
    sink: IngestSink, transport: Transport, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = {"message": "busy", "statusCode": 429}
    sink.item_errors = {"resp_1": busy, "resp_2": busy}
    work = sink.work

    def calmed(post: Any) -> Reply:
        if len(sink.posts) == 3:
            sink.item_errors = {}
        return work(post)

    monkeypatch.setattr(sink, "work", calmed)
    assert make(transport, pauses).send(outgoing(4)) == []
    assert sink.stored == ids([0, 3, 1, 2])
    assert [reason for reason, _ in pauses] == ["Pay-i answers 'busy'"] * 2


def test_events_that_it_wants_again_for_ever_are_refused(
    sink: IngestSink, transport: Transport, pauses: Pauses
) -> None:
    sink.item_errors["resp_1"] = {"message": "busy", "statusCode": 429}
    (refusal,) = make(transport, pauses).send(outgoing(3))
    assert refusal.event.line == 1
    assert refusal.reason == "Pay-i answers 'busy', 8 times while others were taken"


def test_an_event_known_before_counts_as_stored(
    sink: IngestSink, transport: Transport, pauses: Pauses
) -> None:
    sink.item_errors["resp_1"] = {"statusCode": 409, "xproxy_error": {"code": "duplicate_request"}}
    assert make(transport, pauses).send(outgoing(3)) == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_it(sink: IngestSink, transport: Transport, pauses: Pauses, status: int) -> None:
    sink.script.append(Reply(status, {"xproxy_error": {"code": "invalid_api_key"}}))
    with pytest.raises(KeyRefused, match=f"HTTP {status} invalid_api_key"):
        make(transport, pauses).send(outgoing(3))
    assert len(sink.posts) == 1


@pytest.mark.parametrize("reply", [Reply(500), Reply(503), Reply(404, b"<html>"), Reply(200, b"<html>")])
def test_it_gives_up_in_the_end(
    sink: IngestSink, transport: Transport, pauses: Pauses, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(sink, "work", lambda post: reply)
    with pytest.raises(GaveUp, match=f"HTTP {reply.status}"):
        make(transport, pauses, give_up_after_s=600.0).send(outgoing(4))
    assert sum(seconds for _, seconds in pauses) <= 600.0
    assert now[0] > 500.0


def test_an_older_server_without_upsert(sink: IngestSink, transport: Transport, pauses: Pauses) -> None:
    sink.no_upsert = 404
    assert make(transport, pauses).send(outgoing(2)) == []
    assert sink.stored == ids(range(2))
