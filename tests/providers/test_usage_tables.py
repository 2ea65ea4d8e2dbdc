"""Usage objects of both vendors as units, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.providers.catalog import price_key
from payi_otel.providers.content import PLACEHOLDER, redact_request
from payi_otel.providers.model import Exchange, ModelMapping, PriceKey
from payi_otel.providers.reading import read

SURFACES = (
    "chat", "completion", "responses", "responses.compact", "embeddings", "image", "speech", "transcription",
    "translation", "moderation", "realtime", "messages", "complete",
)  # fmt: skip


def exchange(surface="chat", request=None, **options):
    sdk = "anthropic" if surface in {"messages", "complete"} else "openai"
    return Exchange(sdk=sdk, surface=surface, request={"model": "m", **(request or {})}, **options)


def units(surface, body, request=None, **options):
    readings = read(exchange(surface, request, **options), body, complete=True)
    return [{name: (unit.input, unit.output) for name, unit in one.units.items()} for one in readings]


def chat(prompt, completion, details_in=None, details_out=None, **usage):
    told = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    details = {"prompt_tokens_details": details_in, "completion_tokens_details": details_out}
    return {"id": "x", "choices": [], "usage": {**told, **details, **usage}}


OPENAI_CHAT = [
    ("plain", chat(10, 5), {"text": (10, 5)}),
    ("cached", chat(10, 5, {"cached_tokens": 4}), {"text_cache_read": (4, 0), "text": (6, 5)}),
    ("reasoning", chat(10, 5, None, {"reasoning_tokens": 3}), {"reasoning": (0, 3), "text": (10, 2)}),
    ("d25 audio", chat(10, 9, {"audio_tokens": 6}, {"audio_tokens": 7}), {"audio": (6, 7), "text": (4, 2)}),
    ("d25 image", chat(10, 5, {"image_tokens": 8}), {"vision": (8, 0), "text": (2, 5)}),
    (
        "d25 predictions are billed as output text",
        chat(10, 9, None, {"accepted_prediction_tokens": 4, "rejected_prediction_tokens": 2}),
        {"text": (10, 9)},
    ),
    ("cache write", chat(10, 5, {"cache_write_tokens": 6}), {"text_cache_write_30m": (6, 0), "text": (4, 5)}),
    ("deepseek", chat(10, 5, prompt_cache_hit_tokens=4), {"text_cache_read": (4, 0), "text": (6, 5)}),
    ("mistral", chat(10, 5, num_cached_tokens=4), {"text_cache_read": (4, 0), "text": (6, 5)}),
    (
        "reasoning beside the completion",
        {**chat(10, 5, None, {"reasoning_tokens": 3}), "usage": {
            "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 18,
            "completion_tokens_details": {"reasoning_tokens": 3}}},
        {"reasoning": (0, 3), "text": (10, 5)},
    ),
    ("null counts", chat(10, 5, {"cached_tokens": None, "audio_tokens": None}), {"text": (10, 5)}),
]  # fmt: skip


@pytest.mark.parametrize(("why", "body", "expected"), OPENAI_CHAT, ids=[case[0] for case in OPENAI_CHAT])
def test_d25_chat_usage(why, body, expected):
    assert units("chat", body) == [expected]


def test_d27_text_is_never_guessed_to_be_vision():
    picture = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    request = {"messages": [{"role": "user", "content": [picture]}]}
    assert units("chat", chat(1000, 5), request) == [{"text": (1000, 5)}]


def message(stop="end_turn", **usage):
    return {"id": "m", "model": "claude", "content": [], "stop_reason": stop, "usage": usage}


ANTHROPIC = [
    ("plain", {"input_tokens": 30, "output_tokens": 12}, [{"text": (30, 12)}]),
    (
        "both cache lives",
        {"input_tokens": 3, "output_tokens": 1, "cache_creation_input_tokens": 8, "cache_read_input_tokens": 6,
         "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 3}},
        [{"text": (3, 1), "text_cache_read": (6, 0), "text_cache_write": (5, 0), "text_cache_write_1h": (3, 0)}],
    ),
    (
        "no split",
        {"input_tokens": 3, "output_tokens": 1, "cache_creation_input_tokens": 8, "cache_creation": None},
        [{"text": (3, 1), "text_cache_write": (8, 0)}],
    ),
    (
        "searches",
        {"input_tokens": 3, "output_tokens": 1, "server_tool_use": {"web_search_requests": 2}},
        [{"text": (3, 1), "web_search_request": (0, 2)}],
    ),
    (
        "large context, searches apart",
        {"input_tokens": 200_000, "output_tokens": 1, "cache_read_input_tokens": 1,
         "server_tool_use": {"web_search_requests": 1}},
        [{"text_large_context": (200_000, 1), "text_cache_read_large_context": (1, 0),
          "web_search_request": (0, 1)}],
    ),
    (
        "compaction and an advisor are passes of their own",
        {"input_tokens": 5, "output_tokens": 1, "iterations": [
            {"type": "compaction", "input_tokens": 50, "output_tokens": 9},
            {"type": "advisor_message", "model": "claude-opus", "input_tokens": 7, "output_tokens": 2},
            {"type": "message", "input_tokens": 5, "output_tokens": 1}]},
        [{"text": (5, 1)}, {"text": (50, 9)}, {"text": (7, 2)}],
    ),
    (
        "nulls",
        {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": None, "server_tool_use": None},
        [{"text": (3, 1)}],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("why", "usage", "expected"), ANTHROPIC, ids=[case[0] for case in ANTHROPIC])
def test_anthropic_usage(why, usage, expected):
    assert units("messages", message(**usage)) == expected


OTHER = [
    ("embeddings", "embeddings", {"usage": {"prompt_tokens": 5, "total_tokens": 5}}, {}, {"text": (5, 0)}),
    ("voyage", "embeddings", {"usage": {"total_tokens": 5}}, {}, {"text": (5, 0)}),
    ("dall-e", "image", {"data": [{}, {}]}, {"quality": "hd", "size": "1024x1792"}, {"image.hd.1024x1792": (0, 2)}),
    (
        "token-priced image", "image",
        {"data": [{}], "usage": {"input_tokens": 50, "output_tokens": 400,
                                 "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}}},
        {}, {"text": (10, 0), "image": (40, 400)},
    ),
    ("tts-1", "speech", {}, {"model": "tts-1", "input": "hello"}, {"text_character": (5, 0)}),
    ("seconds", "transcription", {"usage": {"type": "duration", "seconds": 6.2}}, {}, {"audio_second": (7, 0)}),
    (
        "transcription tokens", "transcription",
        {"usage": {"type": "tokens", "input_tokens": 20, "output_tokens": 4,
                   "input_token_details": {"audio_tokens": 18, "text_tokens": 2}}},
        {}, {"audio": (18, 0), "text": (2, 4)},
    ),
    ("moderation", "moderation", {"id": "modr"}, {}, {}),
    (
        "realtime", "realtime",
        {"type": "response.done", "response": {"usage": {
            "input_tokens": 100, "output_tokens": 30,
            "input_token_details": {"text_tokens": 40, "audio_tokens": 60, "cached_tokens": 30,
                                    "cached_tokens_details": {"text_tokens": 10, "audio_tokens": 20}},
            "output_token_details": {"text_tokens": 5, "audio_tokens": 25}}}},
        {}, {"audio": (40, 25), "audio_cache_read": (20, 0), "text_cache_read": (10, 0), "text": (30, 5)},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("why", "surface", "body", "request_body", "expected"), OTHER, ids=[case[0] for case in OTHER]
)
def test_other_surfaces(why, surface, body, request_body, expected):
    assert units(surface, body, request_body) == [expected]


def test_unknown_counters_are_kept_as_properties():
    (reading,) = read(exchange(), chat(1, 1, {"hologram_tokens": 7}), complete=True)
    assert reading.properties["system.unknown_usage.prompt_tokens_details.hologram_tokens"] == "7"


def test_a_cut_anthropic_stream_keeps_its_exact_input_and_estimates_its_output():
    body = {
        **message(None, input_tokens=30, output_tokens=1),
        "content": [{"type": "text", "text": "x" * 400}],
    }
    (reading,) = read(exchange("messages", is_stream=True), body, complete=False)
    assert reading.usage_source == "estimated"
    assert (reading.units["text"].input, reading.units["text"].output) == (30, 100)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("usage", "choices", "output", "content", "error", "data", "model", "id", "response", "tool_usage",
          "prompt_tokens", "input_tokens", "iterations", "prompt_tokens_details", "cached_tokens")  # fmt: skip
odd_bodies = st.dictionaries(
    st.sampled_from(FIELDS),
    json_values | st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4),
    max_size=5,
)


@given(st.sampled_from(SURFACES), odd_bodies, st.booleans(), st.booleans())
def test_no_body_raises_and_no_unit_is_negative(surface, body, complete, is_stream):
    for reading in read(exchange(surface, is_stream=is_stream), body, complete=complete):
        assert all(unit.input >= 0 and unit.output >= 0 for unit in reading.units.values())


counts = st.integers(0, 10_000)


@given(counts, counts, counts, counts, counts, counts, counts)
def test_every_token_is_counted_once(cached, written, audio, image, rest, reasoning, text_out):
    details = {
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "audio_tokens": audio,
        "image_tokens": image,
    }
    body = chat(cached + written + audio + image + rest, reasoning + text_out + 1, details,
                {"reasoning_tokens": reasoning})  # fmt: skip
    (told,) = units("chat", body)
    assert sum(pair[0] for pair in told.values()) == body["usage"]["prompt_tokens"] or not any(
        (cached, written, audio, image, rest)
    )
    assert sum(pair[1] for pair in told.values()) == body["usage"]["completion_tokens"]


PRICE_CASES = [
    ("the request's model", {}, PriceKey("system.openai", "gpt-4o")),
    ("the caller's", {"price_as_resource": "mine"}, PriceKey("system.openai", "mine")),
    ("a mapping", {"model_mappings": [ModelMapping("gpt-4o", None, "cat", "res")]}, PriceKey("cat", "res")),
    (
        "no mapping where the caller spoke",
        {"price_as_category": "own", "model_mappings": [ModelMapping("gpt-4o", None, "cat", "res")]},
        PriceKey("own", "gpt-4o"),
    ),
    ("a mapping of another host", {"model_mappings": [ModelMapping("gpt-4o", "h", "cat")]},
     PriceKey("system.openai", "gpt-4o")),
    ("the host's category", {"host_mappings": {"llm.example": "other"}}, PriceKey("other", "gpt-4o")),
]  # fmt: skip


@pytest.mark.parametrize(("why", "options", "expected"), PRICE_CASES, ids=[case[0] for case in PRICE_CASES])
def test_price_key(why, options, expected):
    given_ = {
        "host_mappings": {}, "model_mappings": (), "price_as_category": None, "price_as_resource": None,
        "resource_scope": None, "reading_scope": None, **options,
    }  # fmt: skip
    call = exchange(
        request={"model": "gpt-4o"}, base_url="https://llm.example/v1", client_classes=("OpenAI",)
    )
    assert price_key(call, "gpt-4o-2024-08-06", **given_) == expected


def test_d51_inline_media_is_replaced_wherever_it_stands():
    media = "A" * 200
    request = {
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{media}"}},
                {"type": "input_audio", "input_audio": {"data": media, "format": "wav"}},
                {"type": "file", "file": {"file_data": media}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": media}},
                {"type": "tool_result", "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": media}}]},
            ]},
        ]
    }  # fmt: skip
    kept = str(redact_request(exchange(request=request), keep_inline_data=False))
    assert media not in kept
    assert kept.count(PLACEHOLDER) == 5
    assert "look" in kept
    assert media in str(redact_request(exchange(request=request), keep_inline_data=True))
