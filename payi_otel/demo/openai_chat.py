"""OpenAI's chat completions and legacy completions: whole and streamed, tools, structured answers, usage."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from payi_otel.demo.wire import Answer, Billed, Json, Memory, Request, items, mapping, new_id
from payi_otel.demo.wording import example_of, pieces, reply_to, snapshot, text_of, tokens

# OpenAI caches prompts of 1024 tokens and more, in steps of 128.
_CACHE_MINIMUM = 1024
_CACHE_STEP = 128
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_IMAGE = 85
_REASONING = ("o1", "o3", "o4", "gpt-5")


def chat_completions(request: Request, memory: Memory) -> Answer:
    """POST /chat/completions."""
    body = request.body
    choices = [_choice(body, index) for index in range(int(body.get("n") or 1))]
    usage = _usage(body, choices, memory)
    head = _head(body, "chat.completion")
    billed = Billed(head["id"], str(body.get("model")), usage)
    if body.get("stream"):
        return Answer.data_events(_stream(body, head, choices, usage, request), billed=billed)
    return Answer.json({**head, "choices": choices, "usage": usage}, billed=billed)


def completions(request: Request, memory: Memory) -> Answer:
    """POST /completions, the legacy API."""
    body = request.body
    prompts = [str(prompt) for prompt in items(body.get("prompt"))] or [str(body.get("prompt") or "")]
    texts = [reply_to(prompt, body.get("max_tokens") or 16) for prompt in prompts]
    sent = sum(tokens(prompt) for prompt in prompts)
    received = sum(tokens(text) for text, _ in texts)
    usage = {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}
    head: Json = {
        "id": new_id("cmpl-", 29),
        "object": "text_completion",
        "created": int(time.time()),
        "model": snapshot(str(body.get("model"))),
    }
    billed = Billed(head["id"], str(body.get("model")), usage)
    if not body.get("stream"):
        choices = [_completion(index, text, cut) for index, (text, cut) in enumerate(texts)]
        return Answer.json({**head, "choices": choices, "usage": usage}, billed=billed)
    asked = _asks_for_usage(body)
    events: list[Json] = [
        {**head, "choices": [_completion(index, piece, None)], **({"usage": None} if asked else {})}
        for index, (text, _) in enumerate(texts)
        for piece in pieces(text)
    ]
    if asked:
        events.append({**head, "choices": [], "usage": usage})
    return Answer.data_events(events, billed=billed)


def _completion(index: int, text: str, cut: bool | None) -> Json:
    finish = None if cut is None else "length" if cut else "stop"
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def _head(body: Json, kind: str) -> Json:
    return {
        "id": new_id("chatcmpl-", 29),
        "object": kind,
        "created": int(time.time()),
        "model": snapshot(str(body.get("model"))),
        "service_tier": _tier(body),
        "system_fingerprint": "fp_demo",
    }


def _tier(body: Json) -> str:
    asked = str(body.get("service_tier") or "auto")
    return {"auto": "default", "fast": "priority"}.get(asked, asked)


def _choice(body: Json, index: int) -> Json:
    message, finish = _message(body)
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish}


def _message(body: Json) -> tuple[Json, str]:
    messages = items(body.get("messages"))
    message: Json = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    last = mapping(messages[-1]) if messages else {}
    tools = [mapping(tool).get("function") for tool in items(body.get("tools"))]
    wants_tool = last.get("role") not in {"tool", "function"} and body.get("tool_choice") != "none"
    if wants_tool and any(tools):
        function = mapping(next(tool for tool in tools if tool))
        message["tool_calls"] = [
            {"id": new_id("call_"), "type": "function", "function": _function_call(function)}
        ]
        return message, "tool_calls"
    if wants_tool and items(body.get("functions")):
        message["function_call"] = _function_call(mapping(items(body["functions"])[0]))
        return message, "function_call"
    output = mapping(body.get("response_format"))
    if output.get("type") == "json_schema":
        message["content"] = json.dumps(example_of(mapping(output.get("json_schema")).get("schema")))
        return message, "stop"
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    message["content"], cut = reply_to(text_of(last.get("content")), limit)
    return message, "length" if cut else "stop"


def _function_call(function: Json) -> Json:
    return {"name": function.get("name"), "arguments": json.dumps(example_of(function.get("parameters")))}


def _usage(body: Json, choices: list[Json], memory: Memory) -> Json:
    messages = [mapping(message) for message in items(body.get("messages"))]
    parts = [mapping(part) for message in messages for part in items(message.get("content"))]
    prompt = "\n".join(text_of(message.get("content")) for message in messages)
    audio = sum(tokens(str(mapping(part.get("input_audio")).get("data", ""))) for part in parts)
    images = sum(part.get("type") == "image_url" for part in parts)
    tools = json.dumps(body["tools"]) if body.get("tools") else ""
    sent = tokens(prompt) + tokens(tools) + _TOKENS_PER_MESSAGE * len(messages)
    sent += audio + _TOKENS_PER_IMAGE * images
    cacheable = sent // _CACHE_STEP * _CACHE_STEP if sent >= _CACHE_MINIMUM else 0
    cached = cacheable if cacheable and memory.is_cached(f"{body.get('model')}\0{prompt}") else 0
    said = sum(tokens(_spoken(choice["message"])) for choice in choices)
    reasoning = 64 if str(body.get("model")).startswith(_REASONING) else 0
    predicted = tokens(text_of(mapping(body.get("prediction")).get("content")))
    accepted = min(predicted, said)
    received = said + reasoning + predicted - accepted
    return {
        "prompt_tokens": sent,
        "completion_tokens": received,
        "total_tokens": sent + received,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": audio},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": accepted,
            "rejected_prediction_tokens": predicted - accepted,
        },
    }


def _spoken(message: Json) -> str:
    calls = [mapping(call).get("function") for call in items(message.get("tool_calls"))]
    calls.append(message.get("function_call"))
    return str(message.get("content") or "") + "".join(json.dumps(call) for call in calls if call)


def _stream(body: Json, head: Json, choices: list[Json], usage: Json, request: Request) -> Iterator[Json]:
    head = {**head, "object": "chat.completion.chunk"}
    asked = _asks_for_usage(body)
    options = mapping(body.get("stream_options"))
    hidden = options.get("include_obfuscation", True)

    def chunk(**fields: Any) -> Json:
        return {
            **head,
            **fields,
            **({"usage": None} if asked else {}),
            **({"obfuscation": new_id("", 6)} if hidden else {}),
        }

    if request.path.startswith("/openai/"):
        yield chunk(choices=[], prompt_filter_results=[{"prompt_index": 0, "content_filter_results": {}}])
    for choice in choices:
        for delta in _deltas(choice["message"]):
            yield chunk(choices=[_delta(choice["index"], delta, None)])
    for choice in choices:
        yield chunk(choices=[_delta(choice["index"], {}, choice["finish_reason"])])
    if asked:
        yield {**chunk(choices=[]), "usage": usage}


def _asks_for_usage(body: Json) -> bool:
    return bool(mapping(body.get("stream_options")).get("include_usage"))


def _delta(index: int, delta: Json, finish: str | None) -> Json:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _deltas(message: Json) -> Iterator[Json]:
    yield {"role": "assistant", "content": "" if message["content"] else None, "refusal": None}
    for piece in pieces(str(message["content"] or "")):
        yield {"content": piece}
    for index, call in enumerate(items(message.get("tool_calls"))):
        function = {"name": call["function"]["name"], "arguments": ""}
        yield {"tool_calls": [{**call, "index": index, "function": function}]}
        for piece in pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    called = message.get("function_call")
    if called:
        yield {"function_call": called}
