"""What the fake vendor answers: one small answer of each kind, in both forms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

CHAT_USAGE: Json = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 2,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 1,
        "rejected_prediction_tokens": 1,
    },
}
CHAT: Json = {
    "id": "chatcmpl-0123456789abcdef",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x-2026",
    "service_tier": "default",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": '{"a": 1}'}, "finish_reason": "stop"}
    ],
    "usage": CHAT_USAGE,
}
CUT_CHAT: Json = {
    **CHAT,
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": '{"a": 1}'}, "finish_reason": "length"}
    ],
}
EMBEDDING: Json = {
    "object": "list",
    "model": "embed-x",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}
AZURE_FIRST_CHUNK: Json = {
    "id": "",
    "object": "",
    "created": 0,
    "model": "",
    "choices": [],
    "prompt_filter_results": [{"prompt_index": 0}],
}
RESPONSES_USAGE: Json = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 29,
}
MESSAGE_USAGE: Json = {
    "input_tokens": 30,
    "cache_creation_input_tokens": 8,
    "cache_read_input_tokens": 6,
    "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 3},
    "output_tokens": 12,
    "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
    "service_tier": "standard",
    "inference_geo": "us",
    "speed": "standard",
}


def data_events(events: Iterable[Json | str]) -> list[bytes]:
    """OpenAI's framing: `data:` alone."""
    return [f"data: {e if isinstance(e, str) else compact(e)}\n\n".encode() for e in events]


def named_events(events: Iterable[Json]) -> list[bytes]:
    """Anthropic's and the Responses API's framing: `event:` and `data:`."""
    return [f"event: {e['type']}\ndata: {compact(e)}\n\n".encode() for e in events]


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def chat_chunks(include_usage: bool, choices: int = 1, first: Json | None = None) -> list[Json | str]:
    """A chat stream; with usage every chunk has the key, as the API does it."""
    base = {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-x-2026",
        "service_tier": "default",
        "system_fingerprint": "fp",
    }

    def chunk(index: int, delta: Json, finish_reason: str | None = None, **extra: Any) -> Json:
        return {
            **base,
            "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}],
            **extra,
        }

    chunks: list[Json] = [first] if first else []
    every = range(choices)
    chunks += [chunk(i, {"role": "assistant", "content": ""}, obfuscation="abc") for i in every]
    chunks += [chunk(i, {"content": f"tök{n} "}, obfuscation="x") for n in range(5) for i in every]
    # The last choice still speaks after the others have finished.
    chunks += [chunk(i, {}, "stop") for i in every[:-1]]
    chunks += [chunk(choices - 1, {"content": "end"}), chunk(choices - 1, {}, "stop")]
    if include_usage:
        chunks = [{**c, "usage": None} for c in chunks] + [{**base, "choices": [], "usage": CHAT_USAGE}]
    return [*chunks, "[DONE]"]


def completion_chunks(include_usage: bool) -> list[Json | str]:
    base = {"id": "cmpl-0123456789abcdef", "object": "text_completion", "created": 1, "model": "m"}
    parts = [
        {**base, "choices": [{"index": 0, "text": text, "finish_reason": reason, "logprobs": None}]}
        for text, reason in (("a", None), ("b", "stop"))
    ]
    if include_usage:
        parts = [{**p, "usage": None} for p in parts] + [{**base, "choices": [], "usage": CHAT_USAGE}]
    return [*parts, "[DONE]"]


def response(status: str = "completed", text: str = '{"a": 1}') -> Json:
    """A Responses API object."""
    done = status == "completed"
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": "resp_0123456789abcdef",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "gpt-x",
        "output": [item] if done else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSES_USAGE if done else None,
        "service_tier": "default",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1,
        "top_p": 1,
    }


def response_events() -> list[Json]:
    part = {"type": "output_text", "text": "hi", "annotations": []}
    item = {"id": "m1", "type": "message", "role": "assistant"}
    where = {"output_index": 0, "content_index": 0, "item_id": "m1"}
    events: list[Json] = [
        {"type": "response.created", "response": response("in_progress")},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **where, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **where, "delta": "hi", "logprobs": []},
        {"type": "response.output_text.done", **where, "text": "hi", "logprobs": []},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {**item, "status": "completed", "content": [part]},
        },
        {"type": "response.completed", "response": response(text="hi")},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def message(
    content: list[Json] | None = None, stop: str | None = "end_turn", usage: Mapping[str, Any] = MESSAGE_USAGE
) -> Json:
    """An Anthropic message."""
    return {
        "id": "msg_0123456789abcdef",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": '{"a": 1}'}] if content is None else content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": dict(usage),
    }


def message_events(with_tool: bool = False) -> list[Json]:
    start = {"type": "message_start", "message": message([], None, {**MESSAGE_USAGE, "output_tokens": 1})}
    if with_tool:
        block: Json = {"type": "tool_use", "id": "tu_1", "name": "add", "input": {}}
        deltas: list[Json] = [{"type": "input_json_delta", "partial_json": '{"a": 1, "b": 2}'}]
        usage: Json = {"output_tokens": 12}
    else:
        block = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": f"t{n} "} for n in range(5)]
        usage = {"output_tokens": 12, "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0}}
    stop = "tool_use" if with_tool else "end_turn"
    return [
        start,
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]


def refused_events() -> list[Json]:
    """A stream the model refuses before it says anything."""
    return [
        {"type": "message_start", "message": message([], None, {**MESSAGE_USAGE, "output_tokens": 1})},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "refusal", "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ]


TOOL_USE = message([{"type": "tool_use", "id": "tu_1", "name": "add", "input": {"a": 1, "b": 2}}], "tool_use")
REFUSED = message([], "refusal", {**MESSAGE_USAGE, "output_tokens": 0})
