"""Tasks and threads: each sees its own scopes, whatever runs beside it."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payi_otel.tracking.context import EMPTY, current, nest, set_process_defaults
from payi_otel.tracking.scopes import track, track_context


@track(limit_ids=["common"])
async def call(name: str) -> tuple[str | None, tuple[str, ...]]:
    with track_context(use_case_name=name, limit_ids=[name]):
        for _ in range(3):
            await asyncio.sleep(0)
        return current().use_case_name, current().limit_ids


WANTED = [(name, ("common", name)) for name in "abc"]


async def test_d14_gathered_coroutines_keep_their_own_scope() -> None:
    assert await asyncio.gather(*(call(name) for name in "abc")) == WANTED
    assert current() is EMPTY


async def test_d14_created_tasks_keep_their_own_scope() -> None:
    tasks = [asyncio.create_task(call(name)) for name in "abc"]
    assert [await task for task in tasks] == WANTED


async def test_d14_task_groups_keep_their_own_scope() -> None:
    results: dict[str, Any] = {}

    async def noted(name: str) -> None:
        results[name] = await call(name)

    async with anyio.create_task_group() as group:
        for name in "abc":
            group.start_soon(noted, name)
    assert [results[name] for name in "abc"] == WANTED
    if sys.version_info >= (3, 11):
        async with asyncio.TaskGroup() as asyncio_group:
            tasks = [asyncio_group.create_task(call(name)) for name in "abc"]
        assert [task.result() for task in tasks] == WANTED


@settings(max_examples=30)
@given(
    st.lists(
        st.lists(st.sampled_from(["sleep", "enter", "leave", "spawn"]), max_size=8), min_size=2, max_size=4
    )
)
def test_d14_any_interleaving_of_tasks_keeps_scopes_apart(programs: list[list[str]]) -> None:
    async def run(label: str, program: list[str]) -> None:
        scopes: list[Any] = []
        children: list[asyncio.Task[None]] = []
        inherited = current().account_name

        def here() -> str | None:
            return f"{label}.{len(scopes)}" if scopes else inherited

        async def child(wanted: str | None) -> None:
            await asyncio.sleep(0)
            assert current().account_name == wanted
            with track_context(account_name="child"):
                await asyncio.sleep(0)
                assert current().account_name == "child"

        for act in program:
            if act == "sleep":
                await asyncio.sleep(0)
            elif act == "enter":
                scopes.append(track_context(account_name=f"{label}.{len(scopes) + 1}"))
                scopes[-1].__enter__()
            elif act == "leave" and scopes:
                scopes.pop().__exit__(None, None, None)
            elif act == "spawn":
                children.append(asyncio.create_task(child(here())))
            assert current().account_name == here()
        while scopes:
            scopes.pop().__exit__(None, None, None)
        await asyncio.gather(*children)

    async def main() -> None:
        with track_context(account_name="root"):
            await asyncio.gather(*(run(str(number), program) for number, program in enumerate(programs)))
            assert current().account_name == "root"

    asyncio.run(main())


def in_thread(work: Any) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


def test_d15_new_thread_sees_the_process_defaults_and_scopes_nest_into_them() -> None:
    set_process_defaults(nest(EMPTY, use_case_name="app", use_case_id="1"))

    def work() -> tuple[str | None, ...]:
        outside = current().use_case_id
        with track_context(user_id="jane"):
            return outside, current().use_case_id, current().user_id

    with track_context(user_id="starter"):
        assert in_thread(lambda: current().user_id) is None
        assert in_thread(work) == ("1", "1", "jane")


async def test_d15_anyio_worker_threads_run_in_the_scope_of_their_task() -> None:
    async def task(name: str) -> tuple[str | None, str | None]:
        with track_context(user_id=name):
            first = await anyio.to_thread.run_sync(lambda: current().user_id)
            return first, await asyncio.to_thread(lambda: current().user_id)

    assert await asyncio.gather(*(task(name) for name in "abc")) == [(name, name) for name in "abc"]
    assert await anyio.to_thread.run_sync(lambda: current().user_id) is None


def test_d15_fastapi_sync_endpoints_run_in_the_scope_of_their_request() -> None:
    pytest.importorskip("fastapi", reason="FastAPI belongs to the server extra")
    from fastapi import FastAPI, Request
    from fastapi.testclient import TestClient

    app = FastAPI()

    @app.middleware("http")
    async def scope(request: Request, call_next: Any) -> Any:
        with track_context(user_id=request.headers["user"]):
            return await call_next(request)

    @app.get("/")
    def endpoint() -> str | None:
        return current().user_id

    with TestClient(app) as client:
        assert [client.get("/", headers={"user": name}).json() for name in "ab"] == ["a", "b"]


def test_executor_tasks_are_outside_of_every_scope_unless_asked_for() -> None:
    with ThreadPoolExecutor(1) as pool, track_context(user_id="a"):
        assert pool.submit(lambda: current().user_id).result() is None


async def test_d14_concurrent_streams_of_one_decorated_function() -> None:
    @track(use_case_name="stream")
    async def stream(user: str) -> Any:
        for _ in range(3):
            await asyncio.sleep(0)
            yield current().use_case_id, current().user_id

    async def consume(user: str) -> set[Any]:
        with track_context(user_id=user):
            return {item async for item in stream(user)}

    results = await asyncio.gather(*(consume(user) for user in "abc"))
    assert [{user for _, user in items} for items in results] == [{"a"}, {"b"}, {"c"}]
    assert len({id_ for items in results for id_, _ in items}) == 3
