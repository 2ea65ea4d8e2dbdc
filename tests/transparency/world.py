"""A scenario, the world it runs in, and everything a caller could see of it."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import ssl
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import anthropic
import openai

from tests.support.vendor import Received, Vendor, running_vendor
from tests.transparency.provider import Provider

_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# Written by OpenTelemetry for whoever samples the trace; carries nothing the vendor answers to.
_TRACE_HEADERS = frozenset({"traceparent", "tracestate"})


def http_library(sdk: ModuleType) -> ModuleType:
    """The HTTP library an SDK version stands on: httpx, or httpx2 since openai 3 and anthropic 1."""
    for base in sdk.DefaultHttpxClient.__mro__:
        root = base.__module__.partition(".")[0]
        if root.startswith("httpx"):
            return importlib.import_module(root)
    raise AssertionError(
        f"{sdk.__name__} {sdk.__version__} stands on an HTTP library these tests do not know"
    )


def version(sdk: ModuleType) -> tuple[int, ...]:
    """`(3, 52, 0)`."""
    return tuple(int(part) for part in sdk.__version__.split(".")[:3])


@dataclass(frozen=True)
class Scenario:
    """One thing a caller does. `expected` are the outcome and usage source of each event, "|" between options."""

    name: str
    run: Callable[[World], Any] | Callable[[World], Awaitable[Any]]
    expected: tuple[tuple[str, str], ...]
    needs: Callable[[], bool]
    extra_requests: int = 0


REGISTRY: dict[str, Scenario] = {}

OK = ("ok", "provider")


def scenario(
    *expected: tuple[str, str], needs: Callable[[], bool] = lambda: True, extra_requests: int = 0
) -> Callable[[Any], Any]:
    """Register a function of a `World` as a scenario; its name is the scenario's."""

    def register(function: Any) -> Any:
        name = function.__name__.replace("_", " ")
        assert name not in REGISTRY, f"two scenarios are called {name!r}"
        REGISTRY[name] = Scenario(name, function, expected, needs, extra_requests)
        return function

    return register


@dataclass
class World:
    """A vendor on loopback and clients that talk to it."""

    vendor: Vendor
    api: Provider
    _http: list[Any] = field(default_factory=list[Any])

    def openai(self, **options: Any) -> openai.OpenAI:
        """A client of the fake vendor."""
        return openai.OpenAI(**self.connection(openai, "Client", "/v1") | options)

    def async_openai(self, **options: Any) -> openai.AsyncOpenAI:
        """An asynchronous client of the fake vendor."""
        return openai.AsyncOpenAI(**self.connection(openai, "AsyncClient", "/v1") | options)

    def azure(self, **options: Any) -> openai.AzureOpenAI:
        """An Azure client of the fake vendor."""
        common = self.connection(openai, "Client", "")
        endpoint = common.pop("base_url")
        return openai.AzureOpenAI(
            **common | {"azure_endpoint": endpoint, "api_version": "2024-10-21"} | options
        )

    def anthropic(self, **options: Any) -> anthropic.Anthropic:
        """A client of the fake vendor."""
        return anthropic.Anthropic(**self.connection(anthropic, "Client", "") | options)

    def async_anthropic(self, **options: Any) -> anthropic.AsyncAnthropic:
        """An asynchronous client of the fake vendor."""
        return anthropic.AsyncAnthropic(**self.connection(anthropic, "AsyncClient", "") | options)

    def http_client(self, library: ModuleType, kind: str = "Client", **options: Any) -> Any:
        """A bare HTTP client that is closed with the world."""
        client = getattr(library, kind)(verify=_TLS, trust_env=False, timeout=30, **options)
        self._http.append(client)
        return client

    def connection(self, sdk: ModuleType, kind: str, path: str) -> dict[str, Any]:
        """Arguments that make a client talk to the vendor."""
        return {
            "api_key": "k",
            "base_url": self.vendor.url + path,
            "http_client": self.http_client(http_library(sdk), kind),
        }

    async def wait_for_request(self) -> None:
        """Until the vendor has the request, so that a cancellation finds it under way."""
        while not self.vendor.received:
            await asyncio.sleep(0.001)

    def close(self) -> None:
        """Close the synchronous clients."""
        for client in self._http:
            if hasattr(client, "close"):
                client.close()

    async def aclose(self) -> None:
        """Close the asynchronous clients inside their loop."""
        for client in self._http:
            if hasattr(client, "aclose"):
                await client.aclose()


