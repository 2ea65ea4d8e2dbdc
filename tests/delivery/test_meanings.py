"""The pure parts: what statuses, headers and answers mean; and the counting."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.delivery.answers import Answer, BatchOutcome, read_batch_answer
from payi_otel.delivery.ledger import Ledger, Tally
from payi_otel.delivery.retry import LONGEST_DELAY_S, backoff_s, classify, retry_after_s

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (None, "retry"),
        (101, "retry"),
        (200, "delivered"),
        (204, "delivered"),
        (302, "retry"),
        (400, "permanent"),
        (401, "auth"),
        (403, "auth"),
        (404, "permanent"),
        (407, "retry"),
        (408, "retry"),
        (409, "retry"),
        (413, "too_large"),
        (422, "permanent"),
        (425, "retry"),
        (429, "retry"),
        (500, "retry"),
        (503, "retry"),
        (599, "retry"),
    ],
)
def test_a_status_has_one_meaning(status: int | None, verdict: str) -> None:
    assert classify(status) == verdict


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "99999"}, 300.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 09:00:00 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, None),
        ({"retry-after": "Wed, 18 Nov 2026 10:00:00 GMT"}, None),
        ({"retry-after": "Thu, 20 Nov 2036 10:00:00 GMT"}, 300.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_retry_after_header_breaks_us(wanted: str, sent: str) -> None:
    seconds = retry_after_s({"retry-after": wanted, "date": sent}, NOW)
    assert seconds is None or 0 < seconds <= 300


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_the_backoff_grows_to_its_limit_and_not_beyond(attempt: int, jitter: float) -> None:
    assert 0.25 <= backoff_s(attempt, jitter) <= LONGEST_DELAY_S
    assert backoff_s(attempt + 1, jitter) >= backoff_s(attempt, jitter)


def _answer(status: int, body: Any) -> Answer:
    return Answer(status, json.dumps(body).encode())


def _item(index: Any, status: Any, code: str | None = None) -> dict[str, Any]:
    return {"item_index": index, "xproxy_result": {"statusCode": status, "xproxy_error": {"code": code}}}


def test_a_partial_answer_with_status_400_decides_about_each_event() -> None:
    body = {"ingest_count": 2, "errors": [_item(1, 400, "invalid_tags")]}
    assert read_batch_answer(_answer(400, body), 3) == BatchOutcome(
        "delivered", "HTTP 400", {1: "HTTP 400 invalid_tags"}
    )


def test_a_400_that_stored_nothing_delivers_nothing() -> None:
    body = {"ingest_count": 0, "errors": [_item(1, 400, "invalid_tags")]}
    outcome = read_batch_answer(_answer(400, body), 3)
    assert (outcome.verdict, set(outcome.rejected)) == ("permanent", {1})


def test_a_duplicate_is_stored_already() -> None:
    body = {"ingest_count": 1, "error_count": 1, "errors": [_item(0, 409, "duplicate_request")]}
    outcome = read_batch_answer(_answer(200, body), 2)
    assert (outcome.verdict, outcome.rejected, outcome.repeat) == ("delivered", {}, frozenset())


def test_errors_that_name_no_event_are_not_taken_for_success() -> None:
    outcome = read_batch_answer(_answer(200, {"ingest_count": 1, "error_count": 1}), 2)
    assert outcome.verdict == "permanent"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 900) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "errors",
                    "item_index",
                    "xproxy_result",
                    "statusCode",
                    "xproxy_error",
                    "code",
                    "error_count",
                    "title",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from([200, 400, 404, 500]), json_values, st.integers(1, 4))
def test_no_answer_breaks_us_or_names_an_event_that_was_not_sent(status: int, body: Any, count: int) -> None:
    outcome = read_batch_answer(_answer(status, body), count)
    assert set(outcome.rejected) | outcome.repeat <= set(range(count))


def test_a_tally_loses_nothing_between_threads() -> None:
    tally = Tally()

    def work() -> None:
        for _ in range(5_000):
            tally.add("n")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally["n"] == 30_000


def test_a_tally_may_be_changed_by_a_finalizer_that_interrupts_it() -> None:
    tally = Tally()

    class Interrupting(str):
        """Its hash is asked for in the middle of a change."""

        __slots__ = ()

        def __hash__(self) -> int:
            tally.add("inner")
            return hash("outer")

    tally.add(Interrupting("outer"))
    assert tally["inner"] >= 1


def test_calls_counted_at_once_are_as_those_counted_one_by_one() -> None:
    at_once, one_by_one = Ledger(), Ledger()
    at_once.saw_all(count=3, estimated=1)
    for estimated in (True, False, False):
        one_by_one.saw(estimated=estimated)
    assert at_once.counts() == one_by_one.counts()


def test_the_ledger_adds_up() -> None:
    ledger = Ledger()
    ledger.saw(estimated=True, unpriced=True)
    for _ in range(4):
        ledger.queued(score=False)
    ledger.delivered(score=False)
    ledger.rejected("resp_1: HTTP 400", score=False)
    ledger.dropped("queue full", score=False)
    ledger.queued(score=True)
    status = ledger.snapshot()
    assert (status.seen, status.estimated, status.unpriced) == (1, 1, 1)
    assert (status.delivered, status.rejected, status.dropped, status.queued) == (1, 1, 1, 1)
    assert (status.last_rejection, status.last_drop) == ("resp_1: HTTP 400", "queue full")
    assert (status.scores_queued, ledger.losses, ledger.waiting) == (1, 2, 2)
    assert ledger.counts()["delivered"] == 1
    ledger.reset()
    assert ledger.snapshot().seen == 0
