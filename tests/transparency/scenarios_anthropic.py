"""Scenarios of the synchronous Anthropic client."""

from __future__ import annotations

import gc
import inspect
import sys
import weakref
from typing import Any

import anthropic
import pydantic

from tests.support.vendor import Reply
from tests.transparency import payloads
from tests.transparency.provider import fast_retry
from tests.transparency.world import OK, World, describe, dump, http_library, raised, scenario

MESSAGE: dict[str, Any] = {
    "model": "claude-x",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hi"}],
}
# The input is exact from the first event on, what the rest would have cost is not.
PARTIAL = "provider|estimated"
EARLY = ("closed_early", PARTIAL)


class Answer(pydantic.BaseModel):
    a: int


def has_beta_method(name: str) -> bool:
    return hasattr(anthropic.Anthropic(api_key="k").beta.messages, name)


def has_middleware() -> bool:
    try:
        from anthropic.lib.middleware import BetaRefusalFallbackMiddleware  # noqa: F401
    except ImportError:
        return False
    return True


def has_eager_tools() -> bool:
    runner = getattr(anthropic.Anthropic(api_key="k").beta.messages, "tool_runner", None)
    return runner is not None and "run_tools_eagerly" in inspect.signature(runner).parameters


def read(stream: Any) -> list[Any]:
    """The events, and the exception that ended them if one did."""
    seen: list[Any] = []
    try:
        for event in stream:
            seen.append(dump(event))
    except Exception as error:
        seen.append(describe(error))
    return seen


def adding_tool() -> Any:
    @anthropic.beta_tool
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    return add


@scenario(OK)
def message(world: World) -> Any:
    return dump(world.anthropic().messages.create(**MESSAGE))


@scenario(OK)
def message_stream(world: World) -> Any:
    stream = world.anthropic().messages.create(**MESSAGE, stream=True)
    return type(stream).__qualname__, isinstance(stream, anthropic.Stream), read(stream)


@scenario(("closed_early|dropped", PARTIAL))
def message_stream_left_early_and_dropped(world: World) -> Any:
    stream = world.anthropic().messages.create(**MESSAGE, stream=True)
    first = dump(next(stream))
    del stream
    gc.collect()
    return first


@scenario(("closed_early|dropped", PARTIAL))
def message_stream_is_freed_as_promptly(world: World) -> Any:
    """anthropic 2 frees a dropped stream by reference counting alone; older versions need the collector."""
    stream = world.anthropic().messages.create(**MESSAGE, stream=True)
    next(stream)
    response = stream.response
    alive = weakref.ref(stream)
    gc.disable()
    try:
        del stream
        return alive() is None, response.is_closed
    finally:
        gc.enable()


@scenario(EARLY)
def message_stream_closed_by_context_manager(world: World) -> Any:
    with world.anthropic().messages.create(**MESSAGE, stream=True) as stream:
        first = dump(next(stream))
    return first, stream.response.is_closed


@scenario(("dropped|closed_early", "none|estimated"))
def message_stream_never_read(world: World) -> Any:
    stream = world.anthropic().messages.create(**MESSAGE, stream=True)
    kind = type(stream).__qualname__
    del stream
    gc.collect()
    return kind


@scenario(("error", PARTIAL))
def message_stream_cut_by_the_vendor(world: World) -> Any:
    world.api.cut_after = 3
    return read(world.anthropic().messages.create(**MESSAGE, stream=True))


@scenario(("error", PARTIAL))
def message_stream_with_an_error_in_it(world: World) -> Any:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    events = [*payloads.message_events()[:4], error]
    world.vendor.script = [Reply.sse(payloads.named_events(events))]
    return read(world.anthropic().messages.create(**MESSAGE, stream=True))


@scenario(OK)
def message_stream_in_three_byte_packets(world: World) -> Any:
    world.api.chunk_size = 3
    return read(world.anthropic().messages.create(**MESSAGE, stream=True))


@scenario(OK)
def message_stream_gzipped(world: World) -> Any:
    world.api.gzip = True
    return read(world.anthropic().messages.create(**MESSAGE, stream=True))


@scenario(OK)
def message_raw_response(world: World) -> Any:
    raw = world.anthropic().messages.with_raw_response.create(**MESSAGE)
    return type(raw).__qualname__, raw.headers["request-id"], dump(raw.parse())


@scenario(OK)
def message_raw_response_stream(world: World) -> Any:
    return read(world.anthropic().messages.with_raw_response.create(**MESSAGE, stream=True).parse())


@scenario(OK)
def message_streaming_response_lines(world: World) -> Any:
    world.api.chunk_size = 31
    with world.anthropic().messages.with_streaming_response.create(**MESSAGE, stream=True) as response:
        return list(response.iter_lines())


@scenario(OK)
def message_streaming_response_parse(world: World) -> Any:
    with world.anthropic().messages.with_streaming_response.create(**MESSAGE) as response:
        return dump(response.parse())


@scenario(OK)
def message_helper_text(world: World) -> Any:
    with world.anthropic().messages.stream(**MESSAGE) as stream:
        return list(stream.text_stream), dump(stream.get_final_message())


