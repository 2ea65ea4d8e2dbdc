"""Anthropic's messages: whole and streamed, tools, thinking, web search, prompt caching, token count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from payi_otel.demo.wire import Answer, Billed, Json, Memory, Request, items, mapping, new_id
from payi_otel.demo.wording import example_of, pieces, reply_to, snapshot, text_of, tokens

_CACHE_MINIMUM = 1024
_TOKENS_PER_MESSAGE = 4
_THOUGHT = "The question is short. I compare the two readings of it and choose the likelier one."


def messages(request: Request, memory: Memory) -> Answer:
    """POST /v1/messages."""
    body = _continued(request.body, memory)
    message = message_of(body, memory)
    if body.get("thread"):
        turn = {"role": "assistant", "content": message["content"]}
        with memory.lock:
            memory.conversations[message["id"]] = {
                "system": body.get("system"),
                "tools": body.get("tools"),
                "messages": [*items(body.get("messages")), turn],
            }
    billed = Billed(message["id"], str(body.get("model")), message["usage"])
    if body.get("stream"):
        return Answer.named_events(_stream(message), billed=billed)
    return Answer.json(message, billed=billed)


def count_tokens(request: Request, memory: Memory) -> Answer:
    """POST /v1/messages/count_tokens, which is free."""
    return Answer.json({"input_tokens": sum(_sent(request.body))})


def message_of(body: Json, memory: Memory) -> Json:
    """The finished message that answers a request."""
    content, stop_reason = _content(body)
    return {
        "id": new_id("msg_01", 22),
        "type": "message",
        "role": "assistant",
        "model": snapshot(str(body.get("model"))),
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": _usage(body, content, memory),
    }


def _continued(body: Json, memory: Memory) -> Json:
    """The request with what the vendor keeps of the thread that it continues: that is billed as input again."""
    earlier = memory.conversations.get(str(mapping(body.get("thread")).get("previous_message_id")))
    if earlier is None:
        return body
    return {**earlier, **body, "messages": earlier["messages"] + items(body.get("messages"))}


def _content(body: Json) -> tuple[list[Json], str]:
    content: list[Json] = []
    if mapping(body.get("thinking")).get("type") == "enabled":
        content.append({"type": "thinking", "thinking": _THOUGHT, "signature": new_id("", 64)})
    sent = items(body.get("messages"))
    last = mapping(sent[-1]).get("content") if sent else ""
    answered = any(mapping(part).get("type") == "tool_result" for part in items(last))
    tools = [mapping(tool) for tool in items(body.get("tools"))]
    if any(str(tool.get("type", "")).startswith("web_search") for tool in tools):
        content += _web_search(text_of(last))
    own = [tool for tool in tools if "input_schema" in tool]
    if own and not answered and mapping(body.get("tool_choice")).get("type") != "none":
        arguments = example_of(own[0]["input_schema"])
        content.append({"type": "text", "text": "I will look that up.", "citations": None})
        content.append(
            {"type": "tool_use", "id": new_id("toolu_01", 22), "name": own[0]["name"], "input": arguments}
        )
        return content, "tool_use"
    shape = mapping(mapping(body.get("output_config")).get("format")) or mapping(body.get("output_format"))
    if shape.get("type") == "json_schema":
        text, cut = json.dumps(example_of(shape.get("schema"))), False
    else:
        text, cut = reply_to(text_of(last), body.get("max_tokens"))
    content.append({"type": "text", "text": text, "citations": None})
    return content, "max_tokens" if cut else "end_turn"


def _web_search(query: str) -> list[Json]:
    use = new_id("srvtoolu_01", 22)
    page = {
        "type": "web_search_result",
        "url": "https://example.com/",
        "title": "Example",
        "encrypted_content": new_id("", 32),
        "page_age": None,
    }
    return [
        {"type": "server_tool_use", "id": use, "name": "web_search", "input": {"query": query}},
        {"type": "web_search_tool_result", "tool_use_id": use, "content": [page]},
    ]


def _sent(body: Json) -> tuple[int, int]:
    """The input tokens up to the last cache mark, and those after it."""
    marked, after = 0, 0
    for part in _parts(body):
        after += tokens(text_of(part)) + (_TOKENS_PER_MESSAGE if mapping(part).get("role") else 0)
        if mapping(part).get("cache_control"):
            marked, after = marked + after, 0
    tools = [mapping(tool) for tool in items(body.get("tools"))]
    return marked, after + sum(tokens(json.dumps(tool)) for tool in tools)


def _parts(body: Json) -> Iterator[Any]:
    system = body.get("system")
    yield from items(system) or ([system] if system else [])
    for message in items(body.get("messages")):
        content = mapping(message).get("content")
        yield from items(content) or [message]


def _usage(body: Json, content: list[Json], memory: Memory) -> Json:
    marked, after = _sent(body)
    if marked < _CACHE_MINIMUM:
        marked, after = 0, marked + after
    parts = [mapping(part) for part in _parts(body)]
    prefix = json.dumps([part for part in parts if part.get("cache_control")])
    hit = bool(marked) and memory.is_cached(f"{body.get('model')}\0{prefix}")
    written = 0 if hit else marked
    hour = any(mapping(part.get("cache_control")).get("ttl") == "1h" for part in parts)
    thought = sum(tokens(str(block.get("thinking", ""))) for block in content)
    said = sum(tokens(text_of(block)) for block in content if block["type"] in {"text", "tool_use"})
    searches = sum(block["type"] == "server_tool_use" for block in content)
    return {
        "input_tokens": after,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": marked - written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if hour else written,
            "ephemeral_1h_input_tokens": written if hour else 0,
        },
        "output_tokens": said + thought,
        "output_tokens_details": {"thinking_tokens": thought},
        "server_tool_use": {"web_search_requests": searches, "web_fetch_requests": 0} if searches else None,
        "service_tier": "standard",
        "inference_geo": body.get("inference_geo") or "not_available",
        "speed": body.get("speed") or "standard",
    }


def _stream(message: Json) -> Iterator[Json]:
    usage = message["usage"]
    begun: Json = {
        "content": [],
        "stop_reason": None,
        "usage": {**usage, "output_tokens": 1, "server_tool_use": None},
    }
    yield {"type": "message_start", "message": {**message, **begun}}
    for index, block in enumerate(message["content"]):
        yield from _block_events(index, block)
        if index == 0:
            yield {"type": "ping"}
    # Only the totals come at the end: tier, place and cache times are in message_start alone.
    totals = (
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
        "output_tokens_details",
        "server_tool_use",
    )
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
        "usage": {name: usage[name] for name in totals},
    }
    yield {"type": "message_stop"}


def _block_events(index: int, block: Json) -> Iterator[Json]:
    empty, deltas = _opened(block)
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _opened(block: Json) -> tuple[Json, list[Json]]:
    if block["type"] == "text":
        return {**block, "text": ""}, [
            {"type": "text_delta", "text": piece} for piece in pieces(block["text"])
        ]
    if block["type"] == "thinking":
        thought: list[Json] = [
            {"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])
        ]
        signature: Json = {"type": "signature_delta", "signature": block["signature"]}
        return {**block, "thinking": "", "signature": ""}, [*thought, signature]
    if block["type"] in {"tool_use", "server_tool_use"}:
        arguments = pieces(json.dumps(block["input"]))
        return {**block, "input": {}}, [
            {"type": "input_json_delta", "partial_json": piece} for piece in ["", *arguments]
        ]
    return block, []
