"""OpenAI's Responses API: create, stream, background, retrieve, cancel, compact and the token count."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from payi_otel.demo.wire import Answer, Billed, Json, Memory, Request, items, mapping, new_id
from payi_otel.demo.wording import example_of, pieces, reply_to, snapshot, text_of, tokens

_REASONING = ("o1", "o3", "o4", "gpt-5")
_HOSTED_TOOLS = {
    "web_search": "web_search_call",
    "web_search_preview": "web_search_call",
    "file_search": "file_search_call",
}


def create(request: Request, memory: Memory) -> Answer:
    """POST /responses."""
    body = request.body
    response = _response(body, memory)
    with memory.lock:
        memory.responses[response["id"]] = response
    if body.get("background"):
        return Answer.json({**response, "status": "queued", "output": [], "usage": None})
    billed = Billed(response["id"], str(body.get("model")), response["usage"])
    if body.get("stream"):
        return Answer.named_events(stream_of(response), billed=billed)
    return Answer.json(response, billed=billed)


def retrieve(request: Request, memory: Memory) -> Answer:
    """GET /responses/{id}; `?stream=true` replays its events."""
    response = memory.responses.get(request.path.rsplit("/", 1)[-1])
    if response is None:
        return _not_found(request)
    if request.query.get("stream") == "true":
        return Answer.named_events(stream_of(response))
    return Answer.json(response)


def cancel(request: Request, memory: Memory) -> Answer:
    """POST /responses/{id}/cancel."""
    with memory.lock:
        response = memory.responses.get(request.path.split("/")[-2])
        if response is None:
            return _not_found(request)
        response.update(status="cancelled", output=[], usage=None)
    return Answer.json(response)


def compact(request: Request, memory: Memory) -> Answer:
    """POST /responses/compact."""
    usage = _usage(_input_text(request.body, memory), "A compacted conversation.", 0)
    item = {"id": new_id("cmp_"), "type": "compaction", "encrypted_content": new_id("", 64)}
    response: Json = {
        "id": new_id("resp_", 48),
        "object": "response.compaction",
        "created_at": int(time.time()),
        "output": [item],
        "usage": usage,
    }
    return Answer.json(response, billed=Billed(response["id"], str(request.body.get("model")), usage))


def input_tokens(request: Request, memory: Memory) -> Answer:
    """POST /responses/input_tokens, which is free."""
    count = tokens(_input_text(request.body, memory))
    return Answer.json({"object": "response.input_tokens", "input_tokens": count})


def stream_of(response: Json) -> Iterator[Json]:
    """The server-sent events of a finished response, numbered, in the order OpenAI sends them."""
    begun: Json = {**response, "status": "in_progress", "output": [], "usage": None}
    final = "response.incomplete" if response["status"] == "incomplete" else "response.completed"
    events: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(response["output"]):
        events += _item_events(index, item)
    events.append({"type": final, "response": response})
    for number, event in enumerate(events):
        yield {**event, "sequence_number": number}


def _item_events(index: int, item: Json) -> Iterator[Json]:
    place = {"output_index": index, "item_id": item["id"]}
    opened = {**item, "status": "in_progress"}
    if item["type"] == "message":
        opened["content"] = []
    elif item["type"] == "function_call":
        opened["arguments"] = ""
    yield {"type": "response.output_item.added", "output_index": index, "item": opened}
    if item["type"] == "message":
        part = item["content"][0]
        place["content_index"] = 0
        yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
        for piece in pieces(part["text"]):
            yield {
                "type": "response.output_text.delta",
                **place,
                "delta": piece,
                "logprobs": [],
                "obfuscation": new_id("", 6),
            }
        yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **place, "part": part}
    elif item["type"] == "function_call":
        for piece in pieces(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        yield {
            "type": "response.function_call_arguments.done",
            **place,
            "name": item["name"],
            "arguments": item["arguments"],
        }
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _response(body: Json, memory: Memory) -> Json:
    prompt = _input_text(body, memory)
    output, said, cut = _output(body, text_of(_last_input(body)))
    reasoning = 64 if str(body.get("model")).startswith(_REASONING) else 0
    searches = sum(item["type"] == "web_search_call" for item in output)
    tier = str(body.get("service_tier") or "auto")
    return {
        "id": new_id("resp_", 48),
        "object": "response",
        "created_at": int(time.time()),
        "status": "incomplete" if cut else "completed",
        "background": bool(body.get("background")),
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata") or {},
        "model": snapshot(str(body.get("model"))),
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "service_tier": {"auto": "default", "fast": "priority"}.get(tier, tier),
        "temperature": 1.0,
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": items(body.get("tools")),
        "top_p": 1.0,
        "usage": _usage(prompt, said, reasoning),
        "tool_usage": _tool_usage(searches),
    }


def _output(body: Json, question: str) -> tuple[list[Json], str, bool]:
    hosted = [
        {
            "id": new_id("ws_"),
            "type": _HOSTED_TOOLS[kind],
            "status": "completed",
            **({"queries": [question]} if kind == "file_search" else {}),
            **({} if kind == "file_search" else {"action": {"type": "search", "query": question}}),
        }
        for kind in (str(mapping(tool).get("type")) for tool in items(body.get("tools")))
        if kind in _HOSTED_TOOLS
    ]
    functions = [tool for tool in map(mapping, items(body.get("tools"))) if tool.get("type") == "function"]
    answered = mapping(_last_input(body)).get("type") == "function_call_output"
    if functions and not answered and body.get("tool_choice") != "none":
        arguments = json.dumps(example_of(functions[0].get("parameters")))
        call = {
            "id": new_id("fc_"),
            "type": "function_call",
            "status": "completed",
            "call_id": new_id("call_"),
            "name": functions[0].get("name"),
            "arguments": arguments,
        }
        return [*hosted, call], arguments, False
    shape = mapping(mapping(body.get("text")).get("format"))
    if shape.get("type") == "json_schema":
        text, cut = json.dumps(example_of(shape.get("schema"))), False
    else:
        text, cut = reply_to(question, body.get("max_output_tokens"))
    part: Json = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message: Json = {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "status": "incomplete" if cut else "completed",
        "content": [part],
    }
    return [*hosted, message], text, cut


def _last_input(body: Json) -> Any:
    sent = body.get("input")
    return items(sent)[-1] if items(sent) else sent


def _input_text(body: Json, memory: Memory) -> str:
    earlier = memory.responses.get(str(body.get("previous_response_id")), {})
    tools = json.dumps(body["tools"]) if body.get("tools") else ""
    parts = [body.get("instructions"), earlier.get("output"), body.get("input"), tools]
    return "\n".join(text_of(part) for part in parts if part)


def _usage(sent: str, said: str, reasoning: int) -> Json:
    received = tokens(said) + reasoning
    return {
        "input_tokens": tokens(sent),
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": received,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": tokens(sent) + received,
    }


def _tool_usage(searches: int) -> Json:
    details = {"image_tokens": 0, "text_tokens": 0}
    return {
        "image_gen": {
            "input_tokens": 0,
            "input_tokens_details": details,
            "output_tokens": 0,
            "output_tokens_details": details,
            "total_tokens": 0,
        },
        "web_search": {"num_requests": searches},
    }


def _not_found(request: Request) -> Answer:
    message = f"Response with id '{request.path.rsplit('/', 1)[-1]}' not found."
    error = {"message": message, "type": "invalid_request_error", "param": "response_id", "code": None}
    return Answer.json({"error": error}, status=404)
