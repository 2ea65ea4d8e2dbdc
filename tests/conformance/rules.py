"""What one recorded interaction must become, read straight off the recorded text.

Written from the vendors' documentation and Pay-i's unit table, on purpose without anything of
`payi_otel.providers` and in another manner: the recording is flattened into `dotted.path = value` pairs,
and each rule looks pairs up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

Pairs = list[tuple[str, Any]]
UnitCounts = dict[str, tuple[int, int]]

BILLED = re.compile(
    r"/(chat/completions|completions|responses|responses/compact|embeddings|images/generations|v1/messages|v1/complete)$"
)
RETRIEVED = re.compile(r"/responses/resp_\w+$")


@dataclass(frozen=True)
class ExpectedEvent:
    """One event. `units` None: not known exactly, must be estimated. `event_id` None: one of our own."""

    category: str
    resource: str
    event_id: str | None
    status: int
    units: UnitCounts | None
    failed: bool = False
    tools: tuple[tuple[str, str | None], ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict[str, str])
    has_text: bool = True
    any_id: bool = False
    any_usage: bool = False


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """`{"a": [{"b": 1}]}` → `("a.0.b", 1)`; empty containers and nulls vanish."""
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        if value is not None:
            yield path, value
        return
    for key, item in items:
        yield from flatten(item, f"{path}.{key}" if path else str(key))


def documents(interaction: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The JSON objects of a response: the body itself, or each `data:` of its stream."""
    text = interaction.get("response_body") or ""
    if not interaction["is_stream"]:
        found = re.match(r"\s*[{\[]", text)
        return [json.loads(text)] if found else []
    data = re.findall(r"^data: ?(\{.*\})\s*$", text, flags=re.M)
    return [json.loads(item) for item in data]


def expected_events(interaction: Mapping[str, Any], reported: set[str]) -> list[ExpectedEvent]:
    """The events of one interaction; `reported` holds the ids of answers that already made theirs."""
    path = urlsplit(interaction["url"]).path
    method = interaction["method"]
    if not (method == "POST" and BILLED.search(path)) and not (method == "GET" and RETRIEVED.search(path)):
        return []
    docs = documents(interaction)
    request = interaction.get("request_body") or {}
    first = _first_event(interaction, path, request, docs)
    if interaction["status"] >= 400:
        return [first]
    final = _final_documents(docs)
    if any(doc.get("status") in {"queued", "in_progress"} for doc in final[-1:]):
        return []
    if first.event_id is not None and first.event_id in reported and RETRIEVED.search(path):
        return []
    if first.event_id is not None:
        reported.add(first.event_id)
    return [first, *_extra_events(first, docs)]


def _first_event(
    interaction: Mapping[str, Any], path: str, request: Mapping[str, Any], docs: list[dict[str, Any]]
) -> ExpectedEvent:
    is_anthropic = bool(re.search(r"/v1/(messages|complete)$", path))
    pairs = [pair for doc in docs for pair in flatten(doc)]
    event = ExpectedEvent(
        category="system.anthropic"
        if is_anthropic
        else "system.azureopenai"
        if "/deployments/" in path
        else "system.openai",
        resource=request.get("model")
        or interaction["response_headers"].get("x-ms-deployment-name")
        or _first(pairs, r"(^|\.)model")
        or "system.unknown_model",
        event_id=None,
        status=interaction["status"],
        units={},
    )
    if event.status >= 400:
        headers = interaction["response_headers"]
        request_id = next(
            (headers[name] for name in ("x-request-id", "request-id", "apim-request-id") if name in headers),
            None,
        )
        return replace(event, event_id=_usable(request_id), failed=True)
    inner = [doc for doc in docs if doc.get("error")]
    if inner and not interaction["is_stream"] and not inner[0].get("id"):
        return replace(event, status=inner[0]["error"].get("status", 200), failed=True, any_id=True)
    event = replace(event, event_id=_usable(_first(pairs, r"(response\.|message\.)?id")))
    usage = _usage(pairs)
    if is_anthropic:
        units, tools = _anthropic_units(usage), _anthropic_tools(docs)
    elif "/responses" in path:
        units, tools = _responses_units(usage, request, docs), _responses_tools(docs)
    elif path.endswith("/images/generations"):
        units, tools = _image_units(request, docs), ()
    else:
        units, tools = _chat_units(usage, request), _chat_tools(docs)
    return replace(
        event,
        units=units,
        tools=tools,
        properties=_properties(pairs, usage),
        has_text=bool(_generated_text(pairs)),
        failed=bool(inner),
        any_usage=bool(inner),
        status=299 if inner else event.status,
    )


def _usable(identity: Any) -> str | None:
    """Short ids are counters of small servers, not identities."""
    return identity if isinstance(identity, str) and len(identity) >= 16 else None


