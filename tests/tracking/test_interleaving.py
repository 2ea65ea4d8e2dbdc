"""Generators stepped and closed in any order: each body keeps its scope, the consumer its own."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from payi_otel.tracking.context import current
from payi_otel.tracking.scopes import track, track_context


def use_case() -> tuple[str | None, str | None]:
    return current().use_case_name, current().use_case_id


class InterleavedGenerators(RuleBasedStateMachine):
    """Tracked generators of all shapes, stepped and closed in any order, inside scopes that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes: list[Any] = []
        self.live: dict[str, tuple[Generator[Any, Any, Any], tuple[str, str | None]]] = {}
        self.ids: dict[str, str] = {}
        self.count = 0

    @initialize()
    def outside(self) -> None:
        assert current().user_id is None

    def body(self, label: str, inner: Generator[Any, Any, Any] | None) -> Generator[Any, Any, None]:
        assert current().use_case_name == label
        with track_context(use_case_step=f"{label}-step"):
            try:
                while True:
                    nested = next(inner) if inner is not None else None
                    tracking = current()
                    yield (
                        tracking.use_case_name,
                        tracking.use_case_id,
                        tracking.use_case_step,
                        tracking.user_id,
                        nested,
                    )
            finally:
                assert current().use_case_step == f"{label}-step"

    @rule(nested=st.booleans())
    def make(self, nested: bool) -> None:
        self.count += 1
        label = f"g{self.count}"
        inner = None
        if nested:
            inner = track(use_case_name=f"{label}-inner")(self.body)(f"{label}-inner", None)
        generator = track(use_case_name=label)(self.body)(label, inner)
        self.live[label] = generator, (current().user_id, f"{label}-inner" if nested else None)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        label = data.draw(st.sampled_from(sorted(self.live)))
        generator, (user, inner) = self.live[label]
        name, id_, step, seen_user, nested = next(generator)
        assert (name, step, seen_user) == (label, f"{label}-step", user)
        assert self.ids.setdefault(label, id_) == id_
        assert (nested is None) == (inner is None)
        if nested is not None:
            assert (nested[0], nested[2]) == (inner, f"{inner}-step")
            assert self.ids.setdefault(nested[0], nested[1]) == nested[1]

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        generator, _ = self.live.pop(data.draw(st.sampled_from(sorted(self.live))))
        generator.close()

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def throw(self, data: st.DataObject) -> None:
        generator, _ = self.live.pop(data.draw(st.sampled_from(sorted(self.live))))
        if inspect.getgeneratorstate(generator) != inspect.GEN_CREATED:
            with pytest.raises(KeyError, match="thrown"):
                generator.throw(KeyError("thrown"))

    @rule()
    def enter(self) -> None:
        scope = track_context(user_id=f"user{len(self.scopes)}")
        scope.__enter__()
        self.scopes.append(scope)

    @precondition(lambda self: self.scopes)
    @rule()
    def leave(self) -> None:
        self.scopes.pop().__exit__(None, None, None)

    @invariant()
    def consumer_sees_its_own_scopes_only(self) -> None:
        wanted = f"user{len(self.scopes) - 1}" if self.scopes else None
        assert (current().user_id, current().use_case_name) == (wanted, None)
        assert len(set(self.ids.values())) == len(self.ids)

    def teardown(self) -> None:
        while self.scopes:
            self.leave()
        for generator, _ in self.live.values():
            generator.close()


TestInterleavedGenerators = InterleavedGenerators.TestCase
TestInterleavedGenerators.settings = settings(max_examples=40, stateful_step_count=25)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["task", "here", "close"])), max_size=20),
    st.booleans(),
)
def test_interleaved_async_generators(schedule: list[tuple[int, str]], at_once: bool) -> None:
    """Four async generators stepped in any order: here, in a task of its own, or all steps at the same time."""

    @track
    async def stream(number: int) -> AsyncGenerator[Any, None]:
        async with track_context(use_case_name=f"stream{number}"):
            first = use_case()
            while True:
                await asyncio.sleep(0)
                assert use_case() == first
                yield first

    async def stepped(generator: AsyncGenerator[Any, None], user: str) -> Any:
        with track_context(user_id=user):
            try:
                item = await anext(generator)
            except StopAsyncIteration:
                item = None
            assert (current().user_id, current().use_case_name) == (user, None)
            return item

    async def main() -> None:
        generators = [stream(number) for number in range(4)]
        ids: dict[int, Any] = {}
        for number, how in schedule:
            if how == "close":
                await generators[number].aclose()
                continue
            step = stepped(generators[number], how)
            item = await (asyncio.create_task(step) if how == "task" else step)
            assert item is None or (item[0] == f"stream{number}" and ids.setdefault(number, item) == item)
            assert current().use_case_name is None
        if at_once:
            items = await asyncio.gather(*(stepped(one, "all") for one in generators))
            assert all(item is None or ids.get(number, item) == item for number, item in enumerate(items))
        for one in generators:
            await one.aclose()

    asyncio.run(main())
