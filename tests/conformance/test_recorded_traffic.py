"""Every recorded OpenAI, Azure, OpenAI-compatible and Anthropic interaction arrives as exactly the right event.

The recordings are real traffic that is not part of the repository: `PAYI_TRAFFIC_DIR`, or `../shared/traffic`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import payi_otel
from tests.conformance.replay import Replayer, consume, consume_async, recorded_reply
from tests.conformance.rules import ExpectedEvent, expected_events
from tests.support.ingest_sink import running_sink
from tests.support.vendor import Received, running_vendor

TRAFFIC = Path(
    os.environ.get("PAYI_TRAFFIC_DIR") or Path(__file__).resolve().parents[2].parent / "shared" / "traffic"
)
FILES = (
    "openai_chat",
    "openai_responses",
    "openai_embeddings",
    "openai_other",
    "openai_compatible",
    "anthropic_messages",
    "anthropic_beta",
    "anthropic_other",
)

pytestmark = [
    pytest.mark.skipif(not TRAFFIC.is_dir(), reason=f"no recorded traffic at {TRAFFIC}"),
    # The SDK warns of retired models, which the recordings are full of.
    pytest.mark.filterwarnings("ignore:The model '.*' is deprecated:DeprecationWarning"),
]

Interaction = Mapping[str, Any]
Driver = Callable[[Replayer, list[Interaction]], None]


def load_interactions() -> list[Interaction]:
    return [
        json.loads(line)
        for name in FILES
        for line in (TRAFFIC / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]


def labelled(number: int) -> Any:
    return payi_otel.track_context(
        use_case_name="conformance", use_case_id="replay", use_case_step=str(number)
    )


def drive_sync(wrapper: str, read: Callable[[Any], None]) -> Driver:
    def drive(replayer: Replayer, interactions: list[Interaction]) -> None:
        for number, interaction in enumerate(interactions):
            with labelled(number):
                try:
                    result = replayer.call(interaction, number, wrapper)
                    if wrapper == "with_streaming_response" and hasattr(result, "__enter__"):
                        with result as response:
                            read(response)
                    else:
                        consume(result)
                except (openai.APIError, anthropic.APIError):
                    pass

    return drive


def drive_async(wrapper: str) -> Driver:
    async def replay(replayer: Replayer, interactions: list[Interaction]) -> None:
        for number, interaction in enumerate(interactions):
            with labelled(number):
                try:
                    result = replayer.call(interaction, number, wrapper)
                    if inspect.isawaitable(result):
                        await consume_async(await result)
                    else:
                        async with result as response:
                            await consume_async(response)
                except (openai.APIError, anthropic.APIError):
                    pass

    def drive(replayer: Replayer, interactions: list[Interaction]) -> None:
        asyncio.run(replay(replayer, interactions))

    return drive


def read_lines(response: Any) -> None:
    if hasattr(response, "iter_lines"):
        assert list(response.iter_lines())
    else:
        consume(response)


DRIVERS: dict[str, tuple[bool, Driver]] = {
    "sync": (False, drive_sync("", consume)),
    "sync raw response": (False, drive_sync("with_raw_response", consume)),
    "sync streaming response": (False, drive_sync("with_streaming_response", consume)),
    "sync lines": (False, drive_sync("with_streaming_response", read_lines)),
    "async": (True, drive_async("")),
    "async raw response": (True, drive_async("with_raw_response")),
    "async streaming response": (True, drive_async("with_streaming_response")),
}


CASES = [(manner, False) for manner in DRIVERS] + [("sync", True), ("async", True)]


@pytest.mark.parametrize(
    ("manner", "with_content"),
    CASES,
    ids=[f"{manner}, with content" if with_content else manner for manner, with_content in CASES],
)
def test_every_recorded_interaction_becomes_its_event(
    manner: str,
    with_content: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PAYI_OUTBOX_DIR", str(tmp_path))
    interactions = load_interactions()
    is_async, drive = DRIVERS[manner]
    with running_sink() as sink, running_vendor(recorded_reply(interactions)) as vendor:
        payi_otel.payi_instrument(
            api_key="k",
            base_url=sink.url,
            log_prompt_and_response=with_content,
            config={"use_case_name": "outside"},
        )
        try:
            drive(Replayer(vendor.url, is_async=is_async), interactions)
            assert payi_otel.force_flush(timeout_s=60)
        finally:
            payi_otel.uninstrument()
        events = [event for post in sink.posts for event in post.body or ()]
        received = list(vendor.received)
    assert not [event for event in events if event["use_case_name"] != "conformance"]
    by_step: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        by_step[int(event["use_case_step"])].append(event)
    arrived = {int(request.headers["x-replayed-interaction"]): request for request in received}
    reported: set[str] = set()
    differences = {
        f"{number} {interaction['name']}": found
        for number, interaction in enumerate(interactions)
        if (
            found := request_differences(interaction, arrived.get(number))
            + event_differences(expected_events(interaction, reported), by_step[number], with_content)
        )
    }
    with capsys.disabled():
        print(
            f"\nconformance: {len(interactions)} interactions, {len(interactions) - len(differences)} agree"
            f" ({manner}{', with content' if with_content else ''}; {len(events)} events)"
        )
    assert not differences, json.dumps(differences, indent=1, ensure_ascii=False)


def request_differences(interaction: Interaction, received: Received | None) -> list[str]:
    """The vendor got the recorded request, but for the usage we may ask for and the SDK's own default."""
    if received is None:
        return ["the request never arrived"]
    sent, recorded = received.json(), interaction.get("request_body") or {}
    if not isinstance(recorded, dict) or "multipart_files" in recorded:
        return []
    ours = {**sent}
    if "stream_options" not in recorded and ours.get("stream_options") == {"include_usage": True}:
        del ours["stream_options"]
    if "encoding_format" not in recorded:
        ours.pop("encoding_format", None)
    return [] if ours == recorded else [f"request: sent {sent}, recorded {recorded}"]


