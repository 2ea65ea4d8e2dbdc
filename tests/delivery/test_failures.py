"""What goes wrong on the way, and that nothing is lost by it."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest

from payi_otel.delivery import warnings
from payi_otel.delivery.outbox import Entry, MemoryOutbox, Stored
from tests.delivery.conftest import Bench, MakeBench
from tests.support.ingest_sink import Hang, IngestSink, Reply, Reset, running_sink


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
def test_d40_a_transient_status_is_tried_again(sink: IngestSink, make_bench: MakeBench, status: int) -> None:
    sink.script.append(Reply(status))
    bench = make_bench()
    bench.submit(1)
    assert bench.worker.force_flush(20)
    assert len(sink.posts) == 2
    assert bench.status.delivered == 1


def test_d40_no_number_of_failures_drops_an_event(sink: IngestSink, make_bench: MakeBench) -> None:
    # Three attempts were all the official package made.
    sink.script.extend([Reply(503)] * 5)
    bench = make_bench()
    bench.submit(1)
    for _ in range(6):
        bench.worker.force_flush(0.2)
    assert bench.worker.force_flush(30)
    assert sink.stored == ["resp_1"]
    assert (bench.status.rejected, bench.status.dropped) == (0, 0)


def test_a_broken_connection_is_tried_again_and_stored_once(sink: IngestSink, make_bench: MakeBench) -> None:
    sink.script.append(Reset(after_storing=True))
    bench = make_bench()
    bench.submit(1)
    assert bench.worker.force_flush(20)
    assert sink.stored == ["resp_1", "resp_1"]
    assert list(sink.events) == ["resp_1"]


def test_a_hung_server_times_out_and_is_tried_again(sink: IngestSink, make_bench: MakeBench) -> None:
    sink.script.append(Hang())
    bench = make_bench(timeout_s=0.2)
    bench.submit(1)
    assert bench.worker.force_flush(20)
    assert bench.status.delivered == 1


def test_a_server_that_is_down_gets_everything_when_it_is_back(make_bench: MakeBench) -> None:
    port = _free_port()
    bench = make_bench(base_url=f"http://127.0.0.1:{port}")
    bench.submit(*range(3))
    assert bench.worker.force_flush(0.3) is False
    assert bench.status.queued == 3
    with running_sink(port) as back:
        assert bench.worker.force_flush(20)
        assert len(back.events) == 3


def test_retry_after_is_respected(sink: IngestSink, make_bench: MakeBench) -> None:
    sink.script.append(Reply(429, headers={"Retry-After": "120"}))
    bench = make_bench()
    bench.submit(1)
    assert sink.wait_for_posts(1)
    assert bench.worker.force_flush(0.5) is False
    assert len(sink.posts) == 1


def test_at_the_end_a_distant_retry_after_is_not_waited_for(sink: IngestSink, make_bench: MakeBench) -> None:
    sink.script.append(Reply(429, headers={"Retry-After": "120"}))
    bench = make_bench()
    bench.submit(1)
    assert sink.wait_for_posts(1)
    assert bench.worker.force_flush(0.3) is False
    assert bench.worker.shutdown(10)
    assert "resp_1" in sink.events


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_upsert_gets_bulk_and_that_is_remembered(
    sink: IngestSink, make_bench: MakeBench, status: int
) -> None:
    sink.no_upsert = status
    bench = make_bench(batch_max_items=1)
    bench.submit(1, 2)
    assert bench.worker.force_flush(10)
    assert [post.path.rpartition("/")[2] for post in sink.posts] == ["bulk-upsert", "bulk", "bulk"]


def test_a_wrong_address_refuses_no_event(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(base_url=sink.url + "/wrong")
    bench.submit(1)
    assert sink.wait_for_posts(2)
    assert bench.worker.force_flush(0.3) is False
    assert (bench.status.queued, bench.status.rejected) == (1, 0)


def test_redirects_are_not_followed_and_deliver_nothing(sink: IngestSink, make_bench: MakeBench) -> None:
    with running_sink() as other:
        sink.script.append(Reply(307, headers={"Location": other.url + "/api/v1/ingest/bulk-upsert"}))
        bench = make_bench()
        bench.submit(1)
        assert bench.worker.force_flush(20)
        # The key goes to nobody but the configured address.
        assert other.posts == []
        assert "resp_1" in sink.events


def test_a_login_page_with_status_200_delivers_nothing(sink: IngestSink, make_bench: MakeBench) -> None:
    sink.script.append(Reply(200, b"<html>Please log in</html>"))
    bench = make_bench()
    bench.submit(1)
    assert bench.worker.force_flush(20)
    assert sink.stored == ["resp_1"]
    assert len(sink.posts) == 2


def test_one_bad_item_is_rejected_by_id_and_the_rest_delivered(
    sink: IngestSink, make_bench: MakeBench
) -> None:
    sink.item_errors["resp_3"] = {
        "statusCode": 400,
        "message": "quotes your secret prompt",
        "xproxy_error": {"code": "invalid_tags", "message": "quotes your secret prompt"},
    }
    bench = make_bench(batch_max_age_s=60)
    bench.submit(*range(6))
    assert bench.worker.force_flush(10) is False
    assert len(sink.posts) == 1
    assert (bench.status.delivered, bench.status.rejected) == (5, 1)
    assert bench.status.last_rejection == "resp_3: HTTP 400 invalid_tags"


def test_an_item_with_a_passing_error_is_tried_again_alone(sink: IngestSink, make_bench: MakeBench) -> None:
    sink.item_errors["resp_1"] = {"statusCode": 503, "message": "busy"}
    bench = make_bench(batch_max_age_s=60)
    bench.submit(0, 1, 2)
    assert bench.worker.force_flush(0.2) is False
    assert sink.wait_until(lambda sink: set(sink.events) == {"resp_0", "resp_2"})
    sink.item_errors.clear()
    bench.submit(3)
    assert bench.worker.force_flush(20)
    assert [post.ids for post in sink.posts][-2:] == [("resp_1",), ("resp_3",)]
    assert bench.status.delivered == 4


def test_a_poisoned_batch_is_split_until_the_event_is_found(sink: IngestSink, make_bench: MakeBench) -> None:
    sink.poison.add("resp_317")
    bench = make_bench(batch_max_age_s=60)
    bench.submit(*range(500))
    assert bench.worker.force_flush(30) is False
    assert len(sink.events) == 499
    assert bench.status.rejected == 1
    assert bench.status.last_rejection == "resp_317: HTTP 400 invalid_json"
    assert len(sink.posts) < 40


def test_a_413_is_split_in_half(sink: IngestSink, make_bench: MakeBench) -> None:
    sink.max_bytes = 6_000
    bench = make_bench(batch_max_age_s=60)
    bench.submit(*range(8), provider_request_json="x" * 1_000)
    assert bench.worker.force_flush(20)
    assert len(sink.events) == 8
    assert bench.status.rejected == 0


def test_a_single_event_that_is_too_large_is_rejected(sink: IngestSink, make_bench: MakeBench) -> None:
    sink.max_bytes = 3_000
    bench = make_bench(batch_max_age_s=60)
    bench.submit(1, 2)
    bench.submit("big", properties={"note": "x" * 5_000})
    bench.submit(3)
    assert bench.worker.force_flush(20) is False
    assert set(sink.events) == {"resp_1", "resp_2", "resp_3"}
    assert bench.status.last_rejection == "resp_big: HTTP 413 too_large"


def test_an_event_too_large_for_its_content_is_delivered_without_it(
    sink: IngestSink, make_bench: MakeBench
) -> None:
    sink.max_bytes = 3_000
    bench = make_bench(batch_max_age_s=60)
    bench.submit(1)
    bench.submit("big", provider_request_json="x" * 5_000, properties={"note": "kept"})
    assert bench.worker.force_flush(20) is True
    assert sink.events["resp_big"]["units"] == sink.events["resp_1"]["units"]
    assert "provider_request_json" not in sink.events["resp_big"]
    assert sink.events["resp_big"]["properties"] == {"note": "kept", "system.content": "too large"}


def test_d42_an_event_that_always_fails_the_server_does_not_hold_up_the_rest(
    sink: IngestSink, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payi_otel.delivery.retry.FIRST_DELAY_S", 0.01)
    work = sink.work

    def crash(post: Any) -> Reply:
        return Reply(500) if "resp_4" in post.ids else work(post)

    monkeypatch.setattr(sink, "work", crash)
    bench = make_bench(batch_max_age_s=0.05)
    bench.submit(*range(8))
    assert sink.wait_for_events(7)
    assert "resp_4" not in sink.events
    monkeypatch.setattr(sink, "work", work)
    assert bench.worker.force_flush(20)
    assert len(sink.events) == 8


def test_without_a_key_events_wait_and_leave_once_it_is_set(
    sink: IngestSink, make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    bench = make_bench(api_key=None)
    bench.submit(*range(3))
    # Told at once, not after the timeout.
    assert bench.worker.force_flush(600) is False
    assert bench.worker.force_flush(600) is False
    assert sink.posts == []
    assert [record.message for record in caplog.records if "PAYI_API_KEY" in record.message] == [
        "payi_otel: no API key: 3 since the last report; events wait until PAYI_API_KEY is set"
    ]
    bench.worker.use_api_key("sk-late")
    assert bench.worker.force_flush(10)
    assert len(sink.events) == 3
    assert sink.posts[0].headers["xproxy-api-key"] == "sk-late"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_keeps_the_events_and_is_told_once(
    sink: IngestSink, make_bench: MakeBench, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    sink.script.extend([Reply(status)] * 3)
    bench = make_bench()
    bench.submit(*range(3))
    for _ in range(3):
        assert bench.worker.force_flush(600) is False
    assert bench.status.queued == 3
    assert len([record for record in caplog.records if "API key refused" in record.message]) == 1
    bench.worker.use_api_key("sk-right")
    assert bench.worker.force_flush(60)
    assert len(sink.events) == 3


def test_an_unusable_key_breaks_nothing(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(api_key="sk\nwith a newline")
    bench.submit(1)
    assert bench.worker.force_flush(0.3) is False
    bench.worker.use_api_key("sk-right")
    assert bench.worker.force_flush(20)


def _fill(bench: Bench, count: int) -> None:
    bench.submit(*range(count), provider_request_json="x" * 10_000)


@pytest.mark.parametrize("durability", ["memory"], indirect=True)
def test_d42_the_queue_is_bounded_and_refuses_the_newest(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(api_key=None, queue_max_bytes=100_000)
    _fill(bench, 100)
    bench.worker.force_flush(5)
    status = bench.status
    assert status.dropped > 80
    assert status.last_drop == "queue full"
    assert status.queued + status.dropped == 100
    bench.worker.use_api_key("sk-test")
    assert bench.worker.force_flush(10) is False
    # The losses were told; what came after them is complete.
    assert bench.worker.force_flush(10) is True
    assert list(sink.events) == [f"resp_{number}" for number in range(status.queued)]


@pytest.mark.parametrize("durability", ["memory"], indirect=True)
def test_d42_the_bound_holds_while_the_thread_hangs_in_a_request(
    sink: IngestSink, make_bench: MakeBench
) -> None:
    hang = Hang()
    sink.script.append(hang)
    bench = make_bench(timeout_s=60, queue_max_bytes=100_000)
    bench.submit("first")
    assert sink.wait_for_posts(1)
    _fill(bench, 100)
    assert bench.status.queued < 11
    assert bench.status.dropped > 80
    hang.release.set()
    assert bench.worker.force_flush(30) is False


def test_the_outbox_refuses_at_its_bounds() -> None:
    by_count = MemoryOutbox(max_bytes=10**6, max_items=2)
    by_bytes = MemoryOutbox(max_bytes=500)
    items = [Stored(key, Entry("event", "a", b"x" * 100), 0.0) for key in range(1, 4)]
    assert by_count.append(items) == [3]
    assert by_bytes.append(items) == [2, 3]
    by_bytes.ack([1])
    assert by_bytes.size() == (0, 0)
    assert by_bytes.append(items[1:2]) == []


def test_d46_logs_name_reasons_and_never_content_or_keys(
    sink: IngestSink, make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "payi_otel")
    secret = "the-secret-prompt"
    sink.script.extend([Reply(500, {"message": f"cannot read {secret}"}), Reset(), Reply(401)])
    sink.poison.add("resp_1")
    bench = make_bench(api_key="sk-very-secret")
    bench.submit(1, provider_request_json=secret, properties={"note": secret})
    for _ in range(6):
        bench.worker.force_flush(5)
    assert bench.status.rejected == 1
    text = "\n".join(record.getMessage() + str(record.exc_info or "") for record in caplog.records)
    assert "resp_1: HTTP 400 invalid_json" in text
    assert secret not in text
    assert "sk-very-secret" not in text


def test_d46_a_kind_of_warning_is_logged_at_most_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(warnings.time, "monotonic", lambda: now)
    log = warnings.WarningLog()
    for _ in range(50):
        log.warn("delivery failed", "HTTP 503")
    log.warn("events dropped", "queue full", 7)
    now += 60
    log.warn("delivery failed", "HTTP 500")
    assert [record.message for record in caplog.records] == [
        "payi_otel: delivery failed: 1 since the last report; HTTP 503",
        "payi_otel: events dropped: 7 since the last report; queue full",
        "payi_otel: delivery failed: 50 since the last report; HTTP 500",
    ]


def test_errors_that_name_no_event_are_tracked_down(
    sink: IngestSink, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = sink.work

    def unnamed(post: Any) -> Reply:
        reply = work(post)
        return Reply(200, {**reply.body, "errors": None})

    sink.item_errors["resp_5"] = {"statusCode": 400}
    monkeypatch.setattr(sink, "work", unnamed)
    bench = make_bench(batch_max_age_s=60)
    bench.submit(*range(8))
    assert bench.worker.force_flush(20) is False
    assert len(sink.events) == 7
    assert (bench.status.delivered, bench.status.rejected) == (7, 1)
    assert bench.status.last_rejection == "resp_5: HTTP 200, 1 errors that name no event"
