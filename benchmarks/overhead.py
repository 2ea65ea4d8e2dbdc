"""What instrumentation costs the caller's thread: CPU time per call and per chunk, bare against instrumented.

    python benchmarks/overhead.py

The provider is an in-process transport, delivery goes to a closed port. CPU time of the calling thread, the
smallest of several rounds, because a shared machine only ever adds to it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable

import anthropic
import httpx2
import openai

import payi_otel

ROUNDS, CALLS, CHUNKS = 9, 100, 200
USAGE = {"prompt_tokens": 20, "completion_tokens": 200, "total_tokens": 220}
CHAT = {"id": "chatcmpl-benchmark-0001", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
        "usage": USAGE}  # fmt: skip


def chunk(**fields: object) -> bytes:
    """One SSE event of a chat stream."""
    values = {"id": CHAT["id"], "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
    return b"data: " + json.dumps({**values, **fields}).encode() + b"\n\n"


def chat_stream(with_usage: bool) -> bytes:
    """A chat stream of `CHUNKS` words."""
    null = {"usage": None} if with_usage else {}
    words = [
        chunk(choices=[{"index": 0, "delta": {"content": "word "}, "finish_reason": None}], **null)
        for _ in range(CHUNKS)
    ]
    last = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], **null)
    usage = chunk(choices=[], usage=USAGE) if with_usage else b""
    return b"".join([*words, last, usage, b"data: [DONE]\n\n"])


STREAMS = {asked: chat_stream(asked) for asked in (True, False)}
MESSAGE = {"id": "msg_benchmark_000001", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
           "content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn", "stop_sequence": None,
           "usage": {"input_tokens": 20, "output_tokens": 200}}  # fmt: skip


def answer(request: httpx2.Request) -> httpx2.Response:
    """The provider."""
    if request.url.path.endswith("/messages"):
        return httpx2.Response(200, json=MESSAGE)
    body = json.loads(request.content)
    if not body.get("stream"):
        return httpx2.Response(200, json=CHAT)
    asked = bool((body.get("stream_options") or {}).get("include_usage"))
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=STREAMS[asked])


def scenarios() -> dict[str, tuple[Callable[[], object], int]]:
    """Name → (one run, what to divide its cost by)."""
    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    openai_client = openai.OpenAI(api_key="k", http_client=http)
    anthropic_client = anthropic.Anthropic(api_key="k", http_client=http)
    messages = [{"role": "user", "content": "hello"}]
    chat = {"model": "gpt-4o-mini", "messages": messages}
    return {
        "openai chat, per call": (lambda: openai_client.chat.completions.create(**chat), 1),
        "anthropic messages, per call": (
            lambda: anthropic_client.messages.create(
                model="claude-haiku-4-5", max_tokens=9, messages=messages
            ),
            1,
        ),
        "openai chat stream, per chunk": (
            lambda: list(openai_client.chat.completions.create(**chat, stream=True)),
            CHUNKS,
        ),
    }


def cost_us(run: Callable[[], object], divisor: int) -> float:
    """CPU microseconds of this thread per unit."""
    calls = max(1, CALLS // divisor)
    started = time.thread_time_ns()
    for _ in range(calls):
        run()
    return (time.thread_time_ns() - started) / 1000 / calls / divisor


def main() -> None:
    """Measure and print."""
    logging.getLogger("payi_otel").setLevel(logging.CRITICAL)
    print(f"{'':32}{'bare us':>10}{'with us':>10}{'added us':>10}")
    for name, (run, divisor) in scenarios().items():
        bare: list[float] = []
        instrumented: list[float] = []
        for _ in range(ROUNDS):
            bare.append(cost_us(run, divisor))
            payi_otel.payi_instrument(
                api_key="k", base_url="http://127.0.0.1:9", config={"exit_timeout_s": 0.1}
            )
            instrumented.append(cost_us(run, divisor))
            payi_otel.uninstrument()
        low, high = min(bare), min(instrumented)
        print(f"{name:32}{low:10.1f}{high:10.1f}{high - low:10.1f}")


if __name__ == "__main__":
    main()
