"""The fake vendor of the transparency scenarios: answers by path, bent by a few knobs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.support.vendor import Received, Reply
from tests.transparency import payloads

HEADERS = {
    "x-request-id": "req_0123456789abcdef",
    "request-id": "req_0123456789abcdef",
    "x-ratelimit-remaining-tokens": "99",
    "openai-processing-ms": "12",
}


def fast_retry(status: int) -> Reply:
    """A failure that the SDK repeats after a millisecond."""
    return Reply.json(
        {"error": {"message": "err", "type": "x"}}, status, headers={**HEADERS, "retry-after-ms": "1"}
    )


@dataclass
class Provider:
    """Knobs of the vendor; a scenario sets them, a run begins with fresh ones."""

    gzip: bool = False
    chunk_size: int | None = None
    cut_after: int | None = None
    cut: Literal["close", "reset"] = "close"
    stall_after: int | None = None
    hang: bool = False
    refuse_stream_options: bool = False
    azure_first_chunk: bool = False

    def respond(self, received: Received) -> Reply:
        """The answer to one request."""
        if self.hang:
            return Reply(hang=True)
        if self.refuse_stream_options and "stream_options" in received.json():
            text = "Unrecognized request argument supplied: stream_options"
            return Reply.json(
                {"error": {"message": text, "type": "invalid_request_error"}}, 400, headers=HEADERS
            )
        reply = _answer(received, self.azure_first_chunk)
        reply = replace(reply, headers={**HEADERS, **reply.headers})
        if self.chunk_size is not None:
            reply = reply.rechunked(self.chunk_size)
        if self.gzip:
            reply = reply.gzipped()
        return replace(reply, cut_after=self.cut_after, cut=self.cut, stall_after=self.stall_after)


def _answer(received: Received, azure_first_chunk: bool) -> Reply:
    body, path = received.json(), received.path
    streams = bool(body.get("stream"))
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    if path.endswith("/chat/completions"):
        first = payloads.AZURE_FIRST_CHUNK if azure_first_chunk else None
        chunks = payloads.chat_chunks(wants_usage, body.get("n") or 1, first)
        return Reply.sse(payloads.data_events(chunks)) if streams else Reply.json(payloads.CHAT)
    if path.endswith("/completions"):
        return Reply.sse(payloads.data_events(payloads.completion_chunks(wants_usage)))
    if path.endswith("/responses"):
        events = payloads.response_events()
        return Reply.sse(payloads.named_events(events)) if streams else Reply.json(payloads.response())
    if path.endswith("/embeddings"):
        return Reply.json(payloads.EMBEDDING)
    if path.endswith("/audio/speech"):
        return Reply(headers={"content-type": "audio/mpeg"}, body=b"abc")
    if path.endswith("/models"):
        return Reply.json({"object": "list", "data": []})
    if path.endswith("/messages"):
        return _message(body, streams)
    if path.endswith("/count_tokens"):
        return Reply.json({"input_tokens": 5})
    return Reply.json({"error": {"message": f"nothing at {path}", "type": "not_found"}}, 404)


def _message(body: dict[str, Any], streams: bool) -> Reply:
    last = body["messages"][-1]["content"]
    answered = isinstance(last, list) and any(block.get("type") == "tool_result" for block in last)
    calls_tool = bool(body.get("tools")) and not answered
    if streams:
        return Reply.sse(payloads.named_events(payloads.message_events(calls_tool)))
    return Reply.json(payloads.TOOL_USE if calls_tool else payloads.message())
