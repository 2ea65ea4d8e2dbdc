"""What a call costs its caller, in operations of ours: counted, because a shared machine's clock proves nothing.

An operation is a call of a Python or C function made by our code. The bounds are a few percent above what it is.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider

import payi_otel
from payi_otel.delivery.intake import Intake
from payi_otel.delivery.turns import Turns
from tests.capture.conftest import HEADERS, chat
from tests.transparency.world import http_library

_OURS = str(Path(payi_otel.__file__).parent)
ANSWER = {
    "id": "msg_0123456789abcdef",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 11, "output_tokens": 7},
}
CHUNK = (
    b'data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini",'
    b'"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)
# By whether the application has a tracer: then the answer is read, and the span written, before the call returns.
BOUNDS = {
    (False, "chat"): 84,
    (False, "message"): 91,
    (True, "chat"): 192,
    (True, "message"): 215,
}
# The caller's messages among them, and with a tracer OpenTelemetry's span.
OBJECTS_HELD = {False: 5, True: 12}
# The shell around the stream, the reading of the chunk, its text kept, and the usage it is to forget.
CHUNK_BOUND = 4


def operations(run: Callable[[], object]) -> int:
    """How many functions our code calls on this thread while `run` runs, itself included.

    The fewest of some times: what our threads count meanwhile, this one may add up.
    """
    return min(_operations(run) for _ in range(3))


def _operations(run: Callable[[], object]) -> int:
    count = 0

    def profile(frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        if event in {"call", "c_call"} and frame.f_code.co_filename.startswith(_OURS):
            count += 1

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


class Clients:
    """Clients of both SDKs whose vendor answers in the process, at once."""

    def __init__(self, *, spans: bool) -> None:
        self.spans = spans
        library = http_library(openai)
        other = http_library(anthropic)
        transport = library.MockTransport(lambda request: self._answer(library, request))
        self.openai = openai.OpenAI(api_key="k", http_client=library.Client(transport=transport))
        self.async_openai = openai.AsyncOpenAI(
            api_key="k", http_client=library.AsyncClient(transport=transport)
        )
        self.anthropic = anthropic.Anthropic(
            api_key="k",
            http_client=other.Client(
                transport=other.MockTransport(lambda _: other.Response(200, json=ANSWER, headers=HEADERS))
            ),
        )
        self.chunks = 1

    def _answer(self, library: Any, request: Any) -> Any:
        if b'"stream":true' not in request.content.replace(b" ", b""):
            return library.Response(200, json=chat(), headers=HEADERS)
        content = CHUNK * self.chunks + b"data: [DONE]\n\n"
        return library.Response(200, content=content, headers={"content-type": "text/event-stream"})

    def chat(self, prompt: str = "hello") -> None:
        self.openai.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": prompt}]
        )

    def message(self, prompt: str = "hello") -> None:
        self.anthropic.messages.create(
            model="claude-haiku-4-5", max_tokens=9, messages=[{"role": "user", "content": prompt}]
        )

    def stream(self, chunks: int) -> None:
        self.chunks = chunks
        for _ in self.openai.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}], stream=True
        ):
            pass

    def async_stream(self, chunks: int) -> None:
        self.chunks = chunks

        async def run() -> None:
            async for _ in await self.async_openai.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}], stream=True
            ):
                pass

        asyncio.run(run())


@pytest.fixture(params=[False, True], ids=["events alone", "spans as well"])
def clients(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Clients, None, None]:
    """Warm, with the delivery threads running and Pay-i out of reach."""
    monkeypatch.setenv("PAYI_OUTBOX_DIR", str(tmp_path))
    # How often a thread of ours is late depends on the machine.
    monkeypatch.setattr(Turns, "give", lambda _: None)
    payi_otel.payi_instrument(
        api_key="k",
        base_url="http://127.0.0.1:9",
        tracer_provider=TracerProvider() if request.param else None,
        config={"exit_timeout_s": 0.1},
    )
    made = Clients(spans=request.param)
    for run in (made.chat, made.message, lambda: made.stream(2), lambda: made.async_stream(2)):
        run()
        run()
    yield made
    payi_otel.uninstrument()


@pytest.mark.parametrize("call", ["chat", "message"])
def test_a_call_costs_a_bounded_number_of_operations(clients: Clients, call: str) -> None:
    assert operations(getattr(clients, call)) <= BOUNDS[clients.spans, call]


@pytest.mark.parametrize("call", ["chat", "message"])
def test_a_call_that_waits_holds_few_objects(
    clients: Clients, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the garbage collector walks through: a request and a response of the HTTP library are thirty each."""
    monkeypatch.setattr(Intake, "_take", lambda *_: time.sleep(0.02))
    run = getattr(clients, call)
    run()
    # The fewest of some times: what our other thread does meanwhile, such as an import, is no part of the calls.
    assert min(_objects_held(run) for _ in range(3)) <= OBJECTS_HELD[clients.spans] + 0.5


def _objects_held(run: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    before = len(gc.get_objects())
    for _ in range(100):
        run()
    gc.enable()
    # What older SDKs tie into cycles is not held by us.
    gc.collect()
    return (len(gc.get_objects()) - before) / 100


@pytest.mark.parametrize("call", ["chat", "message"])
def test_the_prompt_costs_nothing(clients: Clients, call: str) -> None:
    run = getattr(clients, call)
    assert operations(lambda: run("x" * 1_000_000)) == operations(lambda: run("x"))


def test_a_scope_is_paid_when_it_opens(clients: Clients) -> None:
    def nested(depth: int) -> int:
        if not depth:
            return operations(clients.chat)
        with payi_otel.track_context(use_case_name=f"case_{depth}", use_case_properties={"depth": depth}):
            return nested(depth - 1)

    assert nested(50) == nested(1)


@pytest.mark.parametrize("stream", ["stream", "async_stream"])
def test_a_chunk_costs_a_bounded_number_of_operations(clients: Clients, stream: str) -> None:
    run = getattr(clients, stream)
    few, some, many = (operations(lambda count=count: run(count)) for count in (10, 1_010, 10_010))
    assert some - few <= 1_000 * CHUNK_BOUND
    assert many - some == 9 * (some - few)
