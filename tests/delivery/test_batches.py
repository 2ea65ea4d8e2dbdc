"""What leaves together, and what a flush says."""

from __future__ import annotations

import gc
import threading
import time

import pytest
from opentelemetry.context import attach, detach, get_value, set_value

from payi_otel.delivery.pump import Pump
from payi_otel.delivery.threads import OnDemandThread
from payi_otel.delivery.worker import DeliveryConfig
from tests.delivery.conftest import MakeBench, event
from tests.support.ingest_sink import Hang, IngestSink, Reply


def test_events_are_batched_by_count(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(batch_max_items=100, batch_max_age_s=60)
    bench.submit(*range(250))
    assert bench.worker.force_flush(10)
    assert [len(post.ids) for post in sink.posts] == [100, 100, 50]
    assert list(sink.events) == [f"resp_{number}" for number in range(250)]


def test_events_are_batched_by_bytes(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(batch_max_bytes=10_000, batch_max_age_s=60)
    bench.submit(*range(10), provider_request_json="x" * 4_000)
    assert bench.worker.force_flush(10)
    assert all(post.size <= 10_000 for post in sink.posts)
    assert len(sink.events) == 10


def test_an_event_larger_than_a_batch_travels_alone(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(batch_max_bytes=1_000)
    bench.submit("small")
    bench.submit("large", provider_request_json="x" * 5_000)
    assert bench.worker.force_flush(10)
    assert [post.ids for post in sink.posts] == [("resp_small",), ("resp_large",)]


def test_an_event_leaves_by_age_without_a_flush(sink: IngestSink, make_bench: MakeBench) -> None:
    make_bench(batch_max_age_s=0.05).submit(1)
    assert sink.wait_for_events(1)


def test_the_sender_sleeps_until_a_batch_is_full(
    sink: IngestSink, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[None] = []
    plain = Pump.turn
    monkeypatch.setattr(Pump, "turn", lambda self: (turns.append(None), plain(self)))
    bench = make_bench(batch_max_items=50, batch_max_age_s=3600)
    for number in range(49):
        bench.submit(number)
        bench.worker.persist(10)
    # For its start, the first event, and whatever came before it had begun to wait for the batch.
    assert len(turns) < 10
    assert not sink.posts
    bench.submit("last")
    assert sink.wait_for_events(50)


def test_by_default_no_event_waits_longer_than_a_second() -> None:
    assert DeliveryConfig().batch_max_age_s <= 1.0


def test_the_request_is_a_bare_array_with_the_key_in_its_header(
    sink: IngestSink, make_bench: MakeBench
) -> None:
    bench = make_bench(headers={"X-Team": "search"})
    bench.submit(1, use_case_name="chat")
    assert bench.worker.force_flush(10)
    (post,) = sink.posts
    assert post.path == "/api/v1/ingest/bulk-upsert"
    assert post.headers["xproxy-api-key"] == "sk-test"
    assert post.headers["x-team"] == "search"
    assert isinstance(post.body, list)
    assert post.body[0]["use_case_name"] == "chat"


def test_one_connection_serves_many_batches(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(batch_max_items=1)
    bench.submit(*range(5))
    assert bench.worker.force_flush(10)
    assert len({post.client_port for post in sink.posts}) == 1


def test_the_same_span_read_twice_is_sent_once(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench()
    same = event(1)
    bench.worker.submit_event(same)
    bench.worker.submit_event(same)
    assert bench.worker.force_flush(10)
    assert sink.stored == ["resp_1"]
    assert (bench.status.delivered, bench.status.duplicates, bench.status.queued) == (1, 1, 0)


def test_a_later_version_of_an_event_is_sent(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.submit(1)
    bench.submit(1, user_id="jane")
    assert bench.worker.force_flush(10)
    assert sink.events["resp_1"]["user_id"] == "jane"


def test_a_flush_is_true_only_once_the_server_has_it(sink: IngestSink, make_bench: MakeBench) -> None:
    hang = Hang()
    sink.script.append(hang)
    bench = make_bench(timeout_s=30)
    bench.submit(1)
    assert bench.worker.force_flush(0.2) is False
    hang.release.set()
    assert bench.worker.force_flush(20) is True
    assert "resp_1" in sink.events


def test_a_flush_with_nothing_to_do_is_true(make_bench: MakeBench) -> None:
    assert make_bench().worker.force_flush(5)


def test_a_flush_is_false_when_an_event_was_rejected_before(sink: IngestSink, make_bench: MakeBench) -> None:
    sink.poison.add("resp_bad")
    bench = make_bench()
    bench.submit("bad")
    assert sink.wait_for_posts(1)
    assert bench.worker.force_flush(10) is False
    bench.submit("good")
    assert bench.worker.force_flush(10) is True


def test_a_flush_includes_events_of_work_deferred_before_it(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(batch_max_age_s=60)
    worker = bench.worker
    # The flush must not be over with the first attempt.
    sink.script.append(Reply(503))
    worker.defer(lambda: worker.defer(lambda: worker.submit_event(event(1))))
    assert worker.force_flush(10)
    assert "resp_1" in sink.events


def test_flushes_of_many_threads_are_all_answered(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(batch_max_age_s=60)
    results: list[bool] = []

    def work(number: int) -> None:
        bench.submit(*(f"{number}-{index}" for index in range(20)))
        results.append(bench.worker.force_flush(20))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8
    assert len(sink.events) == 160


def test_a_finalizer_may_defer_and_never_starts_the_thread(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench()

    class Dropped:
        def __del__(self) -> None:
            bench.worker.defer(lambda: bench.submit(1))

    before = set(threading.enumerate())
    Dropped()
    gc.collect()
    assert set(threading.enumerate()) == before
    assert bench.worker.force_flush(10)
    assert "resp_1" in sink.events


def test_deferred_work_that_fails_stops_nothing(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.worker.defer(lambda: 1 // 0)
    bench.submit(1)
    assert bench.worker.force_flush(10)
    assert bench.status.failures["delivery.item"] >= 1


@pytest.mark.parametrize("can_start", [True, False])
def test_delivery_does_not_run_in_the_scope_of_who_started_it(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, can_start: bool
) -> None:
    bench = make_bench()
    seen: list[object] = []
    token = attach(set_value("request", "A"))
    if not can_start:
        # As at the exit of Python 3.12: the flush runs on this very thread.
        monkeypatch.setattr(OnDemandThread, "wake", lambda self: None)
    try:
        bench.submit(1)
        bench.worker.defer(lambda: seen.append(get_value("request")))
        assert bench.worker.force_flush(10)
    finally:
        detach(token)
    assert seen == [None]


def test_an_event_that_is_no_json_is_rejected_by_name(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.submit("odd", properties={"x": object()})
    bench.submit("half", provider_request_json="cut \ud83d emoji")
    assert bench.worker.force_flush(10) is False
    assert list(sink.events) == ["resp_half"]
    assert bench.status.last_rejection == "resp_odd: not JSON (TypeError)"


def test_a_clock_that_jumps_delays_nothing(
    sink: IngestSink, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.script.append(
        Reply(
            503,
            headers={"Date": "Fri, 20 Nov 2026 10:00:00 GMT", "Retry-After": "Fri, 20 Nov 2026 10:00:01 GMT"},
        )
    )
    monkeypatch.setattr(time, "time", lambda: 0.0)
    bench = make_bench()
    bench.submit(1)
    assert sink.wait_for_events(1)


def test_a_stopped_worker_starts_again(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.submit(1)
    assert bench.worker.shutdown(10)
    assert not [
        thread for thread in threading.enumerate() if thread.name == "payi-delivery" and thread.is_alive()
    ]
    bench.submit(2)
    assert sink.wait_for_events(2)


@pytest.mark.parametrize("name", ["timeout_s", "batch_max_items", "queue_max_bytes"])
def test_a_wrong_setting_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=0: give a number above 0"):
        DeliveryConfig(**{name: 0})
