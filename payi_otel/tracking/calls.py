"""Running a function, coroutine, generator or async generator inside a tracking context."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, TypeVar, cast

from payi_otel.tracking.context import Attachment, TrackingContext

T = TypeVar("T")


def tracked(function: T, tracking: Callable[[], TrackingContext | None]) -> T:
    """`function`, each call of which runs in the context that `tracking()` gives when it is called.

    Raises TypeError for a class or for what cannot be called.
    """
    target: Any = function
    if isinstance(target, (classmethod, staticmethod)):
        target = cast("Any", target).__func__
    if inspect.isclass(target):
        raise TypeError(
            f"{target.__qualname__} is a class; decorate the methods whose calls belong together, "
            "or create and use the object inside `with track_context(...)`"
        )
    if not callable(target):
        raise TypeError(f"cannot track {target!r}, which is not callable; write @track or @track(name=value)")
    run = _runner(target)

    def wrapper(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
        return run(tracking(), wrapped, args, kwargs)

    return _tracked_function()(function, wrapper)


@functools.cache
def _tracked_function() -> Callable[..., Any]:
    # Here, because wrapt takes longer to import than the rest of payi_otel.
    import wrapt

    class TrackedFunction(wrapt.FunctionWrapper):  # pyright: ignore[reportMissingTypeArgument]
        """A function wrapper that copies and pickles as a plain function does: by its name."""

        def __reduce_ex__(self, protocol: Any) -> str:
            return cast("Any", self).__wrapped__.__qualname__

        def __copy__(self) -> Any:
            return self

        def __deepcopy__(self, memo: Any) -> Any:
            return self

    return cast("Any", TrackedFunction)


def _runner(target: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(target):
        return _run_async_generator
    if inspect.isgeneratorfunction(target):
        return _run_generator
    if inspect.iscoroutinefunction(target):
        return _run_coroutine
    return _run_function


def _run_function(
    tracking: TrackingContext | None, function: Callable[..., Any], args: Any, kwargs: Any
) -> Any:
    with Attachment(tracking):
        return function(*args, **kwargs)


def _run_coroutine(
    tracking: TrackingContext | None, function: Callable[..., Any], args: Any, kwargs: Any
) -> Coroutine[Any, Any, Any]:
    async def run() -> Any:
        return await _Awaited(Attachment(tracking), function(*args, **kwargs))

    return _named_as(function, run())


def _run_generator(
    tracking: TrackingContext | None, function: Callable[..., Any], args: Any, kwargs: Any
) -> Generator[Any, Any, Any]:
    return _named_as(function, _steps(Attachment(tracking), function(*args, **kwargs)))


def _run_async_generator(
    tracking: TrackingContext | None, function: Callable[..., Any], args: Any, kwargs: Any
) -> AsyncGenerator[Any, Any]:
    return _named_as(function, _async_steps(Attachment(tracking), function(*args, **kwargs)))


def _named_as(function: Callable[..., Any], running: T) -> T:
    """Give what runs for `function` its name: it is what task lists, warnings and profilers show."""
    vars_of: Any = running
    vars_of.__name__ = getattr(function, "__name__", vars_of.__name__)
    vars_of.__qualname__ = getattr(function, "__qualname__", vars_of.__qualname__)
    return running


# Whatever the consumer does at a `yield` (send, throw, close) is sent to or thrown into the inner generator,
# GeneratorExit included: the inner one then decides what close() does, as without us.


def _steps(attachment: Attachment, inner: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """`yield from inner`, attached only while `inner` runs."""
    step: Callable[[], Any] = functools.partial(inner.send, None)
    try:
        while True:
            try:
                with attachment:
                    item = step()
            except StopIteration as stop:
                return stop.value
            try:
                step = functools.partial(inner.send, (yield item))
            except BaseException as thrown:
                step = functools.partial(inner.throw, thrown)
    finally:
        # It may hold an exception whose traceback holds this frame.
        del step


class _Awaited:
    """`await awaitable`, attached only while it runs: a coroutine that waits may be closed from anywhere."""

    __slots__ = ("_attachment", "_awaitable")

    def __init__(self, attachment: Attachment, awaitable: Any) -> None:
        self._attachment = attachment
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, Any]:
        return _steps(self._attachment, self._awaitable.__await__())


async def _async_steps(attachment: Attachment, inner: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    step: Callable[[], Any] = functools.partial(_first_step, inner)
    try:
        while True:
            try:
                item = await _Awaited(attachment, step())
            except StopAsyncIteration:
                return
            try:
                step = functools.partial(inner.asend, (yield item))
            except BaseException as thrown:
                step = functools.partial(inner.athrow, thrown)
    finally:
        del step


def _first_step(inner: AsyncGenerator[Any, Any]) -> Coroutine[Any, Any, Any]:
    """`inner.asend(None)`, hidden from the event loop.

    A loop that shuts down closes every async generator it has seen start, all at once. It sees ours, which
    closes the inner one; closing both at the same time fails with "already running".
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return inner.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)
