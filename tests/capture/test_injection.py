"""When a chat stream is asked for its usage, and what of it is hidden again."""

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from payi_otel.capture.injection import (
    UsageGate,
    Verdict,
    choices_expected,
    is_refusal,
    with_stream_usage,
)
from payi_otel.providers.model import Exchange


def exchange(surface="chat", base_url="https://api.openai.com/v1", stream=True, hints=None, sdk="openai"):
    return Exchange(
        sdk=sdk, surface=surface, request={}, base_url=base_url, is_stream=stream, client_hints=hints or {}
    )


def test_d7_the_callers_other_stream_options_stay():
    body = {"stream": True, "stream_options": {"include_obfuscation": False}}
    asked = with_stream_usage(exchange(), body, None)
    assert asked is not None
    assert asked["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert body["stream_options"] == {"include_obfuscation": False}


@pytest.mark.parametrize(
    ("why", "exchange_", "body", "extra_body"),
    [
        ("the caller asked", exchange(), {"stream_options": {"include_usage": True}}, None),
        ("the caller declined", exchange(), {"stream_options": {"include_usage": False}}, None),
        ("the caller asks in extra_body", exchange(), {}, {"stream_options": {}}),
        ("no stream", exchange(stream=False), {}, None),
        ("another surface", exchange(surface="responses"), {}, None),
        ("another SDK", exchange(sdk="anthropic"), {}, None),
        ("a host that refuses", exchange(base_url="https://api.mistral.ai/v1"), {}, None),
        ("Azure on your data", exchange(), {"data_sources": []}, None),
        ("old Azure", exchange(hints={"api_version": "2024-06-01"}), {}, None),
        ("odd options", exchange(), {"stream_options": "x"}, None),
        ("a body that is no dict", exchange(), [1], None),
    ],
)
def test_not_asked_when(why, exchange_, body, extra_body):
    assert with_stream_usage(exchange_, body, extra_body) is None, why


@pytest.mark.parametrize("version", ["2024-10-21", "2025-04-01-preview", "preview", "v1", ""])
def test_newer_azure_is_asked(version):
    assert with_stream_usage(exchange(hints={"api_version": version}), {}, None) is not None


def chunk(choices, usage=None, **fields):
    values = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return ChatCompletionChunk.model_validate({**values, "usage": usage, **fields})


def choice(index=0, finish=None, content="x"):
    return {"index": index, "delta": {"content": content}, "finish_reason": finish}


USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def test_d6_usage_on_a_chunk_with_content_is_not_hidden():
    assert UsageGate(1).judge(chunk([choice()], USAGE)) is Verdict.PASS


def test_the_usage_chunk_is_hidden_and_null_usage_leaves_no_trace():
    gate = UsageGate(1)
    first = chunk([choice()])
    assert "usage" in first.model_fields_set
    assert gate.judge(first) is Verdict.PASS
    assert "usage" not in first.model_fields_set
    assert gate.judge(chunk([choice(finish="stop")])) is Verdict.LOOK_AHEAD
    assert gate.judge(chunk([], USAGE)) is Verdict.HIDE


def test_azures_first_chunk_without_choices_stays():
    assert UsageGate(1).judge(chunk([], None)) is Verdict.PASS


def test_looks_ahead_only_after_the_last_choice_finished():
    gate = UsageGate(2)
    assert gate.judge(chunk([choice(0, "stop")])) is Verdict.PASS
    assert gate.judge(chunk([choice(1, "stop")])) is Verdict.LOOK_AHEAD


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({}, 1),
        ({"n": 3}, 3),
        ({"n": None}, 1),
        ({"prompt": ["a", "b"], "n": 2}, 4),
        ({"prompt": [1, 2, 3]}, 1),
    ],
)
def test_choices_expected(body, count):
    assert choices_expected(body) == count


def _error(status, message, body=None):
    import sys

    http = sys.modules.get("httpx2") if openai.__version__ >= "3" else None
    http = http or __import__("httpx")
    request = http.Request("POST", "http://x/")
    return openai.APIStatusError(message, response=http.Response(status, request=request), body=body)


@pytest.mark.parametrize(
    ("status", "message", "refused"),
    [
        (400, "Unrecognized request argument supplied: stream_options", True),
        (422, "extra_forbidden", True),
        (400, "This model's maximum context length is 8192 tokens", False),
        (429, "stream_options", False),
        (500, "stream_options", False),
    ],
)
def test_is_refusal(status, message, refused):
    assert is_refusal(_error(status, message)) is refused
