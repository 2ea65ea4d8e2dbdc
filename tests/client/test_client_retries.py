"""What is repeated, how often and when."""

from __future__ import annotations

import email.utils
import time

import pytest

from payi_otel.client import APIConnectionError, AsyncPayi, InternalServerError, Payi, RateLimitError
from payi_otel.client.retry import delay_s, retry_status
from tests.client.cases import LIMIT_RESPONSE
from tests.client.scripted import Answer, ScriptedServer

SOON = {"retry-after-ms": "1"}
GOOD = Answer(LIMIT_RESPONSE)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_transient_statuses_are_repeated(status: int, service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(status=status, headers=SOON), Answer(status=status, headers=SOON), GOOD)
    assert client.limits.retrieve("l").limit.limit_id == "l"
    assert len(service.seen) == 3


async def test_async_is_repeated(service: ScriptedServer, async_client: AsyncPayi) -> None:
    service.answer(Answer(status=503, headers=SOON), Answer(hang_up=True), GOOD)
    assert (await async_client.limits.retrieve("l")).limit.limit_id == "l"
    assert len(service.seen) == 3


def test_attempts_end(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(status=429, headers=SOON))
    with pytest.raises(RateLimitError):
        client.limits.retrieve("l")
    assert len(service.seen) == 3
    with pytest.raises(RateLimitError):
        client.with_options(max_retries=0).limits.retrieve("l")
    assert len(service.seen) == 4


def test_a_broken_connection_is_repeated(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(hang_up=True), GOOD)
    client.limits.retrieve("l")
    assert len(service.seen) == 2


def test_the_service_decides(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(status=503, headers={"x-should-retry": "false"}))
    with pytest.raises(InternalServerError):
        client.limits.retrieve("l")
    assert len(service.seen) == 1
    service.answer(Answer(status=404, headers={"x-should-retry": "true", **SOON}), GOOD)
    client.limits.retrieve("l")
    assert len(service.seen) == 3


def test_what_counts_twice_is_not_repeated_after_it_may_have_arrived(
    service: ScriptedServer, client: Payi
) -> None:
    service.answer(Answer(status=500, headers=SOON))
    with pytest.raises(InternalServerError):
        client.use_cases.definitions.increment_version("u")
    service.answer(Answer(hang_up=True))
    with pytest.raises(APIConnectionError):
        client.limits.reset("l")
    with pytest.raises(APIConnectionError):
        client.ingest.bulk_upsert(events=[{"category": "c", "units": {"text": {"input": 1}}}])
    assert len(service.seen) == 3


def test_what_cannot_have_been_processed_is_repeated_always(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(status=429, headers=SOON), Answer({"name": "u"}))
    client.use_cases.definitions.increment_version("u")
    assert len(service.seen) == 2


def test_an_upsert_with_ids_is_repeated(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(hang_up=True), Answer({"ingest_count": 1}))
    event = {"category": "c", "units": {"text": {"input": 1}}, "provider_response_id": "p"}
    assert client.ingest.bulk_upsert(events=[event]).ingest_count == 1
    assert service.seen[0].body == service.seen[1].body == [event]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "1.5", "retry-after-ms": "10"}, 0.01),
        ({"retry-after": "61"}, 0.5),
        ({"retry-after": "-1"}, 0.5),
        ({"retry-after": "soon"}, 0.5),
        ({"retry-after-ms": "nan"}, 0.5),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.5),
        ({}, 0.5),
    ],
)
def test_the_requested_delay(headers: dict[str, str], seconds: float) -> None:
    assert delay_s(0, headers, 0.0) == seconds


def test_the_requested_date() -> None:
    when = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 0 < delay_s(0, {"retry-after": when}, 0.0) <= 30


def test_backoff_doubles_up_to_eight_seconds_less_a_quarter_at_most() -> None:
    assert [delay_s(attempt, {}, 0.0) for attempt in range(6)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert delay_s(10**9, {}, 1.0) == 6.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_permanent_refusals_are_not_repeated(status: int) -> None:
    assert not retry_status(status, {}, repeatable=True)