@dataclass(frozen=True)
class Sight:
    """What the caller and the vendor saw of one run."""

    result: Any
    warned: list[tuple[str, str, str, int]]
    requests: list[Received]


def look(chosen: Scenario) -> Sight:
    """Run a scenario in a fresh world."""
    api = Provider()
    with running_vendor(api.respond) as vendor, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        world = World(vendor, api)
        try:
            if inspect.iscoroutinefunction(chosen.run):
                result = asyncio.run(_run_async(chosen.run, world))
            else:
                result = chosen.run(world)
        finally:
            world.close()
        gc.collect()
        # Pooled connections of clients the scenario threw away are the garbage collector's business.
        told = [w for w in caught if not issubclass(w.category, ResourceWarning)]
        warned = [(w.category.__name__, str(w.message), Path(w.filename).name, w.lineno) for w in told]
        return Sight(result, warned, list(vendor.received))


async def _run_async(run: Callable[[World], Awaitable[Any]], world: World) -> Any:
    try:
        result = await run(world)
        gc.collect()
        # One turn of the loop for the finalisers of abandoned async generators.
        await asyncio.sleep(0)
        return result
    finally:
        await world.aclose()


def requests_told_apart(bare: list[Received], instrumented: list[Received], extra: int) -> list[str]:
    """How the requests that arrived differ, the usage we ask for aside; `extra` refused ones come first."""
    if len(instrumented) != len(bare) + extra:
        return [f"{len(bare)} requests bare, {len(instrumented)} instrumented, {extra} more expected"]
    differences: list[str] = []
    # Calls made at once arrive in any order; those of one kind are alike.
    pairs = zip(sorted(bare, key=_kind), sorted(instrumented[extra:], key=_kind), strict=True)
    for expected, got in pairs:
        sent = got.json()
        injected = _without_injection(expected.json(), sent)
        for what, one, other in (
            ("method", expected.method, got.method),
            ("path", expected.path, got.path),
            ("query", expected.query, got.query),
            ("body", expected.json(), injected),
            ("bytes", expected.body if injected is sent else b"", got.body if injected is sent else b""),
            ("headers", _headers(expected, injected is sent), _headers(got, injected is sent)),
        ):
            if one != other:
                differences.append(f"{what}: bare {one!r}, instrumented {other!r}")
    return differences


def _kind(received: Received) -> tuple[str, str]:
    return received.path, str(received.json().get("stream"))


def _without_injection(bare: Any, sent: Any) -> Any:
    options = sent.get("stream_options") if isinstance(sent, dict) else None
    before = bare.get("stream_options") if isinstance(bare, dict) else None
    if not options or "include_usage" in (before or {}) or options.get("include_usage") is not True:
        return sent
    rest = {name: value for name, value in options.items() if name != "include_usage"}
    cleaned = {**sent, "stream_options": rest}
    if not rest and before is None:
        del cleaned["stream_options"]
    return cleaned


def _headers(received: Received, with_length: bool) -> dict[str, str]:
    hidden = _TRACE_HEADERS | {"host"} | (frozenset[str]() if with_length else {"content-length"})
    return {name: value for name, value in received.headers.items() if name not in hidden}


def dump(value: Any) -> Any:
    """Everything of an SDK model: its class, the fields that were set, and their values."""
    if not hasattr(value, "model_fields_set"):
        return type(value).__qualname__, repr(value)
    fields = value.model_dump(exclude_unset=True, warnings=False)
    return type(value).__module__, type(value).__qualname__, sorted(value.model_fields_set), fields


def describe(error: BaseException) -> tuple[Any, ...]:
    """Everything a caller may tell an exception by."""
    cause, context = error.__cause__, error.__context__
    return (
        type(error).__module__,
        type(error).__qualname__,
        str(error).replace("\n", " "),
        cause and (type(cause).__qualname__, str(cause)),
        context and type(context).__qualname__,
        getattr(error, "status_code", None),
        getattr(error, "request_id", None),
        getattr(error, "__notes__", None),
    )


def raised(action: Callable[[], Any]) -> tuple[Any, ...]:
    """What `action` raises; it must raise."""
    try:
        got = action()
    except BaseException as error:
        return describe(error)
    raise AssertionError(f"nothing was raised, got {got!r}")
