"""What the application and its other instrumentations notice of us: nothing."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.delivery.conftest import Clock, MakeBench
from tests.support.ingest_sink import Hang, IngestSink


def test_d1_the_caller_does_no_http(
    sink: IngestSink, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx2

    threads: list[str] = []
    send = httpx2.Client.send

    def spy(client: httpx2.Client, *args: Any, **kwargs: Any) -> httpx2.Response:
        threads.append(threading.current_thread().name)
        return send(client, *args, **kwargs)

    monkeypatch.setattr(httpx2.Client, "send", spy)
    bench = make_bench()
    bench.submit(*range(5))
    assert bench.worker.force_flush(10)
    assert set(threads) == {"payi-delivery"}


def test_d2_a_hung_server_holds_up_no_caller(sink: IngestSink, make_bench: MakeBench) -> None:
    hang = Hang()
    sink.script.append(hang)
    bench = make_bench(timeout_s=600)
    bench.submit("first")
    assert sink.wait_for_posts(1)
    # Every one of these returns although the only request hangs for good: else the test would, too.
    bench.submit(*range(100))
    assert bench.status.queued == 101
    hang.release.set()
    assert bench.worker.force_flush(30)


def test_a_caller_lets_a_thread_of_ours_pass_that_is_late(
    sink: IngestSink, make_bench: MakeBench, clock: Clock, durability: str
) -> None:
    begun, held = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        held.wait(30)

    bench = make_bench(batch_max_age_s=60)
    if durability != "sync":
        bench.worker.defer(hold)
        bench.worker.wake()
        assert begun.wait(30)
    bench.submit(*range(100))
    assert clock.sleeps == 0
    clock.now_s += 1
    bench.submit(*range(100, 200))
    # Whoever writes itself has nobody to wait for.
    assert clock.sleeps == (0 if durability == "sync" else 1)
    held.set()
    assert bench.worker.force_flush(10)


def test_d44_a_hundred_calls_make_one_request(sink: IngestSink, make_bench: MakeBench) -> None:
    bench = make_bench(batch_max_age_s=60)
    bench.submit(*range(100))
    assert bench.worker.force_flush(10)
    assert len(sink.posts) == 1


def test_http_instrumentations_see_suppression(
    sink: IngestSink, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx2
    from opentelemetry.instrumentation.utils import is_instrumentation_enabled

    enabled: list[bool] = []
    send = httpx2.Client.send

    def spy(client: httpx2.Client, *args: Any, **kwargs: Any) -> httpx2.Response:
        enabled.append(is_instrumentation_enabled())
        return send(client, *args, **kwargs)

    monkeypatch.setattr(httpx2.Client, "send", spy)
    bench = make_bench()
    bench.submit(1)
    assert bench.worker.force_flush(10)
    seen: list[bool] = []
    bench.worker.defer(lambda: seen.append(is_instrumentation_enabled()))
    assert bench.worker.force_flush(10)
    assert (enabled, seen) == ([False], [True])


def test_certificates_are_checked(
    sink: IngestSink, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx2

    made: list[dict[str, Any]] = []
    init = httpx2.Client.__init__

    def spy(client: httpx2.Client, **kwargs: Any) -> None:
        made.append(kwargs)
        init(client, **kwargs)

    monkeypatch.setattr(httpx2.Client, "__init__", spy)
    bench = make_bench()
    bench.submit(1)
    assert bench.worker.force_flush(10)
    assert len(made) == 1
    # The library's defaults stand: certificates verified.
    assert made[0].keys() == {"base_url", "headers", "follow_redirects"}
