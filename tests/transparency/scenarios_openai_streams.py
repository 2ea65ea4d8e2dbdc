"""Scenarios of the synchronous OpenAI client that stream: every way to read one, and every end."""

from __future__ import annotations

import gc
import itertools
from typing import Any

import openai

from tests.support.vendor import Reply
from tests.transparency import payloads
from tests.transparency.scenarios_openai import CHAT, ESTIMATED_EARLY, completions_with_helpers
from tests.transparency.world import OK, World, describe, dump, scenario

ABANDONED = ("closed_early|dropped", "estimated")


def read(stream: Any) -> list[Any]:
    """The chunks, and the exception that ended them if one did."""
    seen: list[Any] = []
    try:
        for chunk in stream:
            seen.append(dump(chunk))
    except Exception as error:
        seen.append(describe(error))
    return seen


def start(world: World, **options: Any) -> Any:
    return world.openai().chat.completions.create(**CHAT, stream=True, **options)


@scenario(OK)
def stream(world: World) -> Any:
    stream = start(world)
    return (
        type(stream).__qualname__,
        isinstance(stream, openai.Stream),
        read(stream),
        stream.response.status_code,
    )


@scenario(OK)
def stream_with_usage_asked_for(world: World) -> Any:
    return read(start(world, stream_options={"include_usage": True}))


@scenario(("ok", "estimated"))
def stream_with_usage_declined(world: World) -> Any:
    return read(start(world, stream_options={"include_usage": False}))


@scenario(OK)
def stream_with_other_stream_options(world: World) -> Any:
    return read(start(world, stream_options={"include_obfuscation": False}))


@scenario(OK)
def stream_with_usage_in_extra_body(world: World) -> Any:
    return read(start(world, extra_body={"stream_options": {"include_usage": True}}))


@scenario(OK)
def stream_by_next(world: World) -> Any:
    stream = start(world)
    seen = [dump(next(stream)) for _ in range(8)]
    return seen, next(stream, "the end"), next(stream, "still the end")


@scenario(OK)
def stream_of_two_choices(world: World) -> Any:
    return read(start(world, n=2))


@scenario(("ok|closed_early", "provider"))
def stream_of_two_choices_left_at_the_last_finish(world: World) -> Any:
    seen: list[Any] = []
    finished = 0
    for chunk in start(world, n=2):
        seen.append(dump(chunk))
        finished += chunk.choices[0].finish_reason is not None
        if finished == 2:
            break
    return seen


@scenario(("ok|closed_early", "provider"))
def stream_left_at_finish_reason(world: World) -> Any:
    stream, seen = start(world), list[Any]()
    for chunk in stream:
        seen.append(dump(chunk))
        if chunk.choices[0].finish_reason:
            break
    stream.close()
    return seen


@scenario(ABANDONED)
def stream_left_early_and_dropped(world: World) -> Any:
    stream = start(world)
    seen = [dump(chunk) for chunk in itertools.islice(stream, 2)]
    del stream
    gc.collect()
    return seen


@scenario(ESTIMATED_EARLY)
def stream_closed_by_context_manager(world: World) -> Any:
    with start(world) as stream:
        first = dump(next(stream))
    return first, stream.response.is_closed


@scenario(ESTIMATED_EARLY)
def stream_closed_before_the_first_chunk(world: World) -> Any:
    stream = start(world)
    stream.close()
    return stream.response.is_closed


@scenario(("dropped|closed_early", "estimated"))
def stream_never_read(world: World) -> Any:
    stream = start(world)
    kind = type(stream).__qualname__
    del stream
    gc.collect()
    return kind


@scenario(("closed_early|dropped|error", "estimated"))
def stream_left_by_an_exception_of_the_caller(world: World) -> Any:
    def work() -> None:
        for chunk in start(world):
            raise ValueError(chunk.id)

    try:
        work()
    except ValueError as error:
        return describe(error)


@scenario(("error", "estimated"))
def stream_cut_by_the_vendor(world: World) -> Any:
    world.api.cut_after = 3
    return read(start(world))


@scenario(("error", "estimated"))
def stream_reset_by_the_vendor(world: World) -> Any:
    world.api.cut_after, world.api.cut = 3, "reset"
    return read(start(world))


@scenario(("error", "estimated"))
def stream_that_stalls_into_a_timeout(world: World) -> Any:
    world.api.stall_after = 3
    return read(world.openai(timeout=0.2).chat.completions.create(**CHAT, stream=True))


@scenario(("error", "provider|estimated"))
def stream_with_an_error_in_it(world: World) -> Any:
    chunks = payloads.chat_chunks(False)[:3]
    error = {"error": {"message": "overloaded", "type": "server_error"}}
    world.vendor.script = [Reply.sse(payloads.data_events([*chunks, error, "[DONE]"]))]
    return read(start(world))


@scenario(("error", "none|estimated"))
def stream_refused_with_400(world: World) -> Any:
    error = {"error": {"message": "no such model", "type": "invalid_request_error"}}
    world.vendor.script = [Reply.json(error, 400)]
    try:
        return read(start(world))
    except openai.APIStatusError as error:
        return describe(error)


