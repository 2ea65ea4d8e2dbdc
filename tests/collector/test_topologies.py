"""Applications, the real Collector, gateways and the server: nothing is lost, nothing is there twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.collector.harness import DEADLINE_S, Collector, Gateway, running, wait_for
from tests.support.ingest_sink import Reply, running_sink
from tests.support.otlp_sink import running_otlp_sink

ROOT = Path(__file__).parents[2]
INPUT, OUTPUT = 12, 7
GPT_4O_MINI_INPUT_USD, GPT_4O_MINI_OUTPUT_USD = 0.15e-6, 0.60e-6


@contextmanager
def application(endpoint: str, protocol: str, prefix: str, count: int, pause_s: float = 0.0):
    """The application while it runs; on leaving the block it must have exported everything."""
    command = [
        sys.executable, "-m", "tests.collector.app", endpoint, protocol, prefix, str(count), str(pause_s)
    ]  # fmt: skip
    app = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    try:
        yield app
        said = app.stdout.read()
        assert app.wait(DEADLINE_S) == 0
        assert "flushed True" in said
    finally:
        app.kill()
        app.wait()
        app.stdout.close()


def after(app: subprocess.Popen, calls: int) -> None:
    """Wait until the application has made so many calls."""
    for _ in range(calls):
        assert app.stdout.readline().strip().isdigit()


def ask(server, path: str):
    request = urllib.request.Request(server.url + path, headers={"xProxy-api-key": server.api_key})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def stored_ids(server) -> list[str]:
    """The ids of all requests that the server has."""
    ids, cursor = [], ""
    while True:
        page = ask(server, f"/api/v1/local/events?limit=100{cursor}")
        ids += [item["provider_response_id"] for item in page["items"]]
        if not page["cursor"]:
            return ids
        cursor = f"&cursor={page['cursor']}"


def assert_exactly(server, prefix: str, count: int) -> None:
    """The server comes to have each call once, and their units and cost, no more and no less."""
    wait_for(lambda: totals(server)["calls"] >= count, f"{count} calls at the server")
    wanted = {f"chatcmpl-{prefix}-{number:08d}" for number in range(count)}
    assert Counter(stored_ids(server)) == Counter(wanted)
    found = totals(server)
    assert (found["calls"], found["input_tokens"], found["output_tokens"]) == (
        count,
        count * INPUT,
        count * OUTPUT,
    )
    assert found["cost"] == pytest.approx(
        count * (INPUT * GPT_4O_MINI_INPUT_USD + OUTPUT * GPT_4O_MINI_OUTPUT_USD)
    )


def totals(server) -> dict:
    summary = ask(server, "/api/v1/local/summary")["use_cases"]
    none = {"calls": 0, "input_tokens": 0, "output_tokens": 0, "cost": 0.0}
    return next((item for item in summary if item["use_case_name"] == "support_chat"), none)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_application_collector_gateway_server(payi, tmp_path, protocol):
    gateway = Gateway(tmp_path, payi.url, payi.api_key)
    collector = Collector("to_gateway.yaml", tmp_path, {"PAYI_GATEWAY_ENDPOINT": gateway.http})
    with running(gateway, collector):
        endpoint = collector.http if protocol == "http" else collector.grpc
        with application(endpoint, protocol, "one", 100):
            pass
        assert_exactly(payi, "one", 100)


@pytest.mark.parametrize("also_directly", [False, True])
def test_real_calls_cost_what_they_cost_once(payi, tmp_path, also_directly):
    """Through the Collector alone, and through it and straight to Pay-i at once."""
    from payi_otel.demo.provider import running_provider

    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAYI_")}
    environment |= {"PYTHONPATH": str(ROOT), "PAYI_OUTBOX_DIR": str(tmp_path / "application-outbox")}
    if also_directly:
        environment |= {"PAYI_API_KEY": payi.api_key, "PAYI_BASE_URL": payi.url}
    gateway = Gateway(tmp_path, payi.url, payi.api_key)
    collector = Collector("to_gateway.yaml", tmp_path, {"PAYI_GATEWAY_ENDPOINT": gateway.http})
    with running(gateway, collector), running_provider() as provider:
        command = [
            sys.executable, "-m", "tests.collector.genai_app",
            collector.http, provider.openai_base_url, provider.anthropic_base_url, "10",
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=DEADLINE_S
        )
        assert (done.returncode, done.stdout) == (0, "flushed True\n"), done.stderr
        billed = [served.billed for served in provider.requests if served.billed is not None]
        assert len(billed) == 20
        # Behind everything else on its way; and a gateway that has stopped has delivered what it had.
        with application(collector.http, "http", "last", 1):
            pass
        wait_for(lambda: len(stored_ids(payi)) >= 21, "all calls at the server")
        assert gateway.stop() == 0
    ids = Counter(stored_ids(payi))
    assert ids == Counter([item.response_id for item in billed] + ["chatcmpl-last-00000000"])
    shipping = next(
        item
        for item in ask(payi, "/api/v1/local/summary")["use_cases"]
        if item["use_case_name"] == "shipping"
    )
    assert (shipping["calls"], shipping["instances"], shipping["unpriced"]) == (20, 10, 0)


def test_the_gateway_and_a_second_backend_at_once(payi, tmp_path):
    gateway = Gateway(tmp_path, payi.url, payi.api_key)
    with running_otlp_sink() as backend:
        settings = {"PAYI_GATEWAY_ENDPOINT": gateway.http, "BACKEND_ENDPOINT": backend.url}
        collector = Collector("two_backends.yaml", tmp_path, settings)
        with running(gateway, collector):
            with application(collector.http, "http", "two", 100):
                pass
            assert_exactly(payi, "two", 100)
            wait_for(lambda: len(backend.spans) >= 200, "all spans at the second backend")
    # Each call has a span of other work around it, and what was said went to the gateway only.
    assert Counter(backend.spans) == {"GET /answer": 100, "chat gpt-4o-mini": 100}
    assert not any("payi.provider_request_json" in attributes for attributes in backend.attributes)


def test_tail_sampling_takes_nothing_from_the_cost(payi, tmp_path):
    gateway = Gateway(tmp_path, payi.url, payi.api_key)
    with running_otlp_sink() as backend:
        settings = {
            "PAYI_GATEWAY_ENDPOINT": gateway.grpc,
            "BACKEND_ENDPOINT": backend.url,
            "DECISION_WAIT": "1s",
        }
        collector = Collector("tail_sampling.yaml", tmp_path, settings)
        with running(gateway, collector):
            with application(collector.http, "http", "tail", 300):
                pass
            assert_exactly(payi, "tail", 300)
            wait_for(lambda: len(backend.spans) >= 12, "the six failed traces at the backend")
    # And one in a hundred by chance: a third of all is as good as impossible.
    assert len(backend.spans) < 200


def test_the_collector_is_killed_and_restarted_mid_run(payi, tmp_path):
    gateway = Gateway(tmp_path, payi.url, payi.api_key)
    collector = Collector("to_gateway.yaml", tmp_path, {"PAYI_GATEWAY_ENDPOINT": gateway.http})
    with running(gateway, collector):
        with application(collector.http, "http", "col", 300, 0.01) as app:
            for calls in (60, 120):
                after(app, calls)
                collector.kill()
                collector.start()
        assert_exactly(payi, "col", 300)


def test_the_gateway_is_killed_and_restarted_mid_run(payi, tmp_path):
    gateway = Gateway(tmp_path, payi.url, payi.api_key)
    collector = Collector("to_gateway.yaml", tmp_path, {"PAYI_GATEWAY_ENDPOINT": gateway.http})
    with running(gateway, collector):
        with application(collector.http, "http", "gw", 300, 0.01) as app:
            for calls in (60, 120):
                after(app, calls)
                gateway.kill()
                gateway.start()
        assert_exactly(payi, "gw", 300)


def test_two_gateways_share_the_work_and_one_may_die(payi, tmp_path):
    first, second = (Gateway(tmp_path, payi.url, payi.api_key, name) for name in ("first", "second"))
    settings = {"PAYI_GATEWAY_1": first.grpc, "PAYI_GATEWAY_2": second.grpc}
    collector = Collector("load_balancing.yaml", tmp_path, settings)
    with running(first, second, collector):
        with application(collector.http, "http", "both", 300, 0.01) as app:
            after(app, 150)
            outboxes = [list((tmp_path / f"{name}-outbox").glob("*")) for name in ("first", "second")]
            second.kill()
            after(app, 50)
            second.start()
        assert all(outboxes), "both gateways stored events"
        assert_exactly(payi, "both", 300)


def test_a_full_gateway_holds_the_collector_back_until_pay_i_is_there_again(tmp_path):
    count, small = 3_000, {"PAYI_OUTBOX_MAX_BYTES": str(2**20)}
    with running_sink() as sink:
        sink.script.extend([Reply(503)] * 100_000)
        gateway = Gateway(tmp_path, sink.url, "k", arguments=["--max-body-mib", "1"], **small)
        collector = Collector("to_gateway.yaml", tmp_path, {"PAYI_GATEWAY_ENDPOINT": gateway.http})
        with running(gateway, collector):
            with application(collector.http, "http", "full", count):
                pass
            wait_for(lambda: "no room in the outbox" in collector.text(), "the gateway is full")
            assert sink.events == {}
            sink.script.clear()
            wait_for(lambda: len(sink.events) >= count, f"{count} events at Pay-i")
        assert set(sink.events) == {f"chatcmpl-full-{number:08d}" for number in range(count)}
