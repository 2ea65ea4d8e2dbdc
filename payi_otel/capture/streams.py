"""Parsed event streams: `Stream.__stream__` and `AsyncStream.__stream__` of both SDKs."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from payi_otel.capture.injection import Verdict
from payi_otel.faults import faults
from payi_otel.providers.assembly import ChatAssembler
from payi_otel.registry import registry

if TYPE_CHECKING:
    from payi_otel.capture.call import Call


def wrap_stream(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """wrapt wrapper of `__stream__`: the SDK's iterator, watched."""
    inner = wrapped(*args, **kwargs)
    try:
        call = registry.calls.get(instance.response)
        if call is None or call.done:
            return inner
        # Weakly: a strong reference would tie response and iterator into a cycle, and a dropped stream would
        # stay open until the garbage collector comes.
        call.sdk_iterator = weakref.ref(inner)
        watch = _AsyncWatch if hasattr(inner, "__anext__") else _watch
        return watch(inner, call, _text_taker(call))
    except Exception as error:
        faults.report("capture.stream", error)
        return inner


def _judge(call: Call, item: Any) -> Verdict:
    gate = call.gate
    call.observe(item)
    if gate is None:
        return Verdict.PASS
    try:
        return gate.judge(item)
    except Exception as error:
        faults.report("capture.usage_gate", error)
        return Verdict.PASS


def _text_taker(call: Call) -> Callable[[Any], bool]:
    """What takes a chunk that brings more text and nothing else, which then passes as it is: nearly all do."""
    assembler = call.expect_events()
    if isinstance(assembler, ChatAssembler):
        assembler.hides_usage = call.gate is not None
    return assembler.feed_text


def _watch(inner: Iterator[Any], call: Call, is_text: Callable[[Any], bool]) -> Iterator[Any]:
    try:
        for item in inner:
            if is_text(item):
                yield item
                continue
            verdict = _judge(call, item)
            if verdict is Verdict.PASS:
                yield item
            elif verdict is Verdict.LOOK_AHEAD:
                following, failure = _next_of(inner)
                hidden = following is _NOTHING or _judge(call, following) is Verdict.HIDE
                yield item
                if failure is not None:
                    raise failure
                if not hidden:
                    yield following
    except GeneratorExit:
        # Either close() or the garbage collector: only the finalizer-safe way fits both.
        call.finish_later("closed_early")
        raise
    except BaseException as error:
        call.finish("error", error)
        raise
    else:
        call.finish("ok")
    finally:
        cast(Any, inner).close()


_NOTHING = object()


def _next_of(inner: Iterator[Any]) -> tuple[Any, BaseException | None]:
    try:
        return next(inner), None
    except StopIteration:
        return _NOTHING, None
    except BaseException as error:
        return _NOTHING, error


class _AsyncWatch:
    """An iterator rather than an async generator: the event loop has no second generator to finalise."""

    __slots__ = ("__weakref__", "_call", "_held", "_inner", "_is_text", "_next", "_started")

    def __init__(self, inner: AsyncIterator[Any], call: Call, is_text: Callable[[Any], bool]) -> None:
        self._inner = inner
        self._next = inner.__anext__
        self._is_text = is_text
        self._call = call
        self._held: list[tuple[Any, BaseException | None]] = []
        self._started = False

    def __aiter__(self) -> _AsyncWatch:
        return self

    async def __anext__(self) -> Any:
        self._started = True
        if self._held:
            item, failure = self._held.pop()
            if failure is not None:
                raise failure
            return item
        call = self._call
        try:
            while True:
                item = await self._next()
                if self._is_text(item):
                    return item
                verdict = _judge(call, item)
                if verdict is Verdict.HIDE:
                    continue
                if verdict is Verdict.LOOK_AHEAD:
                    await self._look_ahead(item)
                return item
        except StopAsyncIteration:
            call.finish("ok")
            raise
        except BaseException as error:
            call.finish("cancelled" if isinstance(error, asyncio.CancelledError) else "error", error)
            raise

    async def _look_ahead(self, item: Any) -> None:
        try:
            following = await self._next()
        except StopAsyncIteration:
            self._call.finish("ok")
        except asyncio.CancelledError:
            # The caller would have had this chunk before: it is next, should the stream be read on.
            self._held.append((item, None))
            raise
        except BaseException as error:
            self._call.finish("error", error)
            self._held.append((None, error))
        else:
            if _judge(self._call, following) is not Verdict.HIDE:
                self._held.append((following, None))

    async def aclose(self) -> None:
        """Close the SDK's iterator, as closing an async generator would."""
        try:
            await cast(Any, self._inner).aclose()
        finally:
            self._call.finish("closed_early")

    async def asend(self, value: Any) -> Any:
        """Forward to the SDK's async generator."""
        return await cast(Any, self._inner).asend(value)

    async def athrow(self, *error: Any) -> Any:
        """Forward to the SDK's async generator."""
        return await cast(Any, self._inner).athrow(*error)

    def __del__(self) -> None:
        try:
            # One that never began may be a first look at a response that somebody else reads.
            if self._started:
                self._call.finish_later("dropped")
        except Exception:
            # At interpreter shutdown even our own modules may be gone; the exit sweep has run before.
            return