@scenario(OK)
def message_helper_until_done(world: World) -> Any:
    with world.anthropic().messages.stream(**MESSAGE) as stream:
        stream.until_done()
        return dump(stream.current_message_snapshot)


@scenario(EARLY)
def message_helper_left_early(world: World) -> Any:
    with world.anthropic().messages.stream(**MESSAGE) as stream:
        return next(iter(stream)).type


@scenario(("closed_early", "none|estimated"))
def message_helper_closed_at_once(world: World) -> Any:
    with world.anthropic().messages.stream(**MESSAGE) as stream:
        stream.close()
        return stream.response.is_closed


@scenario(OK, OK)
def beta_messages(world: World) -> Any:
    client = world.anthropic()
    with client.beta.messages.stream(**MESSAGE) as stream:
        kinds = [event.type for event in stream]
    return kinds, dump(client.beta.messages.create(**MESSAGE))


@scenario(OK, needs=lambda: hasattr(anthropic.Anthropic(api_key="k").messages, "parse"))
def message_parse(world: World) -> Any:
    return repr(world.anthropic().messages.parse(**MESSAGE, output_format=Answer).parsed_output)


@scenario(OK, OK, needs=lambda: has_beta_method("tool_runner"))
def tool_runner(world: World) -> Any:
    runner = world.anthropic().beta.messages.tool_runner(**MESSAGE, tools=[adding_tool()])
    return [dump(answer) for answer in runner]


@scenario(OK, OK, needs=lambda: has_beta_method("tool_runner"))
def tool_runner_streaming(world: World) -> Any:
    messages = world.anthropic().beta.messages
    runner = messages.tool_runner(**MESSAGE, tools=[adding_tool()], stream=True)
    return [[event.type for event in stream] for stream in runner]


@scenario(OK, OK, needs=has_eager_tools)
def tool_runner_streaming_eagerly(world: World) -> Any:
    messages = world.anthropic().beta.messages
    runner = messages.tool_runner(**MESSAGE, tools=[adding_tool()], stream=True, run_tools_eagerly=True)
    return [[event.type for event in stream] for stream in runner]


@scenario(OK, needs=lambda: has_beta_method("thread"))
def thread(world: World) -> Any:
    thread = world.anthropic().beta.messages.thread(model="claude-x", max_tokens=10)
    return dump(thread.send({"role": "user", "content": "hi"}))


def falling_back(world: World) -> Any:
    from anthropic.lib.middleware import BetaRefusalFallbackMiddleware

    return world.anthropic(middleware=[BetaRefusalFallbackMiddleware([{"model": "claude-fb"}])])


@scenario(OK, OK, needs=has_middleware)
def refusal_fallback_bills_both_hops(world: World) -> Any:
    world.vendor.script = [Reply.json(payloads.REFUSED)]
    return dump(falling_back(world).beta.messages.create(**MESSAGE))


@scenario(OK, needs=has_middleware)
def refusal_fallback_stream_not_needed(world: World) -> Any:
    return read(falling_back(world).beta.messages.create(**MESSAGE, stream=True))


@scenario(OK, OK, needs=has_middleware)
def refusal_fallback_stream_bills_both_hops(world: World) -> Any:
    world.vendor.script = [Reply.sse(payloads.named_events(payloads.refused_events()))]
    return read(falling_back(world).beta.messages.create(**MESSAGE, stream=True))


@scenario(OK)
def message_with_options(world: World) -> Any:
    return dump(world.anthropic().with_options(max_retries=1).messages.create(**MESSAGE))


@scenario(OK)
def message_retried_after_529(world: World) -> Any:
    world.vendor.script = [fast_retry(529)]
    raw = world.anthropic().messages.with_raw_response.create(**MESSAGE)
    return dump(raw.parse()), raw.retries_taken


@scenario(("error", "none"))
def message_error_400(world: World) -> Any:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "bad"}}
    world.vendor.script = [Reply.json(error, 400, {"request-id": "req_0123456789abcdef"})]
    return raised(lambda: world.anthropic().messages.create(**MESSAGE))


@scenario(("error", "none"))
def message_timeout(world: World) -> Any:
    world.api.hang = True
    client = world.anthropic(max_retries=0, timeout=0.05)
    return raised(lambda: client.messages.create(**MESSAGE))


@scenario()
def count_tokens(world: World) -> Any:
    return dump(world.anthropic().messages.count_tokens(model="m", messages=MESSAGE["messages"]))


@scenario(OK)
def deprecated_model_warns_at_the_caller(world: World) -> Any:
    module = sys.modules[anthropic.resources.messages.Messages.__module__]
    model = next(iter(module.DEPRECATED_MODELS))
    return dump(world.anthropic().messages.create(**{**MESSAGE, "model": model}))


@scenario(OK)
def message_undocumented_post(world: World) -> Any:
    library = http_library(anthropic)
    return world.anthropic().post("/v1/messages", cast_to=library.Response, body=MESSAGE).json()


@scenario(OK)
def message_default_http_client(world: World) -> Any:
    with anthropic.Anthropic(api_key="k", base_url=world.vendor.url) as client:
        return dump(client.messages.create(**MESSAGE))
