from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any, get_type_hints

import pytest

from payi_otel.tracking.arguments import ScopeChange, read_arguments
from payi_otel.tracking.context import EMPTY, current
from payi_otel.tracking.scopes import get_context, track, track_context


def here() -> str | None:
    return current().use_case_name


@track(use_case_name="module")
def module_function(text: str, *, times: int = 1) -> str:
    """Repeat it."""
    return f"{here()}:{text * times}"


@track(use_case_name="module")
async def module_coroutine(text: str) -> str:
    """Say it later."""
    await asyncio.sleep(0)
    return f"{here()}:{text}"


@track(use_case_name="module")
def module_generator(count: int) -> Iterator[str | None]:
    """Count."""
    for _ in range(count):
        yield here()


@track(use_case_name="module")
async def module_async_generator(count: int) -> AsyncIterator[str | None]:
    """Count later."""
    for _ in range(count):
        await asyncio.sleep(0)
        yield here()


def test_d9_name_doc_signature_and_kind_stay() -> None:
    assert module_function.__name__ == module_function.__qualname__ == "module_function"
    assert module_function.__module__ == __name__
    assert module_function.__doc__ == "Repeat it."
    assert str(inspect.signature(module_function)) == "(text: 'str', *, times: 'int' = 1) -> 'str'"
    assert get_type_hints(module_function) == {"text": str, "times": int, "return": str}
    assert inspect.isfunction(module_function)
    assert inspect.unwrap(module_function) is module_function.__wrapped__
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    assert [[kind(function) for kind in kinds] for function in (
        module_function, module_coroutine, module_generator, module_async_generator)] == [
        [False, False, False], [True, False, False], [False, True, False], [False, False, True]]  # fmt: skip
    assert asyncio.iscoroutinefunction(module_coroutine)


async def test_what_runs_is_of_the_same_kind_and_name() -> None:
    coroutine, generator, agen = module_coroutine("x"), module_generator(1), module_async_generator(1)
    assert inspect.iscoroutine(coroutine)
    assert inspect.isgenerator(generator)
    assert inspect.isasyncgen(agen)
    assert [one.__qualname__ for one in (coroutine, generator, agen)] == [
        "module_coroutine",
        "module_generator",
        "module_async_generator",
    ]
    assert [one.__name__ for one in (coroutine, generator, agen)] == [
        "module_coroutine",
        "module_generator",
        "module_async_generator",
    ]
    assert await coroutine == "module:x"
    assert list(generator) == ["module"]
    assert [item async for item in agen] == ["module"]


def test_d9_fastapi_sees_the_parameters_of_a_tracked_endpoint() -> None:
    pytest.importorskip("fastapi", reason="FastAPI belongs to the server extra")
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()

    @app.get("/sync")
    @track(use_case_name="sync_endpoint")
    def sync_endpoint(q: int) -> dict[str, Any]:
        return {"q": q, "use_case": here()}

    @app.get("/async")
    @track(use_case_name="async_endpoint")
    async def async_endpoint(q: int) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"q": q, "use_case": here()}

    with TestClient(app) as client:
        assert client.get("/sync", params={"q": 2}).json() == {"q": 2, "use_case": "sync_endpoint"}
        assert client.get("/async", params={"q": 2}).json() == {"q": 2, "use_case": "async_endpoint"}
        assert client.get("/sync").status_code == 422


def test_d10_any_keyword_reaches_the_function() -> None:
    scope = inspect.signature(read_arguments).parameters.keys() | ScopeChange.__annotations__.keys()
    names = [*scope, "self", "cls", "func", "wrapped", "wrapper", "instance", "args", "kwargs", "tracking"]
    given = {name: object() for name in names}

    @track(use_case_name="u", user_id="tracked")
    def plain(**kwargs: Any) -> dict[str, Any]:
        assert current().user_id == "tracked"
        return kwargs

    @track(use_case_name="u", user_id="tracked")
    async def later(**kwargs: Any) -> dict[str, Any]:
        assert current().user_id == "tracked"
        return kwargs

    @track
    def stream(**kwargs: Any) -> Iterator[dict[str, Any]]:
        yield kwargs

    assert plain(**given) == given
    assert asyncio.run(later(**given)) == given
    assert list(stream(**given)) == [given]


def test_wrong_call_fails_at_the_call_as_without_track() -> None:
    with pytest.raises(
        TypeError, match=r"module_generator\(\) missing 1 required positional argument: 'count'"
    ):
        module_generator()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"module_function\(\) got an unexpected keyword argument 'nope'"):
        module_function("x", nope=1)  # type: ignore[call-arg]


class Service:
    @track(use_case_name="method")
    def method(self, value: int) -> tuple[Any, ...]:
        return self, value, here()

    @track(use_case_name="method")
    async def coroutine(self, value: int) -> tuple[Any, ...]:
        await asyncio.sleep(0)
        return self, value, here()

    @track(use_case_name="method")
    def generator(self) -> Iterator[tuple[Any, ...]]:
        yield self, here()

    @track(use_case_name="above")
    @classmethod
    def class_above(cls, value: int) -> tuple[Any, ...]:
        return cls, value, here()

    @classmethod
    @track(use_case_name="below")
    def class_below(cls, value: int) -> tuple[Any, ...]:
        return cls, value, here()

    @track(use_case_name="above")
    @staticmethod
    def static_above(value: int) -> tuple[Any, ...]:
        return value, here()

    @staticmethod
    @track(use_case_name="below")
    def static_below(value: int) -> tuple[Any, ...]:
        return value, here()

    @track(use_case_name="above")
    @classmethod
    async def async_class_above(cls) -> tuple[Any, ...]:
        await asyncio.sleep(0)
        return cls, here()

    @track(use_case_name="above")
    @staticmethod
    async def async_static_above() -> tuple[Any, ...]:
        await asyncio.sleep(0)
        return (here(),)


