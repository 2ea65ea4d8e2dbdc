"""An endpoint is described once, by a method that returns its `Call`; these descriptors send it.

On a resource of `Payi` the method blocks and returns the result; on one of `AsyncPayi` it returns a coroutine.
Both keep the description's parameters and documentation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from typing_extensions import Self

from payi_otel.client.call import Call
from payi_otel.client.pages import AsyncListing, Listing, Page
from payi_otel.client.transport import AsyncSender, SyncSender

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", SyncSender, AsyncSender)


class Resource(Generic[S]):
    """A group of endpoints bound to a client's sender."""

    __slots__ = ("sender",)

    def __init__(self, sender: S) -> None:
        self.sender = sender


class endpoint(Generic[P, T]):
    """Makes a description of one request callable."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, instance: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, instance: Resource[SyncSender], owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Resource[AsyncSender], owner: Any) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, instance: Resource[Any] | None, owner: Any) -> Any:
        return self if instance is None else _bound(self.describe, instance, instance.sender.send)


class pages(Generic[P, T]):
    """Makes a description of a list request callable."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Listing[T]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, instance: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, instance: Resource[SyncSender], owner: Any) -> Callable[P, Page[T]]: ...
    @overload
    def __get__(self, instance: Resource[AsyncSender], owner: Any) -> Callable[P, AsyncListing[T]]: ...
    def __get__(self, instance: Resource[Any] | None, owner: Any) -> Any:
        return self if instance is None else _bound(self.describe, instance, _first_page(instance.sender))


def _bound(describe: Callable[..., Any], instance: Any, send: Callable[[Any], Any]) -> Callable[..., Any]:
    """Describe, then send; with the name, documentation and signature of the description."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return send(describe(instance, *args, **kwargs))

    return functools.update_wrapper(method, describe.__get__(instance))


def _first_page(sender: SyncSender | AsyncSender) -> Callable[[Listing[Any]], Any]:
    if isinstance(sender, AsyncSender):
        return lambda described: AsyncListing(described, sender)
    return lambda described: Page(sender.send(described.call), described.call, sender)
