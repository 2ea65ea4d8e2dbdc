"""Scenarios of the asynchronous OpenAI client."""

from __future__ import annotations

import asyncio
import gc
import inspect
from typing import Any

import openai

from tests.transparency.scenarios_openai import (
    CHAT,
    ESTIMATED_EARLY,
    RESPONSES,
    Answer,
    completions_with_helpers,
)
from tests.transparency.scenarios_openai_streams import ABANDONED
from tests.transparency.world import OK, World, describe, dump, scenario


async def start(world: World, **options: Any) -> Any:
    return await world.async_openai().chat.completions.create(**CHAT, stream=True, **options)


async def read(stream: Any) -> list[Any]:
    """The chunks, and the exception that ended them if one did."""
    seen: list[Any] = []
    try:
        async for chunk in stream:
            seen.append(dump(chunk))
    except Exception as error:
        seen.append(describe(error))
    return seen


@scenario(OK)
async def async_chat(world: World) -> Any:
    pending = world.async_openai().chat.completions.create(**CHAT)
    kind = inspect.iscoroutine(pending)
    return kind, dump(await pending)


@scenario(OK)
async def async_stream(world: World) -> Any:
    stream = await start(world)
    return type(stream).__qualname__, isinstance(stream, openai.AsyncStream), await read(stream)


@scenario(OK)
async def async_stream_by_anext(world: World) -> Any:
    stream = await start(world)
    seen = [dump(await stream.__anext__()) for _ in range(8)]
    try:
        await stream.__anext__()
    except StopAsyncIteration as error:
        return seen, describe(error)


@scenario(("ok|closed_early", "provider"))
async def async_stream_left_at_finish_reason(world: World) -> Any:
    stream, seen = await start(world), list[Any]()
    async for chunk in stream:
        seen.append(dump(chunk))
        if chunk.choices[0].finish_reason:
            break
    await stream.close()
    return seen


@scenario(ABANDONED)
async def async_stream_left_early_and_dropped(world: World) -> Any:
    stream = await start(world)
    async for chunk in stream:
        seen = dump(chunk)
        break
    del stream
    gc.collect()
    await asyncio.sleep(0)
    return seen


@scenario(("dropped|closed_early", "estimated"))
async def async_stream_never_read(world: World) -> Any:
    stream = await start(world)
    kind = type(stream).__qualname__
    del stream
    gc.collect()
    return kind


@scenario(ESTIMATED_EARLY)
async def async_stream_closed_by_context_manager(world: World) -> Any:
    async with await start(world) as stream:
        first = dump(await stream.__anext__())
    return first, stream.response.is_closed


@scenario(("cancelled", "none|estimated"))
async def async_call_cancelled(world: World) -> Any:
    world.api.hang = True
    task = asyncio.create_task(world.async_openai().chat.completions.create(**CHAT))
    await world.wait_for_request()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError as error:
        return describe(error)


@scenario(("cancelled", "none|estimated"))
async def async_call_timed_out_by_wait_for(world: World) -> Any:
    world.api.hang = True
    try:
        await asyncio.wait_for(world.async_openai().chat.completions.create(**CHAT), 0.2)
    except asyncio.TimeoutError as error:
        return type(error).__qualname__


@scenario(("cancelled", "estimated"))
async def async_stream_cancelled(world: World) -> Any:
    world.api.stall_after = 3
    seen: list[Any] = []

    async def work() -> None:
        async for chunk in await start(world):
            seen.append(dump(chunk))

    task = asyncio.create_task(work())
    while len(seen) < 3:
        await asyncio.sleep(0.001)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError as error:
        return seen, describe(error)


@scenario(("error", "estimated"))
async def async_stream_cut_by_the_vendor(world: World) -> Any:
    world.api.cut_after = 3
    return await read(await start(world))


@scenario(("ok", "estimated"), extra_requests=1)
async def async_stream_whose_vendor_refuses_stream_options(world: World) -> Any:
    world.api.refuse_stream_options = True
    return await read(await start(world))


@scenario(OK)
async def async_raw_response(world: World) -> Any:
    raw = await world.async_openai().chat.completions.with_raw_response.create(**CHAT)
    parsed = raw.parse()
    if inspect.isawaitable(parsed):
        parsed = await parsed
    return type(raw).__qualname__, dump(parsed)


@scenario(OK)
async def async_raw_response_stream(world: World) -> Any:
    raw = await world.async_openai().chat.completions.with_raw_response.create(**CHAT, stream=True)
    parsed = raw.parse()
    if inspect.isawaitable(parsed):
        parsed = await parsed
    return await read(parsed)


@scenario(OK)
async def async_streaming_response_parse(world: World) -> Any:
    streaming = world.async_openai().chat.completions.with_streaming_response
    async with streaming.create(**CHAT, stream=True) as response:
        return await read(await response.parse())


@scenario(OK)
async def async_streaming_response_lines(world: World) -> Any:
    world.api.chunk_size = 41
    streaming = world.async_openai().chat.completions.with_streaming_response
    async with streaming.create(**CHAT, stream=True) as response:
        return [line async for line in response.iter_lines()]


@scenario(OK)
async def async_streaming_response_json(world: World) -> Any:
    streaming = world.async_openai().chat.completions.with_streaming_response
    async with streaming.create(**CHAT) as response:
        return await response.json()


@scenario(OK)
async def async_helper_stream(world: World) -> Any:
    async with completions_with_helpers(world.async_openai()).stream(**CHAT) as stream:
        kinds = [event.type async for event in stream]
        return kinds, dump(await stream.get_final_completion())


@scenario(ESTIMATED_EARLY)
async def async_helper_stream_left_early(world: World) -> Any:
    async with completions_with_helpers(world.async_openai()).stream(**CHAT) as stream:
        return (await stream.__aiter__().__anext__()).type


@scenario(OK)
async def async_parse(world: World) -> Any:
    parsed = await completions_with_helpers(world.async_openai()).parse(**CHAT, response_format=Answer)
    return repr(parsed.choices[0].message.parsed)


@scenario(OK, needs=lambda: hasattr(openai.OpenAI(api_key="k").responses, "stream"))
async def async_responses_helper_stream(world: World) -> Any:
    async with world.async_openai().responses.stream(**RESPONSES) as stream:
        return [dump(event) async for event in stream]


@scenario(*[OK] * 6)
async def async_calls_at_once(world: World) -> Any:
    client = world.async_openai()

    async def one(streams: bool) -> Any:
        answer = await client.chat.completions.create(**CHAT, stream=streams)
        return await read(answer) if streams else dump(answer)

    return await asyncio.gather(*(one(bool(number % 2)) for number in range(6)))


@scenario(("closed_early|dropped|cancelled|error", "estimated"))
async def async_stream_left_by_an_exception_of_the_caller(world: World) -> Any:
    async def work() -> None:
        async for chunk in await start(world):
            raise ValueError(chunk.id)

    try:
        await work()
    except ValueError as error:
        return describe(error)