class Child(Service):
    pass


def test_methods_of_every_kind() -> None:
    service = Child()
    assert service.method(1) == Service.method(service, 1) == (service, 1, "method")
    assert asyncio.run(service.coroutine(value=2)) == (service, 2, "method")
    assert list(service.generator()) == [(service, "method")]
    assert service.class_above(1) == Child.class_above(1) == (Child, 1, "above")
    assert service.class_below(1) == Child.class_below(1) == (Child, 1, "below")
    assert service.static_above(1) == Child.static_above(1) == (1, "above")
    assert service.static_below(1) == Child.static_below(1) == (1, "below")
    assert asyncio.run(service.async_class_above()) == (Child, "above")
    assert asyncio.run(Service.async_static_above()) == ("above",)
    assert str(inspect.signature(service.method)).startswith("(value: 'int')")
    assert str(inspect.signature(Service.method)).startswith("(self, value: 'int')")
    assert inspect.iscoroutinefunction(service.coroutine)
    assert inspect.iscoroutinefunction(Service.coroutine)
    assert inspect.isgeneratorfunction(service.generator)
    assert inspect.ismethod(service.method)


def test_partials_and_lambdas_are_tracked_too() -> None:
    async def named(name: str) -> tuple[str, str | None]:
        await asyncio.sleep(0)
        return name, here()

    assert asyncio.run(track(use_case_name="p")(functools.partial(named, "x"))()) == ("x", "p")
    assert track(use_case_name="l")(lambda: here())() == "l"


def test_bare_track_only_passes_the_scope_on() -> None:
    @track
    def inner() -> str | None:
        return current().user_id

    with track_context(user_id="jane"):
        assert inner() == "jane"
    assert inner() is None


def test_tracked_functions_pickle_and_copy_as_functions_do() -> None:
    assert pickle.loads(pickle.dumps(module_function)) is module_function
    assert copy.copy(module_function) is copy.deepcopy(module_function) is module_function


def test_classes_and_values_are_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match=r"Service is a class; decorate the methods"):
        track(use_case_name="u")(Service)
    with pytest.raises(
        TypeError, match=r"cannot track 'my_use_case', which is not callable; write @track or"
    ):
        track("my_use_case")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"track\(\): user_id must be a string, got int 1"):
        track(user_id=1)  # type: ignore[call-overload]


def test_a_new_use_case_gets_one_id_per_call_and_the_outer_one_keeps_its_own() -> None:
    @track(use_case_name="u")
    def call() -> str | None:
        return current().use_case_id

    first, second = call(), call()
    assert first != second
    assert [uuid.UUID(one).version for one in (first, second) if one] == [4, 4]
    with track_context(use_case_name="u", use_case_id="mine"):
        assert (call(), call()) == ("mine", "mine")
    with track_context(use_case_name="other", use_case_id="mine"):
        assert len({"mine", call(), call()}) == 3


def test_every_argument_of_a_scope_is_accepted() -> None:
    arguments: dict[str, Any] = {
        "use_case_name": "u",
        "use_case_id": "1",
        "use_case_version": 1,
        "use_case_step": "draft",
        "use_case_properties": {"k": "v"},
        "request_properties": {"k": "v"},
        "limit_ids": ["l"],
        "user_id": "u",
        "account_name": "a",
        "price_as_category": "c",
        "price_as_resource": "r",
        "resource_scope": "region",
        "log_prompt_and_response": False,
    }
    assert track(**arguments, proxy=False)(get_context)() == arguments


def test_recursion_and_exceptions_leave_nothing_open() -> None:
    @track(request_properties={"depth": "1"})
    def down(depth: int) -> None:
        with track_context(user_id=str(depth)):
            if depth == 0:
                raise KeyError("bottom")
            down(depth - 1)

    with pytest.raises(KeyError, match="bottom"):
        down(5)
    assert current() is EMPTY


async def test_cancelled_coroutine_leaves_nothing_open() -> None:
    entered = asyncio.Event()

    @track(user_id="jane")
    async def wait() -> None:
        entered.set()
        await asyncio.Future()

    async def outer() -> str | None:
        try:
            await wait()
        except asyncio.CancelledError:
            return current().user_id
        raise AssertionError

    task = asyncio.create_task(outer())
    await entered.wait()
    task.cancel()
    assert await task is None


def test_scope_is_the_one_open_at_the_call_even_if_the_body_runs_later() -> None:
    @track(use_case_step="s")
    async def later() -> str | None:
        await asyncio.sleep(0)
        return current().user_id

    with track_context(user_id="caller"):
        coroutine = later()
    assert asyncio.run(coroutine) == "caller"


def test_plain_threads_do_not_disturb_each_other() -> None:
    barrier = threading.Barrier(2)
    seen: dict[str, str | None] = {}

    @track
    def work(name: str) -> None:
        with track_context(user_id=name):
            barrier.wait()
            seen[name] = current().user_id
            barrier.wait()

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"a": "a", "b": "b"}
