"""Every example, run as a process against the fake provider; what arrived is compared with what was billed."""

from __future__ import annotations

import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from payi_otel.demo.provider import FakeProvider, running_provider
from tests.examples.world import EXAMPLES, environment, run, run_example, serving
from tests.support.ingest_sink import IngestSink, running_sink


class World:
    """A fake provider, a Pay-i, and the environment in which an example finds both."""

    def __init__(self, provider: FakeProvider, sink: IngestSink) -> None:
        self.provider = provider
        self.sink = sink
        self.variables = environment(provider, sink.url, "test")

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(self.sink.events.values())

    def values(self, field: str) -> list[Any]:
        return [event.get(field) for event in self.events]

    def assert_each_billed_request_arrived_exactly(self) -> None:
        """One event per billed request, with the tokens that the provider billed."""
        billed = [served.billed for served in self.provider.requests if served.billed]
        assert billed
        assert len(self.sink.stored) == len(billed)
        for entry in billed:
            assert entry.usage is not None
            usage, units = entry.usage, self.sink.events[entry.response_id]["units"]["text"]
            assert units["input"] == usage.get("input_tokens", usage.get("prompt_tokens"))
            assert units["output"] == usage.get("output_tokens", usage.get("completion_tokens"))


@pytest.fixture
def world() -> Iterator[World]:
    with running_provider() as provider, running_sink() as sink:
        yield World(provider, sink)
        # Pay-i refuses the score of a KPI that nobody defined.
        assert {(use_case, kpi) for use_case, _, kpi in sink.scores} <= set(sink.definitions)


def test_quickstart(world: World) -> None:
    assert "Where is my parcel?" in run_example("quickstart.py", world.variables)
    world.assert_each_billed_request_arrived_exactly()
    (event,) = world.events
    assert event["use_case_name"] == "support_chat"
    assert (event["category"], event["resource"]) == ("system.openai", "gpt-4o-mini")
    assert world.sink.scores == {("support_chat", event["use_case_id"], "resolved"): True}


def test_fastapi_streaming(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving("fastapi_streaming", port, world.variables):
        texts = [
            httpx2.get(
                f"http://127.0.0.1:{port}/ask", params={"question": "Why?", "user": user}, timeout=300
            ).text
            for user in ("jane", "joe")
        ]
    assert all("Why?" in text for text in texts)
    world.assert_each_billed_request_arrived_exactly()
    assert set(world.values("use_case_name")) == {"ask_page"}
    assert set(world.values("use_case_step")) == {"answer"}
    assert set(world.values("user_id")) == {"jane", "joe"}
    assert len(set(world.values("use_case_id"))) == 2
    assert list(world.sink.scores.values()) == [True, True]


def test_anthropic_tool_loop(world: World) -> None:
    assert "18 degrees" in run_example("anthropic_tool_loop.py", world.variables)
    world.assert_each_billed_request_arrived_exactly()
    by_step = {event["use_case_step"]: event for event in world.events}
    assert set(by_step) == {"turn_1", "turn_2"}
    assert set(world.values("use_case_name")) == {"travel_agent"}
    assert set(world.values("category")) == {"system.anthropic"}
    assert [call["name"] for call in by_step["turn_1"]["provider_response_function_calls"]] == ["weather"]
    (instance,) = set(world.values("use_case_id"))
    assert world.sink.scores == {("travel_agent", instance, "turns"): 2}


def test_concurrent_agents(world: World) -> None:
    run_example("concurrent_agents.py", world.variables)
    world.assert_each_billed_request_arrived_exactly()
    assert set(world.values("use_case_name")) == {"research"}
    steps: dict[str, Counter[str]] = {}
    for event in world.events:
        steps.setdefault(event["use_case_id"], Counter())[event["use_case_step"]] += 1
    assert list(steps.values()) == [Counter(search=1, translate=1, write=1)] * 3
    topics = {event["properties"]["topic"] for event in world.events if event["use_case_step"] == "write"}
    assert topics == {"tides", "dunes", "reefs"}


@pytest.mark.parametrize("by", ["python", "curl"])
def test_kpi_later_is_scored_by_another_process(world: World, by: str) -> None:
    instance = run_example("kpi_later.py", world.variables, "ask", "Where is my parcel?").strip()
    world.assert_each_billed_request_arrived_exactly()
    assert world.values("use_case_id") == [instance]
    assert world.sink.scores == {}
    if by == "python":
        run_example("kpi_later.py", world.variables, "score", instance, "5")
    else:
        assert shutil.which("curl"), "this example is a curl command: install curl to test it"
        run([str(EXAMPLES / "kpi_later.sh"), instance, "5"], world.variables)
    assert world.sink.scores == {("support_mail", instance, "stars"): 5}
    assert world.sink.definitions["support_mail", "stars"]["goal"] == 4.0


def test_prefork_worker(world: World) -> None:
    run_example("prefork_worker.py", world.variables)
    world.assert_each_billed_request_arrived_exactly()
    assert len(world.events) == 1 + 2 * 3
    assert set(world.values("use_case_name")) == {"summaries"}
    assert set(world.values("user_id")) == {"batch"}


def test_azure(world: World) -> None:
    assert "Which contracts" in run_example("azure.py", world.variables)
    world.assert_each_billed_request_arrived_exactly()
    (event,) = world.events
    assert (event["category"], event["resource"]) == ("system.azureopenai", "gpt-4o-mini")
    assert (event["use_case_name"], event["user_id"]) == ("contract_search", "legal")
    assert event["properties"].get("system.usage_source") is None
