"""Tool calls, text and finish reasons of the answers, whatever API they come from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from payi_otel.providers.model import FunctionCall
from payi_otel.providers.units import entries, section, text_of

_ANTHROPIC_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})


def chat_calls(body: Mapping[str, Any]) -> tuple[FunctionCall, ...]:
    """`tool_calls` and the legacy `function_call` of every choice."""
    calls: list[FunctionCall] = []
    for choice in entries(body, "choices"):
        message = section(choice, "message")
        if not message.get("tool_calls") and not message.get("function_call"):
            continue
        for call in entries(message, "tool_calls"):
            function = section(call, "function")
            custom = section(call, "custom")
            name = text_of(function, "name") or text_of(custom, "name")
            if name:
                calls.append(FunctionCall(name, text_of(function, "arguments") or text_of(custom, "input")))
        legacy = text_of(section(message, "function_call"), "name")
        if legacy:
            calls.append(FunctionCall(legacy, text_of(section(message, "function_call"), "arguments")))
    return tuple(calls)


def response_calls(body: Mapping[str, Any]) -> tuple[FunctionCall, ...]:
    """Function, custom, MCP and hosted tool calls among a response's output items."""
    calls: list[FunctionCall] = []
    for item in entries(body, "output"):
        kind = text_of(item, "type") or ""
        if kind.endswith("_call"):
            arguments = text_of(item, "arguments") or text_of(item, "input") or text_of(item, "code")
            # Hosted tools have no name of their own: "web_search_call" is a call of "web_search".
            calls.append(FunctionCall(text_of(item, "name") or kind.removesuffix("_call"), arguments))
    return tuple(calls)


def message_calls(body: Mapping[str, Any]) -> tuple[FunctionCall, ...]:
    """Client, server and MCP tool uses of an Anthropic message, at any index and with any input."""
    calls: list[FunctionCall] = []
    for block in entries(body, "content"):
        name = text_of(block, "name")
        if name and block.get("type") in _ANTHROPIC_CALLS:
            given = block.get("input")
            calls.append(FunctionCall(name, given if isinstance(given, str) else _json(given)))
    return tuple(calls)


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)


def finish_reasons(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Why the answer ended, one entry per choice."""
    reasons = [text_of(choice, "finish_reason") for choice in entries(body, "choices")]
    if not reasons:
        reasons = [text_of(body, "stop_reason") or text_of(body, "status")]
    return tuple(reason for reason in reasons if reason)


def output_text(body: Mapping[str, Any]) -> str:
    """Everything the model wrote, tool arguments and reasoning included: what an estimate counts."""
    return "".join(_texts(body))


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    for choice in entries(body, "choices"):
        yield text_of(choice, "text") or ""
        yield from _strings(
            section(choice, "message"), ("content", "refusal", "reasoning_content", "reasoning")
        )
    for item in entries(body, "output"):
        yield from _strings(item, ("arguments", "input", "code"))
        for part in (*entries(item, "content"), *entries(item, "summary")):
            yield from _strings(part, ("text", "refusal"))
    for block in entries(body, "content"):
        yield from _strings(block, ("text", "thinking"))
    for call in (*chat_calls(body), *message_calls(body)):
        yield call.name + (call.arguments or "")
    yield from _strings(body, ("text", "completion"))


def _strings(fields: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        value = fields.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            for part in cast("list[Any]", value):
                yield text_of(part, "text") or ""