@scenario(("ok", "estimated"), extra_requests=1)
def stream_whose_vendor_refuses_stream_options(world: World) -> Any:
    world.api.refuse_stream_options = True
    return read(start(world))


@scenario(("ok", "estimated"), ("ok", "estimated"), extra_requests=1)
def stream_options_are_tried_once_per_vendor(world: World) -> Any:
    world.api.refuse_stream_options = True
    return [read(start(world)) for _ in range(2)]


@scenario(OK)
def stream_with_an_empty_azure_chunk_first(world: World) -> Any:
    world.api.azure_first_chunk = True
    return read(start(world))


@scenario(OK)
def stream_in_three_byte_packets(world: World) -> Any:
    world.api.chunk_size = 3
    return read(start(world))


@scenario(OK)
def stream_gzipped(world: World) -> Any:
    world.api.gzip = True
    return read(start(world))


@scenario(OK)
def stream_raw_response(world: World) -> Any:
    raw = world.openai().chat.completions.with_raw_response.create(**CHAT, stream=True)
    return type(raw).__qualname__, raw.headers["x-request-id"], read(raw.parse())


@scenario(OK)
def stream_streaming_response_parse(world: World) -> Any:
    streaming = world.openai().chat.completions.with_streaming_response
    with streaming.create(**CHAT, stream=True) as response:
        return read(response.parse())


@scenario(OK)
def stream_lines(world: World) -> Any:
    streaming = world.openai().chat.completions.with_streaming_response
    with streaming.create(**CHAT, stream=True) as response:
        return list(response.iter_lines())


@scenario(OK)
def stream_lines_in_odd_packets(world: World) -> Any:
    world.api.chunk_size = 37
    streaming = world.openai().chat.completions.with_streaming_response
    with streaming.create(**CHAT, stream=True) as response:
        return list(response.iter_lines())


@scenario(OK)
def stream_bytes(world: World) -> Any:
    streaming = world.openai().chat.completions.with_streaming_response
    with streaming.create(**CHAT, stream=True) as response:
        return b"".join(response.iter_bytes())


@scenario(OK)
def stream_bytes_in_fixed_pieces(world: World) -> Any:
    streaming = world.openai().chat.completions.with_streaming_response
    with streaming.create(**CHAT, stream=True) as response:
        return list(response.iter_bytes(chunk_size=64))


@scenario(OK)
def stream_read_at_once(world: World) -> Any:
    streaming = world.openai().chat.completions.with_streaming_response
    with streaming.create(**CHAT, stream=True) as response:
        return response.read()


@scenario(OK)
def stream_text_of_the_http_response(world: World) -> Any:
    stream = start(world)
    return "".join(stream.response.iter_text())


@scenario(("ok", "provider|estimated"))
def stream_lines_gzipped(world: World) -> Any:
    world.api.gzip = True
    streaming = world.openai().chat.completions.with_streaming_response
    with streaming.create(**CHAT, stream=True) as response:
        return list(response.iter_lines())


@scenario(ESTIMATED_EARLY)
def stream_lines_left_early(world: World) -> Any:
    streaming = world.openai().chat.completions.with_streaming_response
    with streaming.create(**CHAT, stream=True) as response:
        return next(response.iter_lines())


@scenario(OK)
def helper_stream(world: World) -> Any:
    with completions_with_helpers(world.openai()).stream(**CHAT) as stream:
        kinds = [event.type for event in stream]
        return kinds, dump(stream.get_final_completion())


@scenario(OK)
def helper_stream_until_done(world: World) -> Any:
    with completions_with_helpers(world.openai()).stream(**CHAT) as stream:
        stream.until_done()
        return dump(stream.get_final_completion())


@scenario(ESTIMATED_EARLY)
def helper_stream_left_early(world: World) -> Any:
    with completions_with_helpers(world.openai()).stream(**CHAT) as stream:
        return next(iter(stream)).type


@scenario(OK, OK)
def interleaved_streams(world: World) -> Any:
    client = world.openai()
    streams = [client.chat.completions.create(**CHAT, stream=True) for _ in range(2)]
    return [[dump(chunk) for chunk in pair] for pair in zip(*streams, strict=True)]


@scenario(OK)
def legacy_completion_stream(world: World) -> Any:
    return read(world.openai().completions.create(model="m", prompt="x", stream=True))


@scenario(OK)
def stream_elapsed_is_known_at_the_end(world: World) -> Any:
    stream = start(world)
    read(stream)
    return stream.response.elapsed.total_seconds() > 0


@scenario(OK)
def stream_undocumented_post(world: World) -> Any:
    stream = world.openai().post(
        "/chat/completions",
        cast_to=openai.types.chat.ChatCompletionChunk,
        body={**CHAT, "stream": True},
        stream=True,
        stream_cls=openai.Stream[openai.types.chat.ChatCompletionChunk],
    )
    return read(stream)
