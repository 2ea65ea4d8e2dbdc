"""The rules of the conformance test, on interactions written here: they hold, and they notice what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.rules import ExpectedEvent, expected_events
from tests.conformance.test_recorded_traffic import event_differences


def interaction(
    path: str, answer: Any, *, request: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """A recorded interaction; a list of answers is a stream of them."""
    is_stream = isinstance(answer, list)
    text = "".join(f"data: {json.dumps(item)}\n\n" for item in answer) if is_stream else json.dumps(answer)
    return {
        "method": "POST",
        "url": f"https://api.openai.com{path}",
        "request_body": {"model": "m", **(request or {})},
        "status": 200,
        "response_headers": {},
        "response_body": text,
        "is_stream": is_stream,
        **changes,
    }


CHAT = {
    "id": "chatcmpl-0123456789",
    "model": "m-2026",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "message": {
                "content": "text",
                "tool_calls": [{"id": "c", "function": {"name": "add", "arguments": '{"a":1}'}}],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 10, "audio_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 4},
    },
}


def only(expected: list[ExpectedEvent]) -> ExpectedEvent:
    (event,) = expected
    return event


def test_inclusive_counts_are_split() -> None:
    event = only(expected_events(interaction("/v1/chat/completions", CHAT), set()))
    assert event.units == {
        "text": (65, 16),
        "text_cache_read": (20, 0),
        "text_cache_write_30m": (10, 0),
        "audio": (5, 4),
        "reasoning": (0, 30),
    }
    assert event.tools == (("add", '{"a":1}'),)
    assert (event.resource, event.event_id) == ("m", "chatcmpl-0123456789")


def test_last_value_of_each_counter_of_a_stream_holds() -> None:
    start = {
        "type": "message_start",
        "message": {
            "id": "msg_0123456789abcdef",
            "usage": {
                "input_tokens": 7,
                "output_tokens": 1,
                "cache_creation": {"ephemeral_1h_input_tokens": 3},
            },
        },
    }
    delta = {"type": "message_delta", "usage": {"output_tokens": 9, "cache_creation_input_tokens": 3}}
    event = only(expected_events(interaction("/v1/messages", [start, delta]), set()))
    assert event.units == {"text": (7, 9), "text_cache_write_1h": (3, 0)}
    assert event.event_id == "msg_0123456789abcdef"


def test_passes_outside_the_totals_are_events() -> None:
    passes = [
        {"type": "message", "input_tokens": 1, "output_tokens": 1},
        {"type": "advisor_message", "model": "other", "input_tokens": 5, "output_tokens": 6},
    ]
    answer = {
        "id": "msg_0123456789abcdef",
        "content": [],
        "usage": {"input_tokens": 1, "output_tokens": 1, "iterations": passes},
    }
    _, advisor = expected_events(interaction("/v1/messages", answer), set())
    assert (advisor.event_id, advisor.resource) == ("msg_0123456789abcdef#iteration-1", "other")
    assert advisor.units == {"text": (5, 6)}


def test_a_stream_without_usage_is_estimated() -> None:
    chunk = {"id": "chatcmpl-0123456789", "choices": [{"delta": {"content": "hi"}}]}
    event = only(expected_events(interaction("/v1/chat/completions", [chunk]), set()))
    assert event.units is None
    assert event.has_text


@pytest.mark.parametrize(
    "path", ["/v1/files", "/v1/models", "/v1/messages/count_tokens", "/v1/responses/input_tokens"]
)
def test_what_costs_nothing_is_no_event(path: str) -> None:
    assert expected_events(interaction(path, {"input_tokens": 3}), set()) == []


def test_background_answer_is_an_event_once_its_usage_is_known() -> None:
    identity = "resp_0123456789abcdef"
    queued = {"id": identity, "status": "queued", "output": []}
    done = {**queued, "status": "completed", "usage": {"input_tokens": 2, "output_tokens": 3}}
    reported: set[str] = set()
    path = f"/v1/responses/{identity}"
    assert expected_events(interaction("/v1/responses", queued), reported) == []
    assert only(expected_events(interaction(path, done, method="GET"), reported)).units == {"text": (2, 3)}
    assert expected_events(interaction(path, done, method="GET"), reported) == []


RIGHT = {
    "category": "system.openai",
    "resource": "m",
    "provider_response_id": "chatcmpl-0123456789",
    "http_status_code": 200,
    "units": {
        "text": {"input": 65, "output": 16},
        "text_cache_read": {"input": 20, "output": 0},
        "text_cache_write_30m": {"input": 10},
        "audio": {"input": 5, "output": 4},
        "reasoning": {"output": 30},
    },
    "properties": {"system.service_tier": "default"},
    "provider_response_function_calls": [{"name": "add"}],
}


def test_a_right_event_agrees() -> None:
    expected = expected_events(interaction("/v1/chat/completions", CHAT), set())
    assert event_differences(expected, [RIGHT], False) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"category": "system.azureopenai"},
        {"resource": "m-2026"},
        {"provider_response_id": "payi_1"},
        {"http_status_code": 500},
        {"units": {**RIGHT["units"], "text": {"input": 66, "output": 16}}},
        {"units": {**RIGHT["units"], "vision": {"input": 1}}},
        {"properties": {}},
        {"properties": {"system.service_tier": "default", "system.usage_source": "estimated"}},
        {"properties": {"system.service_tier": "default", "system.outcome": "dropped"}},
        {"properties": {"system.service_tier": "default", "system.failure": "X"}},
        {"provider_response_function_calls": []},
        {"provider_response_function_calls": [{"name": "add", "arguments": '{"a":1}'}]},
        {"provider_request_json": "{}"},
        {"scope": "region"},
    ],
    ids=str,
)
def test_a_wrong_event_is_noticed(wrong: dict[str, Any]) -> None:
    expected = expected_events(interaction("/v1/chat/completions", CHAT), set())
    assert event_differences(expected, [{**RIGHT, **wrong}], False)


def test_a_missing_and_a_second_event_are_noticed() -> None:
    expected = expected_events(interaction("/v1/chat/completions", CHAT), set())
    assert event_differences(expected, [], False)
    assert event_differences(expected, [RIGHT, RIGHT], False)
