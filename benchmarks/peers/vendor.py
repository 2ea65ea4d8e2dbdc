"""The provider: an in-process transport without latency, for both SDKs."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

import httpx2

USAGE = {"prompt_tokens": 20, "completion_tokens": 200, "total_tokens": 220}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
CHAT = {
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini",
    "choices": [CHOICE],
    "usage": USAGE,
}
MESSAGE = {"type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
           "content": [{"type": "text", "text": "x"}], "stop_sequence": None,
           "usage": {"input_tokens": 20, "output_tokens": 200}}  # fmt: skip
CHUNK = {"object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
CHUNKS_HEADER = "x-benchmark-chunks"


class Vendor:
    """Answers calls, each with an id of its own, as real ones have."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """The answer to a request, sync or async."""
        self._calls += 1
        if request.url.path.endswith("/messages"):
            return httpx2.Response(200, json={**MESSAGE, "id": f"msg_{self._calls:024d}"})
        if CHUNKS_HEADER not in request.headers:
            return httpx2.Response(200, json={**CHAT, "id": f"chatcmpl-{self._calls:024d}"})
        asked = b'"include_usage"' in request.content
        body = _stream(int(request.headers[CHUNKS_HEADER]), asked)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)


@functools.cache
def _stream(chunks: int, with_usage: bool) -> bytes:
    """A chat stream of so many words, with the usage at its end where the request asked for it."""
    null: Mapping[str, Any] = {"usage": None} if with_usage else {}
    word = {"index": 0, "delta": {"content": "word "}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [_event(choices=[word], **null)] * chunks + [_event(choices=[last], **null)]
    if with_usage:
        events.append(_event(choices=[], usage=USAGE))
    return b"".join([*events, b"data: [DONE]\n\n"])


def _event(**fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "chatcmpl-stream", **CHUNK, **fields}).encode() + b"\n\n"