def event_differences(
    expected: list[ExpectedEvent], events: list[dict[str, Any]], with_content: bool
) -> list[str]:
    if len(expected) != len(events):
        return [f"events: expected {expected}, got {events}"]
    remaining = list(events)
    found: list[str] = []
    for wanted in expected:
        match = next((e for e in remaining if e["provider_response_id"] == wanted.event_id), remaining[0])
        remaining.remove(match)
        found += one_event_differences(wanted, match, with_content)
    return found


def one_event_differences(wanted: ExpectedEvent, event: dict[str, Any], with_content: bool) -> list[str]:
    properties = event.get("properties", {})
    tools = [
        (call["name"], call.get("arguments")) for call in event.get("provider_response_function_calls", ())
    ]
    told_arguments = any(text is not None for _, text in tools)
    checks: list[tuple[str, Any, Any]] = [
        ("category", wanted.category, event["category"]),
        ("resource", wanted.resource, event.get("resource")),
        ("scope", None, event.get("scope")),
        ("status", wanted.status, event.get("http_status_code")),
        ("tools", [name for name, _ in wanted.tools], [name for name, _ in tools]),
        ("arguments are content", False, told_arguments and not with_content),
        ("failed", wanted.failed, "system.failure" in properties or event.get("http_status_code", 0) >= 400),
        ("outcome", None, properties.get("system.outcome")),
        ("prompt is content", with_content, "provider_request_json" in event),
    ]
    if not wanted.any_id:
        identity = event["provider_response_id"]
        is_ours = identity.startswith("payi_")
        checks.append(("id", wanted.event_id or "ours", "ours" if is_ours else identity))
    checks += [(name, value, properties.get(name)) for name, value in wanted.properties.items()]
    checks += usage_checks(wanted, event)
    if with_content:
        checks += [
            (f"arguments of {name}", parsed(text), parsed(got))
            for (name, text), (_, got) in zip(wanted.tools, tools, strict=False)
            if text is not None
        ]
    return [f"{what}: expected {want!r}, got {got!r}" for what, want, got in checks if want != got]


def usage_checks(wanted: ExpectedEvent, event: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    units = {
        name: (count.get("input", 0), count.get("output", 0))
        for name, count in event["units"].items()
        if any(count.values())
    }
    source = event.get("properties", {}).get("system.usage_source")
    text = units.get("text", (0, 0))
    if wanted.any_usage:
        return [("usage of a broken stream", True, text[0] > 0)]
    if wanted.units is None:
        return [
            ("usage source", "estimated", source),
            ("estimated input", True, text[0] > 0),
            ("estimated output", wanted.has_text, text[1] > 0),
        ]
    return [("usage source", None, source), ("units", wanted.units, units)]


def parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text
