"""Generators: the body is in its scope in every step, the consumer never, and nothing else changes."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from payi_otel.tracking.context import current
from payi_otel.tracking.scopes import track, track_context


def use_case() -> tuple[str | None, str | None]:
    return current().use_case_name, current().use_case_id


def test_d17_body_of_a_generator_runs_in_its_scope() -> None:
    cleaned_up: list[str | None] = []

    @track(use_case_name="stream")
    def stream(count: int) -> Generator[Any, Any, str]:
        try:
            for _ in range(count):
                yield use_case()
        finally:
            cleaned_up.append(current().use_case_name)
        return "done"

    generator = stream(3)
    ids = set()
    for name, id_ in generator:
        assert name == "stream"
        assert current().use_case_name is None
        ids.add(id_)
    assert len(ids) == 1
    assert ids != {next(stream(1))[1]}
    abandoned = stream(3)
    next(abandoned)
    del abandoned
    gc.collect()
    assert cleaned_up == ["stream"] * 3


async def test_d17_body_of_an_async_generator_runs_in_its_scope() -> None:
    cleaned_up: list[str | None] = []

    @track(use_case_name="stream")
    async def stream(count: int) -> AsyncGenerator[Any, Any]:
        try:
            for _ in range(count):
                await asyncio.sleep(0)
                yield use_case()
        finally:
            await asyncio.sleep(0)
            cleaned_up.append(current().use_case_name)

    ids = set()
    async for name, id_ in stream(3):
        assert name == "stream"
        assert current().use_case_name is None
        ids.add(id_)
    assert len(ids) == 1
    async for _ in stream(3):
        break
    gc.collect()
    while len(cleaned_up) < 2:
        await asyncio.sleep(0)
    assert cleaned_up == ["stream", "stream"]


def test_generator_keeps_the_scope_it_was_called_in_after_that_scope_closed() -> None:
    """As a streaming web response does: made inside the request's scope, consumed after it."""

    @track(use_case_step="stream")
    def stream() -> Generator[str | None, None, None]:
        yield current().user_id

    with track_context(user_id="caller"):
        generator = stream()
    with track_context(user_id="consumer"):
        assert list(generator) == ["caller"]


def test_scopes_a_body_holds_across_a_yield_stay_inside_it() -> None:
    @track(use_case_name="outer")
    def stream() -> Generator[str | None, None, None]:
        with track_context(user_id="inside"):
            yield current().user_id
            with track_context(user_id="deeper"):
                yield current().user_id
            yield current().user_id
        yield current().user_id

    with track_context(user_id="consumer"):
        seen = []
        for user in stream():
            seen.append(user)
            assert current().user_id == "consumer"
    assert seen == ["inside", "deeper", "inside", "consumer"]


def test_generator_stepped_and_closed_in_other_threads() -> None:
    @track(use_case_name="stream")
    def stream() -> Generator[Any, Any, None]:
        try:
            while True:
                yield use_case()
        finally:
            at_close.append(use_case())

    at_close: list[Any] = []
    generator = stream()
    seen = [next(generator)]

    def in_thread(act: Callable[[], Any]) -> None:
        def work() -> None:
            with track_context(user_id="bystander"):
                act()
                assert current().user_id == "bystander"
                assert current().use_case_name is None
                done.append(True)

        done: list[bool] = []
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert done == [True]

    in_thread(lambda: seen.append(next(generator)))
    in_thread(generator.close)
    assert len({*seen, *at_close}) == 1


async def test_async_generator_stepped_and_closed_in_other_tasks() -> None:
    @track(use_case_name="stream")
    async def stream() -> AsyncGenerator[Any, None]:
        try:
            while True:
                await asyncio.sleep(0)
                yield use_case()
        finally:
            await asyncio.sleep(0)
            seen.append(use_case())

    async def in_task(step: Any) -> Any:
        with track_context(user_id="bystander"):
            result = await step
            assert current().user_id == "bystander"
            assert current().use_case_name is None
            return result

    seen: list[Any] = []
    generator = stream()
    for _ in range(3):
        seen.append(await asyncio.create_task(in_task(anext(generator))))
    await asyncio.create_task(in_task(generator.aclose()))
    assert len(seen) == 4
    assert len(set(seen)) == 1


async def test_cancelled_step_ends_the_body_in_its_scope() -> None:
    reached, ended = asyncio.Event(), []

    @track(use_case_name="stream")
    async def stream() -> AsyncGenerator[int, None]:
        try:
            reached.set()
            await asyncio.Future()
            yield 1
        finally:
            ended.append(current().use_case_name)

    async def consume() -> str | None:
        try:
            async for _ in stream():
                pass
        except asyncio.CancelledError:
            return current().use_case_name
        raise AssertionError

    task = asyncio.create_task(consume())
    await reached.wait()
    task.cancel()
    assert await task is None
    assert ended == ["stream"]


def test_loop_shutdown_closes_open_async_generators_once() -> None:
    closed: list[str | None] = []

    @track(use_case_name="stream")
    async def stream() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            closed.append(current().use_case_name)

    kept = []

    async def main() -> None:
        for _ in range(20):
            generator = stream()
            await anext(generator)
            kept.append(generator)

    asyncio.run(main())
    assert closed == ["stream"] * 20


def test_hooks_of_the_event_loop_are_back_after_the_first_step() -> None:
    seen: list[Any] = []

    def noted(agen: Any) -> None:
        seen.append(agen)

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=noted, finalizer=None)
    try:
        generator = track(nothing)()
        with pytest.raises(StopAsyncIteration):
            anext(generator).send(None)
        assert sys.get_asyncgen_hooks().firstiter is noted
    finally:
        sys.set_asyncgen_hooks(*before)
    assert seen == [generator]


async def nothing() -> AsyncGenerator[None, None]:
    return
    yield


def test_unstarted_generators_can_be_dropped_and_closed() -> None:
    @track
    def items() -> Generator[int, None, None]:
        yield 1

    async def main() -> None:
        await track(nothing)().aclose()
        track(nothing)()

    items().close()
    items()
    asyncio.run(main())
    assert inspect.getgeneratorstate(items()) == inspect.GEN_CREATED
