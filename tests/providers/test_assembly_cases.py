"""Streams folded into the answer they would have been."""

from __future__ import annotations

import tracemalloc

import pytest
from anthropic.types import RawContentBlockDeltaEvent, RawMessageDeltaEvent, RawMessageStartEvent
from openai.types import Completion
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseCompletedEvent, ResponseTextDeltaEvent

from payi_otel.providers.assembly import assembler_for
from payi_otel.providers.model import Exchange
from payi_otel.providers.reading import read

CHAT = Exchange(sdk="openai", surface="chat", request={"model": "m"}, is_stream=True)
COMPLETION = Exchange(sdk="openai", surface="completion", request={"model": "m"}, is_stream=True)
RESPONSES = Exchange(sdk="openai", surface="responses", request={"model": "m"}, is_stream=True)
MESSAGES = Exchange(sdk="anthropic", surface="messages", request={"model": "m"}, is_stream=True)


def fold(exchange, events):
    assembler = assembler_for(exchange)
    for event in events:
        assembler.feed(event)
    return assembler


def chunk(delta=None, index=0, **fields):
    choices = [] if delta is ... else [{"index": index, "delta": delta, "finish_reason": None}]
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": choices,
        **fields,
    }


def test_d4e_a_chunk_whose_delta_is_null_does_not_raise():
    assembler = fold(CHAT, [chunk(None), chunk({"content": "a"}), chunk({"content": None})])
    assert assembler.body()["choices"][0]["message"]["content"] == "a"


def test_models_and_raw_events_fold_alike():
    events = [
        chunk({"role": "assistant", "content": "x"}),
        chunk({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "find", "arguments": '{"a"'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
        chunk({"content": "second"}, index=1),
        chunk(..., usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
    ]
    raw = fold(CHAT, events)
    models = fold(CHAT, [ChatCompletionChunk.model_validate(event) for event in events])
    assert raw.has_usage
    assert models.has_usage
    for assembler in (raw, models):
        (reading,) = read(CHAT, assembler.body(), complete=True)
        assert [(call.name, call.arguments) for call in reading.function_calls] == [("find", '{"a":1}')]
        assert reading.units["text"].output == 2


def test_d26_d30_of_several_message_deltas_the_last_counts_and_input_is_counted_once():
    start = {
        "type": "message_start",
        "message": {
            "id": "msg", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": 30, "output_tokens": 1, "service_tier": "priority",
                      "cache_creation_input_tokens": 5, "cache_read_input_tokens": 0,
                      "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 5}},
        },
    }  # fmt: skip
    deltas = [
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage}
        for stop, usage in (
            (None, {"output_tokens": 5, "input_tokens": 31}),
            ("end_turn", {"output_tokens": 12, "input_tokens": None, "cache_creation_input_tokens": 5}),
        )
    ]
    raw = fold(MESSAGES, [start, *deltas])
    typed = [RawMessageStartEvent.model_validate(start)]
    typed += [
        RawMessageDeltaEvent.model_construct(**RawMessageDeltaEvent.construct(**one).__dict__)
        for one in deltas
    ]
    for assembler in (raw, fold(MESSAGES, typed)):
        (reading,) = read(MESSAGES, assembler.body(), complete=True)
        assert {name: (unit.input, unit.output) for name, unit in reading.units.items()} == {
            "text": (31, 12),
            "text_cache_write_1h": (5, 0),
        }
        assert reading.properties["system.service_tier"] == "priority"
        assert reading.usage_source == "provider"


def test_d38_tools_at_index_0_and_with_empty_input():
    block = {"type": "tool_use", "id": "t", "name": "search", "input": {}}
    assembler = fold(
        MESSAGES,
        [
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": {**block, "name": "add"}},
            {"type": "content_block_delta", "index": 1,
             "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'}},
        ],
    )  # fmt: skip
    (reading,) = read(MESSAGES, assembler.body(), complete=False)
    assert [(call.name, call.arguments) for call in reading.function_calls] == [
        ("search", "{}"),
        ("add", '{"a":1}'),
    ]


def word(text="word ", **fields):
    return chunk({"content": text}, **fields)


def delta(kind="text_delta", index=0, **piece):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **piece}}


def text_of_choice(**fields):
    return chunk(..., choices=[{"index": 0, "text": "word ", "finish_reason": None, **fields}])


RESPONSE_DELTA = {"type": "response.output_text.delta", "delta": "word ", "item_id": "i", "output_index": 0,
                  "content_index": 0, "sequence_number": 1, "logprobs": []}  # fmt: skip
TEXT_DELTA = delta(text="word ")
STREAMS = {
    "words": (CHAT, [word()] * 3, 2),
    "what a word brings beside": (
        CHAT,
        [word(), word(service_tier="flex"), word(x_groq={"usage": {"prompt_tokens": 3}}), word(error={"a": 1})],
        1,
    ),
    "an id that comes late": (CHAT, [word(id=""), word(), word()], 1),
    "reasoning": (
        CHAT,
        [word(), chunk({"content": None, "reasoning_content": "r"}), chunk({"content": "a", "reasoning": "b"})],
        0,
    ),
    "a refusal": (CHAT, [word(), chunk({"content": "", "refusal": "no"}), word("")], 0),
    "a call of a tool": (
        CHAT,
        [
            word(),
            chunk({"content": "a", "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{"}}]}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}),
            chunk({"content": "b", "function_call": {"name": "g", "arguments": "{}"}}),
            word(),
        ],
        1,
    ),
    "two choices": (CHAT, [word(), word(index=1), word(index=1), word()], 2),
    "two choices in a chunk": (
        CHAT,
        [word(), chunk(..., choices=[{"index": at, "delta": {"content": str(at)}} for at in (1, 0)]), word()],
        1,
    ),
    "the end": (
        CHAT,
        [
            word(),
            chunk(..., choices=[{"index": 0, "delta": {"content": "last"}, "finish_reason": "stop"}]),
            chunk(..., usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
        ],
        0,
    ),
    "usage on every chunk": (CHAT, [word(), word(usage={"prompt_tokens": 3, "completion_tokens": 1})], 0),
    "the delta again as text": (CHAT, [text_of_choice(delta={"content": "word "})] * 3, 2),
    "completions": (COMPLETION, [text_of_choice()] * 3, 0),
    "a message": (
        MESSAGES,
        [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_start", "index": 1, "content_block": {"type": "thinking", "thinking": ""}},
            {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "name": "f"}},
            TEXT_DELTA, TEXT_DELTA, TEXT_DELTA,
            delta("thinking_delta", 1, thinking="a"), delta("thinking_delta", 1, thinking="b"),
            delta("signature_delta", 1, signature="s"),
            delta("input_json_delta", 2, partial_json='{"a"'), delta("input_json_delta", 2, partial_json=":1}"),
        ],
        4,
    ),
    "a response": (
        RESPONSES,
        [RESPONSE_DELTA, RESPONSE_DELTA, {"type": "response.completed", "sequence_number": 2,
                                          "response": {"id": "r", "usage": {"input_tokens": 1}}}],
        1,
    ),
}  # fmt: skip
MODELS = {
    "chat": ChatCompletionChunk,
    "completion": Completion,
    "response.output_text.delta": ResponseTextDeltaEvent,
    "response.completed": ResponseCompletedEvent,
    "content_block_delta": RawContentBlockDeltaEvent,
}


