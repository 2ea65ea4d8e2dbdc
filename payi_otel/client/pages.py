"""Cursor pages that fetch what follows them while they are iterated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from payi_otel.client.call import Call, Options, Reply
from payi_otel.client.decode import Result
from payi_otel.client.errors import APIResponseValidationError
from payi_otel.client.transport import AsyncSender, SyncSender

T = TypeVar("T")
R = TypeVar("R", bound=Result)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageBody(Result):
    """The JSON object around a page's items."""

    items: tuple[Any, ...]
    cursor: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class PageData(Generic[T]):
    """One page as the API sends it. `cursor` leads to the next one; None on the last."""

    items: tuple[T, ...]
    cursor: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list call: the call of its first page, from which the others follow."""

    call: Call[PageData[T]]


def listing(
    path: str,
    cls: type[R],
    *,
    cursor: str | None,
    limit: int | None,
    sort_ascending: bool | None,
    options: Options,
    **query: Any,
) -> Listing[R]:
    """Describe GET `path` whose items are `cls`."""

    def parse(reply: Reply) -> PageData[R]:
        body = PageBody.from_json(reply.json())
        items = tuple(cls.from_json(item) for item in body.items)
        return PageData(items, body.cursor or None, body.request_id)

    query = {**query, "cursor": cursor, "limit": limit, "sort_ascending": sort_ascending}
    return Listing(Call("GET", path, parse, repeatable=True, query=query, options=options))


@dataclass(frozen=True, slots=True)
class _Fetched(Generic[T]):
    data: PageData[T]
    call: Call[PageData[T]]

    @property
    def items(self) -> tuple[T, ...]:
        """The items of this page alone."""
        return self.data.items

    @property
    def cursor(self) -> str | None:
        """Where the next page starts; None on the last page."""
        return self.data.cursor

    @property
    def request_id(self) -> str | None:
        """The service's id of the request that gave this page."""
        return self.data.request_id

    def has_next_page(self) -> bool:
        """Whether another page follows."""
        return self.data.cursor is not None

    def next_call(self) -> Call[PageData[T]] | None:
        """The call for the next page, or None on the last."""
        if self.data.cursor is None:
            return None
        if self.data.cursor == self.call.query.get("cursor"):
            raise APIResponseValidationError(
                f"GET {self.call.path}: the page leads to itself", body=self.data.cursor
            )
        return self.call.with_query(cursor=self.data.cursor)


@dataclass(frozen=True, slots=True)
class Page(_Fetched[T]):
    """A page of a list. Iterating gives its items and those of all following pages, fetched when needed.

    >>> names = [item.limit_name for item in client.limits.list()]  # doctest: +SKIP
    """

    sender: SyncSender

    def __iter__(self) -> Iterator[T]:
        page: Page[T] | None = self
        while page is not None:
            yield from page.items
            page = page.next_page()

    def next_page(self) -> Page[T] | None:
        """Fetch the next page; None when this is the last."""
        call = self.next_call()
        return None if call is None else Page(self.sender.send(call), call, self.sender)


@dataclass(frozen=True, slots=True)
class AsyncPage(_Fetched[T]):
    """A page of a list. `async for` gives its items and those of all following pages, fetched when needed."""

    sender: AsyncSender

    async def __aiter__(self) -> AsyncIterator[T]:
        page: AsyncPage[T] | None = self
        while page is not None:
            for item in page.items:
                yield item
            page = await page.next_page()

    async def next_page(self) -> AsyncPage[T] | None:
        """Fetch the next page; None when this is the last."""
        call = self.next_call()
        return None if call is None else AsyncPage(await self.sender.send(call), call, self.sender)


@dataclass(frozen=True, slots=True)
class AsyncListing(Generic[T]):
    """What an async list method returns: `await` it for the first page, or `async for` over all items."""

    listing: Listing[T]
    sender: AsyncSender

    def __await__(self) -> Generator[Any, None, AsyncPage[T]]:
        return self._first().__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        async for item in await self._first():
            yield item

    async def _first(self) -> AsyncPage[T]:
        return AsyncPage(await self.sender.send(self.listing.call), self.listing.call, self.sender)
