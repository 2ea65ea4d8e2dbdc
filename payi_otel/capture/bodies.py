"""Response bodies: every way a body is read by the caller, and every way it ends.

A body is replaced by a proxy of the same stream type. While the SDK's parser reads it, the proxy hands out the
inner iterator untouched; when the caller reads bytes or lines, a reader looks at them on the way.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from payi_otel.capture.readers import BodyReader, reader_for
from payi_otel.registry import registry

if TYPE_CHECKING:
    from payi_otel.capture.call import Call


class WatchedBody:
    """What the proxies of both HTTP libraries share; the byte-stream bases are added per library."""

    # The SDK reads `stream_observer` once per event and httpx reads `elapsed`: real attributes, because a
    # `__getattr__` would cost more than all the rest of the proxy.
    stream_observer: Any
    call: Call

    def __init__(self, inner: Any, call: Call, decoded: Callable[[bytes], bytes]) -> None:
        self._inner = inner
        self._decoded = decoded
        self.call = call
        self.stream_observer = getattr(inner, "stream_observer", None)

    @property
    def elapsed(self) -> Any:
        return getattr(self._inner, "elapsed", None)

    def __iter__(self) -> Iterator[bytes]:
        call = self.call
        if call.is_being_read or call.done:
            return iter(self._inner)
        return _read(iter(self._inner), call, reader_for(call, self._decoded))

    def __aiter__(self) -> AsyncIterator[bytes]:
        call = self.call
        if call.is_being_read or call.done:
            return self._inner.__aiter__()
        return _aread(self._inner.__aiter__(), call, reader_for(call, self._decoded))

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._closed()

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._closed()

    def _closed(self) -> None:
        # The SDK closes the response inside its iterator, before that raises or returns.
        if not self.call.is_being_read:
            self.call.finish("closed_early" if self.call.exchange.is_stream else "ok")

    def __del__(self) -> None:
        try:
            self.call.finish_later("dropped")
        except Exception:
            # Half-built, or the interpreter is going down and the exit sweep has run: nothing is left to tell.
            return


def _read(inner: Iterator[bytes], call: Call, reader: BodyReader) -> Iterator[bytes]:
    try:
        for data in inner:
            passed = reader.feed(data)
            if passed:
                yield passed
        rest = reader.end()
        if rest:
            yield rest
    except GeneratorExit:
        call.finish_later("closed_early")
        raise
    except BaseException as error:
        call.finish("error", error)
        raise
    else:
        call.finish("ok")


async def _aread(inner: AsyncIterator[bytes], call: Call, reader: BodyReader) -> AsyncIterator[bytes]:
    try:
        async for data in inner:
            passed = reader.feed(data)
            if passed:
                yield passed
        rest = reader.end()
        if rest:
            yield rest
    except GeneratorExit:
        call.finish_later("closed_early")
        raise
    except BaseException as error:
        call.finish("cancelled" if isinstance(error, asyncio.CancelledError) else "error", error)
        raise
    else:
        call.finish("ok")
    finally:
        close = getattr(inner, "aclose", None)
        if close is not None:
            await close()


def watch_body(call: Call, response: Any) -> None:
    """Attach `call` to an HTTP response whose body is still to be read."""
    registry.calls[response] = call
    if response.is_closed:
        return
    library = _http_library(response)
    body = response.stream
    bases = tuple(
        base for base in (library.SyncByteStream, library.AsyncByteStream) if isinstance(body, base)
    )
    if not bases:
        return
    headers = response.headers

    def decoded(content: bytes) -> bytes:
        return library.Response(200, headers=headers, content=content).content

    response.stream = _watched_class(bases)(body, call, decoded)


@lru_cache(maxsize=8)
def _watched_class(bases: tuple[type, ...]) -> type[WatchedBody]:
    return type("WatchedBody", (WatchedBody, *bases), {})


def _http_library(response: Any) -> Any:
    """The module (httpx or httpx2) whose classes this response is made of; SDKs changed it between majors."""
    for cls in type(response).__mro__:
        root = cls.__module__.partition(".")[0]
        if root in {"httpx", "httpx2"}:
            return sys.modules[root]
    raise TypeError(f"not a response of httpx or httpx2: {type(response).__module__}")
