"""A tracked generator and the plain one give the same answers to the same questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.tracking.context import current
from payi_otel.tracking.scopes import track

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
