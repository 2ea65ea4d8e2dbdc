"""An instrumented process between a vendor and Pay-i, both on loopback."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

import payi_otel
from tests.support.ingest_sink import running_sink
from tests.support.vendor import Received, Reply, Vendor, running_vendor

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
HEADERS = {"x-request-id": "req_0123456789abcdef", "request-id": "req_0123456789abcdef"}


class World:
    """The vendor, the sink, and the clients between them."""

    def __init__(self, vendor: Vendor, sink: Any) -> None:
        self.vendor = vendor
        self.sink = sink

    @property
    def openai_url(self) -> str:
        return f"{self.vendor.url}/v1"

    def events(self) -> list[dict[str, Any]]:
        """Every event so far, as the Ingest API got it."""
        gc.collect()
        assert payi_otel.force_flush(timeout_s=20)
        return list(self.sink.events.values())

    def event(self) -> dict[str, Any]:
        """The only event."""
        (event,) = self.events()
        return event


@pytest.fixture
def world(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[..., Any], None, None]:
    """`with world(respond, **payi_instrument_arguments) as w: ...`"""
    monkeypatch.setenv("PAYI_OUTBOX_DIR", str(tmp_path))

    @contextmanager
    def make(respond: Callable[[Received], Reply], **arguments: Any) -> Generator[World, None, None]:
        with running_sink() as sink, running_vendor(respond) as vendor:
            payi_otel.payi_instrument(api_key="k", base_url=sink.url, **arguments)
            try:
                yield World(vendor, sink)
            finally:
                payi_otel.uninstrument()

    yield make
    payi_otel.uninstrument()


def chat(content: str | None = "hello", usage: Any = USAGE, **message: Any) -> dict[str, Any]:
    """A chat completion."""
    body = {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": "stop",
            }
        ],
    }
    return body if usage is ... else {**body, "usage": usage}


def chat_events(received: Received, words: int = 4, with_usage: bool = True) -> list[bytes]:
    """The SSE events of a chat stream, with usage where it was asked for."""
    asked = with_usage and bool((received.json().get("stream_options") or {}).get("include_usage"))
    base = {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-mini",
    }
    null = {"usage": None} if asked else {}
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": f"word{number} "}, None) for number in range(words)]
    deltas += [({}, "stop")]
    chunks: list[Any] = [
        {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **null}
        for delta, finish in deltas
    ]
    if asked:
        chunks.append({**base, "choices": [], "usage": USAGE})
    lines = [json.dumps(chunk) for chunk in chunks] + ["[DONE]"]
    return [f"data: {line}\n\n".encode() for line in lines]


def message(content: list[dict[str, Any]] | None = None, **usage: Any) -> dict[str, Any]:
    """An Anthropic message."""
    return {
        "id": "msg_0123456789abcdef",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": content if content is not None else [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 30, "output_tokens": 12, **usage},
    }


def message_events(content: list[dict[str, Any]] | None = None) -> list[bytes]:
    """The SSE events of an Anthropic stream of text."""
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message([]), "stop_reason": None,
                                              "usage": {"input_tokens": 30, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"w{n} "}}
            for n in range(4)
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 12}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
