"""The clients: `Payi` blocks, `AsyncPayi` awaits. Both have the same resources."""

from __future__ import annotations

import copy
import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Generic, Literal

import httpx2
from typing_extensions import Self

from payi_otel.client.call import Timeout
from payi_otel.client.endpoint import S
from payi_otel.client.errors import InvalidArgumentError, PayiError
from payi_otel.client.resources.categories import Categories
from payi_otel.client.resources.experiences import Experiences
from payi_otel.client.resources.ingest import Ingest
from payi_otel.client.resources.limits import Limits
from payi_otel.client.resources.reports import Reports
from payi_otel.client.resources.requests import Requests
from payi_otel.client.resources.use_cases import UseCases
from payi_otel.client.transport import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, AsyncSender, Config, SyncSender
from payi_otel.client.urls import resolve_base_url
from payi_otel.version import VERSION


class _Client(Generic[S]):
    """Resources and settings, the same for both clients."""

    def __init__(self, sender: S) -> None:
        self._sender = sender

    @property
    def api_key(self) -> str:
        """The API key in use."""
        return self._sender.config.api_key

    @property
    def base_url(self) -> str:
        """The service's address, without a trailing slash."""
        return self._sender.config.base_url

    @property
    def timeout(self) -> Timeout:
        """Seconds, or an `httpx2.Timeout`; None waits for ever."""
        return self._sender.config.timeout

    @property
    def max_retries(self) -> int:
        """How often a failed request is repeated."""
        return self._sender.config.max_retries

    @property
    def use_cases(self) -> UseCases[S]:
        """Use cases, their instances and KPIs."""
        return UseCases(self._sender)

    @property
    def experiences(self) -> Experiences[S]:
        """Use cases under their old name."""
        return Experiences(self._sender)

    @property
    def limits(self) -> Limits[S]:
        """Spending limits."""
        return Limits(self._sender)

    @property
    def categories(self) -> Categories[S]:
        """Categories, resources and their prices."""
        return Categories(self._sender)

    @property
    def requests(self) -> Requests[S]:
        """Earlier requests."""
        return Requests(self._sender)

    @property
    def ingest(self) -> Ingest[S]:
        """Submitting events."""
        return Ingest(self._sender)

    @property
    def reports(self) -> Reports[S]:
        """Saved reports."""
        return Reports(self._sender)

    def with_options(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: Timeout | Literal["unchanged"] = "unchanged",
        max_retries: int | None = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, Any] | None = None,
    ) -> Self:
        """A client with some settings changed, on the same connections; headers and query are added to.

        >>> client.with_options(timeout=2.0, max_retries=0).limits.list()  # doctest: +SKIP
        """
        old = self._sender.config
        config = replace(
            old,
            api_key=old.api_key if api_key is None else _api_key(api_key),
            base_url=old.base_url if base_url is None else resolve_base_url(base_url),
            timeout=old.timeout if isinstance(timeout, str) else timeout,
            max_retries=old.max_retries if max_retries is None else _max_retries(max_retries),
            headers={**old.headers, **(default_headers or {})},
            query={**old.query, **(default_query or {})},
        )
        other = copy.copy(self)
        other._sender = self._sender.with_config(config)
        return other

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"


class Payi(_Client[SyncSender]):
    """The Pay-i API, blocking. Use it as a context manager, or call `close()`.

    `api_key`: PAYI_API_KEY if left out. `base_url`: PAYI_BASE_URL, else https://api.pay-i.com. `timeout`: seconds
    or an `httpx2.Timeout`; 60 s, 5 s to connect, if left out; None waits for ever. `max_retries`: how often a
    request is repeated after 408, 409, 429, 5xx and broken connections, as far as repeating it cannot count
    anything twice. `default_headers` (with PAYI_CUSTOM_HEADERS, lines of "Name: value") and `default_query` go with
    every request. `http_client`: your own `httpx2.Client`.

    Raises `PayiError` when there is no key, `InvalidArgumentError` for other bad arguments. Methods raise
    `APIStatusError` and `APIConnectionError`.

    >>> with Payi(api_key="sk-payi-example", base_url="http://localhost:8000/") as client:
    ...     client
    Payi(base_url='http://localhost:8000')
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, Any] | None = None,
        http_client: httpx2.Client | None = None,
    ) -> None:
        config = _config(api_key, base_url, timeout, max_retries, default_headers, default_query)
        super().__init__(SyncSender(config, http_client or httpx2.Client(limits=_POOL)))

    def close(self) -> None:
        """Close the connections, also those of clients made by `with_options`."""
        self._sender.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncPayi(_Client[AsyncSender]):
    """The Pay-i API for asyncio: `Payi` with awaited methods; lists work with `async for`.

    >>> async def first_limit():
    ...     async with AsyncPayi(api_key="sk-payi-example") as client:
    ...         async for limit in client.limits.list():
    ...             return limit
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, Any] | None = None,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        config = _config(api_key, base_url, timeout, max_retries, default_headers, default_query)
        super().__init__(AsyncSender(config, http_client or httpx2.AsyncClient(limits=_POOL)))

    async def close(self) -> None:
        """Close the connections, also those of clients made by `with_options`."""
        await self._sender.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


_POOL = httpx2.Limits(max_connections=100, max_keepalive_connections=20)


def _config(
    api_key: str | None,
    base_url: str | None,
    timeout: Timeout,
    max_retries: int,
    default_headers: Mapping[str, str] | None,
    default_query: Mapping[str, Any] | None,
) -> Config:
    return Config(
        api_key=_api_key(os.environ.get("PAYI_API_KEY") if api_key is None else api_key),
        base_url=resolve_base_url(base_url),
        timeout=timeout,
        max_retries=_max_retries(max_retries),
        headers={**_own_headers(), **(default_headers or {})},
        query=default_query or {},
    )


def _api_key(value: str | None) -> str:
    """The key, checked without ever quoting it."""
    key = (value or "").strip()
    if not key:
        raise PayiError("api_key: missing; pass api_key= or set PAYI_API_KEY to a key of your application")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidArgumentError(
            "api_key: has a space, line break or non-ASCII character; copy the key again"
        )
    return key


def _max_retries(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError(f"max_retries={value!r}: give a whole number, 0 for no retries")
    return value


def _own_headers() -> dict[str, str]:
    """Who we are, and the headers of PAYI_CUSTOM_HEADERS."""
    headers = {"User-Agent": f"payi-otel/{VERSION} python/{platform.python_version()}"}
    for line in os.environ.get("PAYI_CUSTOM_HEADERS", "").splitlines():
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            # The line may hold a secret, so it is not quoted.
            raise InvalidArgumentError("PAYI_CUSTOM_HEADERS: has a line without 'Name: value'; correct it")
        headers[name.strip()] = value.strip()
    return headers
