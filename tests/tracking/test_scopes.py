from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from opentelemetry import context as otel

from payi_otel.tracking.context import EMPTY, captured, current, nest, set_process_defaults
from payi_otel.tracking.scopes import TrackScope, get_context, track_context


def user() -> str | None:
    return current().user_id


async def test_with_and_async_with_hold_the_same_scope() -> None:
    with track_context(user_id="a") as outer:
        assert current() is outer
        async with track_context(account_name="b") as inner:
            assert current() is inner
            await asyncio.sleep(0)
            assert (inner.user_id, inner.account_name) == ("a", "b")
        assert current() is outer
    assert current() is EMPTY


def test_scope_ends_with_an_exception_and_lets_it_pass() -> None:
    with pytest.raises(KeyError, match="x"), track_context(user_id="a"):
        raise KeyError("x")
    assert current() is EMPTY


def test_one_scope_object_nests_into_itself() -> None:
    scope = track_context(use_case_name="u", request_properties={"k": "v"})
    with scope as first:
        with track_context(user_id="a"), scope as second:
            assert second.user_id == "a"
            assert second.use_case_id == first.use_case_id
        assert current() is first
    with scope as third:
        assert third.use_case_id != first.use_case_id
    assert current() is EMPTY


def test_one_scope_object_serves_several_threads_at_once() -> None:
    scope = track_context(use_case_name="shared")
    barrier = threading.Barrier(2)
    seen: list[tuple[str | None, str | None, str | None]] = []

    def work(name: str) -> None:
        with track_context(user_id=name):
            with scope as entered:
                barrier.wait()
                seen.append((name, current().user_id, entered.user_id))
                barrier.wait()
            assert current().use_case_name is None

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen, key=str) == [("a", "a", "a"), ("b", "b", "b")]


def test_scope_leaves_the_rest_of_the_opentelemetry_context_alone() -> None:
    key = otel.create_key("other")
    with track_context(user_id="a"):
        otel.attach(otel.set_value(key, "set inside"))
    assert user() is None
    assert otel.get_value(key) == "set inside"
    otel.attach(otel.Context())


def test_current_reads_any_opentelemetry_context() -> None:
    with track_context(user_id="a") as tracking:
        context = otel.get_current()
    assert current() is EMPTY
    assert current(context) is captured(context) is tracking
    assert captured(otel.Context()) is None


class ScopesInAnyOrder(RuleBasedStateMachine):
    """Scopes of one thread, closed in any order, as interleaved generators do that hold them across a yield."""

    def __init__(self) -> None:
        super().__init__()
        self.context = contextvars.copy_context()
        self.open: list[tuple[TrackScope, str]] = []
        self.count = 0

    @rule()
    def enter(self) -> None:
        self.count += 1
        scope = track_context(user_id=str(self.count))
        self.context.run(scope.__enter__)
        self.open.append((scope, str(self.count)))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        scope, _ = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.context.run(scope.__exit__, None, None, None)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def leave_elsewhere(self, data: st.DataObject) -> None:
        """A finalizer that runs in a context which never saw the scope."""
        scope, _ = data.draw(st.sampled_from(self.open))
        elsewhere = contextvars.Context()
        elsewhere.run(track_context(user_id="elsewhere").__enter__)
        elsewhere.run(scope.__exit__, None, None, None)
        assert elsewhere.run(user) == "elsewhere"

    @invariant()
    def innermost_open_scope_holds(self) -> None:
        assert self.context.run(user) == (self.open[-1][1] if self.open else None)


TestScopesInAnyOrder = ScopesInAnyOrder.TestCase
TestScopesInAnyOrder.settings = settings(max_examples=40, stateful_step_count=20)


def holding(name: str) -> Iterator[str | None]:
    with track_context(user_id=name):
        while True:
            yield user()


def test_generators_that_hold_scopes_close_in_opening_order() -> None:
    first, second = holding("first"), holding("second")
    assert [next(first), next(second)] == ["first", "second"]
    first.close()
    assert user() == "second"
    second.close()
    assert user() is None


def test_generator_closed_in_another_thread_leaves_both_threads_as_they_were() -> None:
    seen: list[str | None] = []

    def work() -> None:
        generator = holding("worker")
        next(generator)
        handed.append(generator)
        given.set()
        closed.wait()
        seen.append(user())

    handed: list[Iterator[Any]] = []
    given, closed = threading.Event(), threading.Event()
    thread = threading.Thread(target=work)
    with track_context(user_id="main"):
        thread.start()
        given.wait()
        handed.pop().close()
        assert user() == "main"
        closed.set()
        thread.join()
    # A scope closed elsewhere stays open where it was opened: nobody can reach into another thread.
    assert seen == ["worker"]


async def test_async_generator_finalized_by_the_loop_leaves_other_tasks_alone() -> None:
    finished = asyncio.Event()

    async def items() -> AsyncGenerator[str | None, None]:
        try:
            async with track_context(user_id="generator"):
                while True:
                    yield user()
        finally:
            finished.set()

    async def consume() -> None:
        async for item in items():
            assert item == "generator"
            break

    async def bystander() -> None:
        with track_context(user_id="bystander"):
            await finished.wait()
            assert user() == "bystander"

    await asyncio.gather(consume(), bystander())
    gc.collect()
    await finished.wait()
    assert user() is None


async def test_coroutine_dropped_in_the_middle_leaves_its_finalizer_alone() -> None:
    async def work() -> None:
        with track_context(user_id="dropped"):
            await asyncio.Future()

    def begin() -> Generator[Any, None, None]:
        coroutine = work().__await__()
        next(coroutine)
        return coroutine

    coroutine = contextvars.Context().run(begin)
    with track_context(user_id="main"):
        coroutine.close()
        assert user() == "main"


def test_tasks_started_in_a_scope_keep_it_after_its_end() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def background() -> str | None:
            await go.wait()
            return user()

        with track_context(user_id="a"):
            task = asyncio.create_task(background())
            await asyncio.sleep(0)
        go.set()
        assert await task == "a"

    asyncio.run(main())


def test_get_context_tells_what_is_set_under_the_documented_keys() -> None:
    assert get_context() == {}
    everything: dict[str, Any] = {
        "use_case_name": "u",
        "use_case_id": "1",
        "use_case_version": 2,
        "use_case_step": "s",
        "use_case_properties": {"k": None},
        "request_properties": {"r": "v"},
        "limit_ids": ["l"],
        "user_id": "jane",
        "account_name": "acme",
        "price_as_category": "c",
        "price_as_resource": "r",
        "resource_scope": "region",
        "log_prompt_and_response": False,
    }
    with track_context(**everything, proxy=True):
        context = get_context()
        assert context == everything
        context["request_properties"]["r"] = "mine"
        assert get_context() == everything
        with track_context(request_properties={}, limit_ids=[], user_id=""):
            assert get_context().keys() == everything.keys() - {"request_properties", "limit_ids", "user_id"}
    set_process_defaults(nest(EMPTY, user_id="default"))
    assert get_context() == {"user_id": "default"}
