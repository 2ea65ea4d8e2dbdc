"""Scenarios beside the plain call: native spans, threads, copies, lifetimes."""

from __future__ import annotations

import copy
import gc
import inspect
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.transparency.scenarios_anthropic import MESSAGE
from tests.transparency.scenarios_openai import CHAT
from tests.transparency.scenarios_openai_streams import read
from tests.transparency.world import OK, World, dump, raised, scenario


def traces_itself() -> bool:
    return "open_telemetry" in inspect.signature(anthropic.Anthropic).parameters


@scenario(OK, OK, OK, ("closed_early", "provider|estimated"), ("error", "none"), needs=traces_itself)
def native_spans_of_anthropic(world: World) -> Any:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    client = world.anthropic(open_telemetry={"tracer_provider": provider}, max_retries=0)
    client.messages.create(**MESSAGE)
    list(client.messages.create(**MESSAGE, stream=True))
    with client.messages.stream(**MESSAGE) as stream:
        stream.get_final_message()
    with client.messages.stream(**MESSAGE) as stream:
        next(iter(stream))
    lost = world.anthropic(
        open_telemetry={"tracer_provider": provider}, base_url="http://127.0.0.1:9", max_retries=0
    )
    raised(lambda: lost.messages.create(**MESSAGE))
    port = str(world.vendor.url.rpartition(":")[2])
    return [
        (
            span.name,
            span.kind.name,
            span.instrumentation_scope and span.instrumentation_scope.name,
            span.status.status_code.name,
            {
                name: "measured" if name.endswith("time_to_first_chunk") else str(value).replace(port, "PORT")
                for name, value in (span.attributes or {}).items()
            },
            [event.name for event in span.events],
        )
        for span in exporter.get_finished_spans()
    ]


@scenario(*[OK] * 8)
def streams_in_threads(world: World) -> Any:
    client = world.openai()

    def one(_: int) -> Any:
        return read(client.chat.completions.create(**CHAT, stream=True))

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, range(8)))


@scenario(OK)
def stream_finished_by_another_thread(world: World) -> Any:
    stream = world.openai().chat.completions.create(**CHAT, stream=True)
    seen = [dump(next(stream))]
    thread = threading.Thread(target=lambda: seen.extend(read(stream)))
    thread.start()
    thread.join()
    return seen


@scenario(OK)
def answer_copied_and_compared(world: World) -> Any:
    answer = world.openai().chat.completions.create(**CHAT)
    return copy.deepcopy(answer) == answer, sorted(vars(answer)), answer.to_json()


@scenario(OK)
def client_is_freed(world: World) -> Any:
    client = world.openai()
    client.chat.completions.create(**CHAT)
    alive = weakref.ref(client)
    del client
    gc.collect()
    return alive() is None


@scenario(OK)
def methods_look_the_same(world: World) -> Any:
    client = world.openai()
    client.chat.completions.create(**CHAT)
    looked_at = [
        client.request,
        client.post,
        client._process_response,
        client.chat.completions.create,
        world.async_openai().request,
        openai.Stream.__stream__,
        openai.AsyncStream.__stream__,
        world.anthropic().request,
        world.async_anthropic().request,
        anthropic.Stream.__stream__,
    ]
    return [
        (m.__name__, m.__qualname__, m.__doc__, str(inspect.signature(m)), inspect.iscoroutinefunction(m))
        for m in looked_at
    ]


@scenario(OK)
def subclass_that_overrides_request(world: World) -> Any:
    asked: list[str] = []

    class Watched(openai.OpenAI):
        def request(self, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
            asked.append(options.url)
            return super().request(cast_to, options, *args, **kwargs)

    client = Watched(**world.connection(openai, "Client", "/v1"))
    return dump(client.chat.completions.create(**CHAT)), asked