def _first(pairs: Pairs, pattern: str) -> Any:
    return next((value for path, value in pairs if re.fullmatch(pattern, path) and value != ""), None)


def _generated_text(pairs: Pairs) -> str:
    wanted = re.compile(
        r"(.*\.)?(content|text|delta|arguments|completion|partial_json|thinking|name|reasoning(_content)?)"
    )
    return "".join(str(value) for path, value in pairs if wanted.fullmatch(path))


def _usage(pairs: Pairs) -> dict[str, Any]:
    """`dotted.counter → value` below the answer's usage; in a stream the last value of each counter holds."""
    usage: dict[str, Any] = {}
    for path, value in pairs:
        found = re.fullmatch(r"(?:response\.|message\.|x_groq\.)?usage\.(.+)", path)
        if found:
            usage[found[1]] = value
    return usage


def _count(usage: Mapping[str, Any], *names: str) -> int:
    for name in names:
        if isinstance(usage.get(name), int):
            return usage[name]
    return 0


def _plain(units: Mapping[str, tuple[int, int]]) -> UnitCounts:
    return {name: (max(sent, 0), max(got, 0)) for name, (sent, got) in units.items() if max(sent, got) > 0}


def _chat_units(usage: Mapping[str, Any], request: Mapping[str, Any]) -> UnitCounts | None:
    if not any(name.endswith("tokens") for name in usage):
        return None
    sent = _count(usage, "prompt_tokens", "total_tokens")
    got = _count(usage, "completion_tokens")
    inside, outside = "prompt_tokens_details.", "completion_tokens_details."
    read = _count(usage, inside + "cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens")
    # Parts of an inclusive total; a gateway was recorded that counts the same tokens as read and as written.
    written = min(_count(usage, inside + "cache_write_tokens"), max(sent - read, 0))
    heard, seen = _count(usage, inside + "audio_tokens"), _count(usage, inside + "image_tokens")
    thought, spoken = _count(usage, outside + "reasoning_tokens"), _count(usage, outside + "audio_tokens")
    drawn = _count(usage, outside + "image_tokens")
    return _plain(
        {
            "text": (sent - read - written - heard - seen, got - thought - spoken - drawn),
            "text_cache_read": (read, 0),
            _write_unit(request): (written, 0),
            "audio": (heard, spoken),
            "vision": (seen, 0),
            "image": (0, drawn),
            "reasoning": (0, thought),
        }
    )


def _write_unit(request: Mapping[str, Any]) -> str:
    ttl = (request.get("prompt_cache_options") or {}).get("ttl", "30m")
    return f"text_cache_write_{ttl}" if ttl in {"30m", "12h"} else "text_cache_write"


def _responses_units(
    usage: Mapping[str, Any], request: Mapping[str, Any], docs: list[dict[str, Any]]
) -> UnitCounts | None:
    if not usage:
        return None
    inside = "input_tokens_details."
    read, written = _count(usage, inside + "cached_tokens"), _count(usage, inside + "cache_write_tokens")
    thought = _count(usage, "output_tokens_details.reasoning_tokens")
    final = _final_documents(docs)[-1]
    done = [
        f"{item['type']}/{(item.get('action') or {}).get('type', '')}"
        if item["type"] == "web_search_call"
        else item["type"]
        for item in final.get("output", ())
    ]
    # Code interpreter is sold by the container, however many calls run in it.
    containers = {item["container_id"] for item in final.get("output", ()) if "container_id" in item}
    told = ((final.get("tool_usage") or {}).get("web_search") or {}).get("num_requests")
    containers = {
        item.get("container_id") for item in final.get("output", ()) if "code_interp" in item["type"]
    }
    return _plain(
        {
            "text": (
                _count(usage, "input_tokens") - read - written,
                _count(usage, "output_tokens") - thought,
            ),
            "text_cache_read": (read, 0),
            _write_unit(request): (written, 0),
            "reasoning": (0, thought),
            "web_search_request": (0, done.count("web_search_call/search") if told is None else told),
            "file_search_request": (0, done.count("file_search_call")),
            "code_interpreter_request": (0, len(containers)),
        }
    )


def _image_units(request: Mapping[str, Any], docs: list[dict[str, Any]]) -> UnitCounts:
    quality, size = request.get("quality", "standard"), request.get("size", "1024x1024")
    return {f"image.{quality}.{size}": (0, len(docs[0]["data"]))}


