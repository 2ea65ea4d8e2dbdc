"""Scenarios of the asynchronous Anthropic client."""

from __future__ import annotations

import asyncio
import gc
import inspect
from typing import Any

import anthropic

from tests.transparency.scenarios_anthropic import EARLY, MESSAGE, PARTIAL, has_beta_method
from tests.transparency.world import OK, World, describe, dump, scenario


async def start(world: World) -> Any:
    return await world.async_anthropic().messages.create(**MESSAGE, stream=True)


async def read(stream: Any) -> list[Any]:
    """The events, and the exception that ended them if one did."""
    seen: list[Any] = []
    try:
        async for event in stream:
            seen.append(dump(event))
    except Exception as error:
        seen.append(describe(error))
    return seen


@scenario(OK)
async def async_message(world: World) -> Any:
    return dump(await world.async_anthropic().messages.create(**MESSAGE))


@scenario(OK)
async def async_message_stream(world: World) -> Any:
    stream = await start(world)
    return type(stream).__qualname__, isinstance(stream, anthropic.AsyncStream), await read(stream)


@scenario(("cancelled", PARTIAL))
async def async_message_stream_cancelled(world: World) -> Any:
    world.api.stall_after = 4
    seen: list[Any] = []

    async def work() -> None:
        async for event in await start(world):
            seen.append(dump(event))

    task = asyncio.create_task(work())
    # The ping among the four is not handed out.
    while len(seen) < 3:
        await asyncio.sleep(0.001)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError as error:
        return seen, describe(error)


@scenario(("cancelled", "none|estimated"))
async def async_message_cancelled(world: World) -> Any:
    world.api.hang = True
    task = asyncio.create_task(world.async_anthropic().messages.create(**MESSAGE))
    await world.wait_for_request()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError as error:
        return describe(error)


@scenario(OK)
async def async_message_helper(world: World) -> Any:
    async with world.async_anthropic().messages.stream(**MESSAGE) as stream:
        return [text async for text in stream.text_stream], dump(await stream.get_final_message())


@scenario(EARLY)
async def async_message_helper_left_early(world: World) -> Any:
    async with world.async_anthropic().messages.stream(**MESSAGE) as stream:
        return (await stream.__aiter__().__anext__()).type


@scenario(("closed_early|dropped", PARTIAL))
async def async_message_stream_left_early_and_dropped(world: World) -> Any:
    stream = await start(world)
    async for event in stream:
        seen = dump(event)
        break
    del stream
    gc.collect()
    await asyncio.sleep(0)
    return seen


@scenario(("dropped|closed_early", "none|estimated"))
async def async_message_stream_never_read(world: World) -> Any:
    stream = await start(world)
    kind = type(stream).__qualname__
    del stream
    gc.collect()
    return kind


@scenario(EARLY)
async def async_message_stream_closed_by_context_manager(world: World) -> Any:
    async with await start(world) as stream:
        first = dump(await stream.__anext__())
    return first, stream.response.is_closed


@scenario(("error", PARTIAL))
async def async_message_stream_cut_by_the_vendor(world: World) -> Any:
    world.api.cut_after = 3
    return await read(await start(world))


@scenario(OK)
async def async_message_raw_response_stream(world: World) -> Any:
    raw = await world.async_anthropic().messages.with_raw_response.create(**MESSAGE, stream=True)
    parsed = raw.parse()
    if inspect.isawaitable(parsed):
        parsed = await parsed
    return await read(parsed)


@scenario(OK)
async def async_message_streaming_response_bytes(world: World) -> Any:
    streaming = world.async_anthropic().messages.with_streaming_response
    async with streaming.create(**MESSAGE, stream=True) as response:
        return b"".join([data async for data in response.iter_bytes()])


@scenario(OK, OK, needs=lambda: has_beta_method("tool_runner"))
async def async_tool_runner(world: World) -> Any:
    @anthropic.beta_async_tool
    async def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    runner = world.async_anthropic().beta.messages.tool_runner(**MESSAGE, tools=[add])
    return [dump(answer) async for answer in runner]


@scenario(*[OK] * 4)
async def async_messages_at_once(world: World) -> Any:
    client = world.async_anthropic()

    async def one(streams: bool) -> Any:
        answer = await client.messages.create(**MESSAGE, stream=streams)
        return await read(answer) if streams else dump(answer)

    return await asyncio.gather(*(one(bool(number % 2)) for number in range(4)))