def modelled(exchange, events):
    """As the SDK makes models of events: each of its own, checked by nobody."""
    kinds = [MODELS.get(event.get("type", exchange.surface)) for event in events]
    return [
        event if kind is None else kind.construct(**event) for kind, event in zip(kinds, events, strict=True)
    ]


@pytest.mark.parametrize("name", STREAMS)
def test_text_taken_at_once_makes_the_same_answer(name):
    exchange, events, expected = STREAMS[name]
    assembler, whole = assembler_for(exchange), fold(exchange, events)
    taken = [assembler.feed_text(event) or assembler.feed(event) for event in modelled(exchange, events)]
    assert sum(bool(one) for one in taken) == expected
    assert assembler.body() == whole.body()
    assert (assembler.has_usage, assembler.has_content) == (whole.has_usage, whole.has_content)


def test_what_the_caller_does_to_a_chunk_he_has_changes_nothing():
    assembler = assembler_for(CHAT)
    for event in modelled(CHAT, [word()] * 3):
        assert assembler.feed_text(event) or assembler.feed(event) is None
        event.choices[0].delta.content = "redacted"
    assert assembler.body()["choices"][0]["message"]["content"] == "word word word "


def test_text_that_a_host_tells_twice_is_counted_once():
    assembler = fold(CHAT, [text_of_choice(delta={"content": "word "})])
    assert assembler.body()["choices"][0]["message"]["content"] == "word "


@pytest.mark.parametrize("hides_usage", [True, False])
def test_null_usage_is_forgotten_where_only_we_asked(hides_usage):
    assembler = assembler_for(CHAT)
    assembler.hides_usage = hides_usage
    first, second = modelled(CHAT, [word(usage=None)] * 2)
    assembler.feed(first)
    assert assembler.feed_text(second)
    assert ("usage" in second.model_fields_set) is not hides_usage


def test_events_that_are_no_models_are_left_to_feed():
    for exchange in (CHAT, COMPLETION, RESPONSES, MESSAGES):
        assembler = assembler_for(exchange)
        assembler.feed(word())
        assert not any(
            assembler.feed_text(event) for event in (None, "text", word(), RESPONSE_DELTA, TEXT_DELTA)
        )


@pytest.mark.parametrize("name", ["words", "a message", "a response"])
def test_a_long_stream_is_kept_as_its_text_alone(name):
    exchange, events, _ = STREAMS[name]
    assembler = fold(exchange, events[:-1])
    again = modelled(exchange, [word() if name == "words" else next(e for e in events if "delta" in e)])[0]
    tracemalloc.start()
    for _ in range(20_000):
        assert assembler.feed_text(again)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A character takes four bytes at most, and the buffer a quarter more than it holds.
    assert held < 20_000 * len("word ") * 5 + 4_096