def _anthropic_units(usage: Mapping[str, Any]) -> UnitCounts | None:
    if not usage:
        return None
    hour = _count(usage, "cache_creation.ephemeral_1h_input_tokens")
    short = _count(usage, "cache_creation.ephemeral_5m_input_tokens")
    total = _count(usage, "cache_creation_input_tokens")
    read = _count(usage, "cache_read_input_tokens")
    return _plain(
        {
            "text": (_count(usage, "input_tokens"), _count(usage, "output_tokens")),
            "text_cache_read": (read, 0),
            "text_cache_write": (short if short + hour else total, 0),
            "text_cache_write_1h": (hour, 0),
            "web_search_request": (0, _count(usage, "server_tool_use.web_search_requests")),
        }
    )


def _extra_events(first: ExpectedEvent, docs: list[dict[str, Any]]) -> list[ExpectedEvent]:
    """Passes of an advisor or a compaction: billed, with their own model, in no total."""
    found: dict[int, dict[str, Any]] = {}
    for path, value in (pair for doc in docs for pair in flatten(doc)):
        match = re.fullmatch(r"(?:message\.)?usage\.iterations\.(\d+)\.(.+)", path)
        if match:
            found.setdefault(int(match[1]), {})[match[2]] = value
    return [
        replace(
            first,
            event_id=f"{first.event_id}#iteration-{index}",
            resource=counts.get("model") or first.resource,
            units=_anthropic_units(counts),
            tools=(),
            properties={},
        )
        for index, counts in sorted(found.items())
        if counts["type"] in {"compaction", "advisor_message"}
    ]


def _properties(pairs: Pairs, usage: Mapping[str, Any]) -> dict[str, str]:
    properties: dict[str, str] = {}
    tiers = [value for path, value in pairs if re.fullmatch(r"(response\.)?service_tier", path)]
    tier = tiers[-1] if tiers else usage.get("service_tier")
    if tier:
        properties["system.service_tier"] = tier
    for counter, name in (
        ("output_tokens_details.thinking_tokens", "system.thinking_tokens"),
        ("completion_tokens_details.accepted_prediction_tokens", "system.accepted_prediction_tokens"),
        ("completion_tokens_details.rejected_prediction_tokens", "system.rejected_prediction_tokens"),
        ("prompt_tokens_details.video_tokens", "system.unknown_usage.prompt_tokens_details.video_tokens"),
    ):
        if _count(usage, counter):
            properties[name] = str(usage[counter])
    return properties


def _final_documents(docs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [doc["response"] for doc in docs if isinstance(doc.get("response"), dict)] or docs


def _responses_tools(docs: list[dict[str, Any]]) -> tuple[tuple[str, str | None], ...]:
    tools: list[tuple[str, str | None]] = []
    for item in _final_documents(docs)[-1].get("output", ()):
        kind = item["type"]
        if kind in {"function_call", "custom_tool_call", "mcp_call"}:
            tools.append((item["name"], item.get("arguments", item.get("input"))))
        elif kind.endswith("_call"):
            tools.append((kind.removesuffix("_call"), None))
    return tuple(tools)


def _chat_tools(docs: list[dict[str, Any]]) -> tuple[tuple[str, str | None], ...]:
    """Tool calls by (choice, index); a stream spells each out piece by piece."""
    names: dict[tuple[Any, Any], str] = {}
    arguments: dict[tuple[Any, Any], str] = {}
    for doc in docs:
        for choice in doc.get("choices") or ():
            told = choice.get("message") or choice.get("delta") or {}
            calls = [
                (call.get("index", place), call) for place, call in enumerate(told.get("tool_calls") or ())
            ]
            legacy = told.get("function_call")
            for index, call in [*calls, *([("legacy", {"function": legacy})] if legacy else [])]:
                key = (choice.get("index", 0), index)
                function = call.get("function") or {}
                if key not in names or function.get("name"):
                    names[key] = function.get("name") or names.get(key, "")
                arguments[key] = arguments.get(key, "") + (function.get("arguments") or "")
    # Some servers send an empty call beside a plain answer.
    return tuple((names[key], arguments[key]) for key in names if names[key])


def _anthropic_tools(docs: list[dict[str, Any]]) -> tuple[tuple[str, str | None], ...]:
    called = re.compile(r"(server_|mcp_)?tool_use")
    blocks: dict[Any, list[str]] = {}
    for doc in docs:
        if doc.get("type") == "message":
            for place, block in enumerate(doc["content"]):
                if called.fullmatch(block["type"]):
                    blocks[place] = [block["name"], json.dumps(block.get("input") or {})]
        block = doc.get("content_block") or {}
        if called.fullmatch(block.get("type", "")):
            blocks[doc["index"]] = [
                block["name"],
                "" if not block.get("input") else json.dumps(block["input"]),
            ]
        if doc.get("type") == "content_block_delta" and doc["index"] in blocks:
            blocks[doc["index"]][1] += doc["delta"].get("partial_json", "")
    return tuple((name, text or "{}") for name, text in blocks.values())
