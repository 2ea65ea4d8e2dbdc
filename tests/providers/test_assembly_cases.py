"""Streams folded into the answer they would have been."""

from __future__ import annotations

from anthropic.types import RawMessageDeltaEvent, RawMessageStartEvent
from openai.types.chat import ChatCompletionChunk

from payi_otel.providers.assembly import assembler_for
from payi_otel.providers.model import Exchange
from payi_otel.providers.reading import read

CHAT = Exchange(sdk="openai", surface="chat", request={"model": "m"}, is_stream=True)
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
