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
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from payi_otel.tracking.context import current
from payi_otel.tracking.scopes import track, track_context


def use_case() -> tuple[str | None, str | None]:
    return current().use_case_name, current().use_case_id


# Forwarding: a tracked generator and the plain one give the same answers to the same questions.

Plan = list[str]


def scripted(plan: Plan) -> Generator[Any, Any, Any]:
    """At each yield: note what came, and on an exception do what the plan says."""
    for index, reaction in enumerate(plan):
        try:
            came: Any = yield index
        except BaseException as error:
            came = type(error).__name__
            if reaction == "raise":
                raise
            if reaction == "other":
                raise LookupError(index) from None
            if reaction == "return":
                return came
            if reaction == "yield":
                yield f"after {came}"
        else:
            if reaction == "return":
                return came
            if reaction == "fail":
                raise LookupError(came)
    return "end"


async def scripted_async(plan: Plan) -> AsyncGenerator[Any, Any]:
    for index, reaction in enumerate(plan):
        await asyncio.sleep(0)
        try:
            came: Any = yield index
        except BaseException as error:
            await asyncio.sleep(0)
            came = type(error).__name__
            if reaction == "raise":
                raise
            if reaction == "other":
                raise LookupError(index) from None
            if reaction == "return":
                return
            if reaction == "yield":
                yield f"after {came}"
        else:
            if reaction == "return":
                return
            if reaction == "fail":
                raise LookupError(came)


plans = st.lists(st.sampled_from(["raise", "other", "return", "yield", "go on", "fail"]), max_size=5)
questions = st.lists(
    st.one_of(
        st.tuples(st.just("next"), st.none()),
        st.tuples(st.just("send"), st.sampled_from([None, 1])),
        st.tuples(
            st.just("throw"),
            st.sampled_from(
                [ValueError, StopIteration, StopAsyncIteration, GeneratorExit, KeyboardInterrupt]
            ),
        ),
        st.tuples(st.just("close"), st.none()),
    ),
    max_size=7,
)
Questions = list[tuple[str, Any]]


def answered(generator: Generator[Any, Any, Any], asked: Questions) -> list[Any]:
    answers: list[Any] = []
    for how, what in [*asked, *[("close", None)] * 8]:
        try:
            if how == "next":
                answer: Any = next(generator)
            elif how == "send":
                answer = generator.send(what)
            elif how == "throw":
                answer = generator.throw(what("thrown"))
            else:
                answer = generator.close()
        except BaseException as error:
            answer = type(error), str(error), getattr(error, "value", None)
        answers.append(answer)
        assert current().use_case_name is None
    return answers


async def answered_async(generator: AsyncGenerator[Any, Any], asked: Questions) -> list[Any]:
    answers: list[Any] = []
    for how, what in [*asked, *[("close", None)] * 8]:
        try:
            if how == "next":
                answer: Any = await anext(generator)
            elif how == "send":
                answer = await generator.asend(what)
            elif how == "throw":
                answer = await generator.athrow(what("thrown"))
            else:
                answer = await generator.aclose()
        except BaseException as error:
            answer = type(error), str(error)
        answers.append(answer)
        assert current().use_case_name is None
    return answers


@given(plans, questions)
def test_tracked_generator_answers_as_the_plain_one(plan: Plan, asked: Questions) -> None:
    assert answered(track(use_case_name="u")(scripted)(plan), asked) == answered(scripted(plan), asked)


# A body that yields after GeneratorExit makes the interpreter complain when it is collected, tracked or not.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@given(plans, questions)
def test_tracked_async_generator_answers_as_the_plain_one(plan: Plan, asked: Questions) -> None:
    async def compare() -> None:
        tracked = await answered_async(track(use_case_name="u")(scripted_async)(plan), asked)
        assert tracked == await answered_async(scripted_async(plan), asked)

    asyncio.run(compare())


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
        generator = track(scripted_async)([])
        with pytest.raises(StopAsyncIteration):
            anext(generator).send(None)
        assert sys.get_asyncgen_hooks().firstiter is noted
    finally:
        sys.set_asyncgen_hooks(*before)
    assert seen == [generator]


def test_unstarted_generators_can_be_dropped_and_closed() -> None:
    async def main() -> None:
        await track(scripted_async)([]).aclose()
        track(scripted_async)([])

    track(scripted)([]).close()
    track(scripted)([])
    asyncio.run(main())
    assert inspect.getgeneratorstate(track(scripted)([])) == inspect.GEN_CREATED


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
