"""Where the provider SDKs are patched: six methods each, the same in every version since openai 1.26 and
anthropic 0.39, and the websocket connections of openai.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast

import wrapt

from payi_otel.capture.call import Call
from payi_otel.capture.requests import CURRENT, begin, close_response
from payi_otel.capture.streams import wrap_stream
from payi_otel.capture.websockets import CONNECTIONS, wrap_recv, wrap_recv_async
from payi_otel.faults import faults
from payi_otel.providers.model import Sdk
from payi_otel.registry import registry

Wrapper = Callable[[Any, Any, Any, Any], Any]


def install(sdk: Sdk) -> None:
    """Patch an SDK. Clients that exist already are covered: the methods are looked up on their class.

    Raises ImportError or AttributeError when the SDK is absent or older than the supported ones.
    """
    _apply(_patches(sdk))
    if sdk == "openai":
        _watch_imports()


def install_when_loaded(sdk: Sdk) -> None:
    """Patch an SDK once the application imports it: to import it here would take a second.

    What an SDK that is too old raises then is reported, and it stays as it is.
    """
    if sdk not in registry.watched_imports:
        registry.watched_imports.add(sdk)
        wrapt.register_post_import_hook(_sdk_loaded, sdk)


def _sdk_loaded(module: ModuleType) -> None:
    sdk = cast("Sdk", module.__name__)
    if sdk in registry.instrumented:
        try:
            install(sdk)
        except Exception as error:
            registry.instrumented.discard(sdk)
            faults.report(f"instrument.{sdk}", error)


def _apply(patches: Sequence[tuple[str, str, Wrapper]]) -> None:
    for module, attribute, wrapper in patches:
        owner, name = _target(module, attribute)
        for place in _places(owner, name):
            if not _holds(place.__dict__[name], wrapper):
                wrapt.wrap_function_wrapper(place, name, wrapper)


def remove(sdk: Sdk) -> None:
    """Put the SDK's own methods back."""
    if sdk not in sys.modules:
        return
    for module, attribute, wrapper in _patches(sdk):
        owner, name = _target(module, attribute)
        for place in _places(owner, name):
            function = place.__dict__[name]
            # Another package may have wrapped ours since: then ours stays, idle, because nobody is instrumented.
            if getattr(function, "_self_wrapper", None) is wrapper:
                setattr(place, name, function.__wrapped__)


def _places(owner: type, name: str) -> list[type]:
    """The class of a method, and those below it where another package has put a wrapper of that same method.

    Such a wrapper (OpenInference's or Logfire's on `OpenAI.request`) took the method before we came, and goes past
    what we do to the class above.
    """
    original = _innermost(owner.__dict__[name])
    places = [owner]
    for place in places:
        places += [below for below in place.__subclasses__() if below not in places]
    return [place for place in places if place is owner or _innermost(vars(place).get(name)) is original]


def _innermost(function: Any) -> Any:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def _target(module: str, attribute: str) -> tuple[type, str]:
    owner, _, name = attribute.partition(".")
    return getattr(importlib.import_module(module), owner), name


def _holds(function: Any, wrapper: Wrapper) -> bool:
    """True when ours is in place already, under what another package has put around it since."""
    while function is not None:
        if getattr(function, "_self_wrapper", None) is wrapper:
            return True
        function = getattr(function, "__wrapped__", None)
    return False


def _patches(sdk: Sdk) -> list[tuple[str, str, Wrapper]]:
    base, streaming = f"{sdk}._base_client", f"{sdk}._streaming"
    patches: list[tuple[str, str, Wrapper]] = [
        (base, "SyncAPIClient.request", _REQUEST[sdk]),
        (base, "AsyncAPIClient.request", _REQUEST_ASYNC[sdk]),
        (base, "SyncAPIClient._process_response", _process_response),
        (base, "AsyncAPIClient._process_response", _process_response_async),
        (streaming, "Stream.__stream__", wrap_stream),
        (streaming, "AsyncStream.__stream__", wrap_stream),
    ]
    if sdk == "openai":
        for module, _ in CONNECTIONS:
            patches += _connection_patches(module)
    return patches


def _connection_patches(module: str) -> list[tuple[str, str, Wrapper]]:
    """The websocket connections of a module that is loaded; each came with a release of its own."""
    loaded = sys.modules.get(module)
    patches: list[tuple[str, str, Wrapper]] = []
    for name in (name for known, name in CONNECTIONS if known == module and hasattr(loaded, name)):
        patches.append((module, f"{name}.recv_bytes", wrap_recv))
        patches.append((module, f"Async{name}.recv_bytes", wrap_recv_async))
    return patches


def _watch_imports() -> None:
    """Patch the websocket connections when the application loads them: to load them here would take a second."""
    for module, _ in CONNECTIONS:
        if module not in sys.modules and module not in registry.watched_imports:
            registry.watched_imports.add(module)
            wrapt.register_post_import_hook(_connections_loaded, module)


def _connections_loaded(module: ModuleType) -> None:
    if "openai" in registry.instrumented:
        with faults.guard("instrument.websockets"):
            _apply(_connection_patches(module.__name__))


def _request(sdk: Sdk) -> Wrapper:
    def request(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        attempt = begin(sdk, instance, args, kwargs)
        if attempt is None:
            return wrapped(*args, **kwargs)
        with attempt:
            while True:
                try:
                    result = wrapped(*attempt.args, **attempt.kwargs)
                    break
                except BaseException as error:
                    if not attempt.failed(error):
                        raise
            attempt.succeeded(result)
            return result

    return request


def _request_async(sdk: Sdk) -> Wrapper:
    async def request(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        attempt = begin(sdk, instance, args, kwargs)
        if attempt is None:
            return await wrapped(*args, **kwargs)
        with attempt:
            while True:
                try:
                    result = await wrapped(*attempt.args, **attempt.kwargs)
                    break
                except BaseException as error:
                    if not attempt.failed(error):
                        raise
            attempt.succeeded(result)
            return result

    return request


_REQUEST: dict[Sdk, Wrapper] = {"openai": _request("openai"), "anthropic": _request("anthropic")}
_REQUEST_ASYNC: dict[Sdk, Wrapper] = {
    "openai": _request_async("openai"),
    "anthropic": _request_async("anthropic"),
}


def _response_call(kwargs: Any) -> Call | None:
    attempt = CURRENT.get()
    if attempt is None:
        return None
    try:
        return attempt.response(kwargs["response"], kwargs.get("retries_taken"))
    except Exception as error:
        faults.report("capture.response", error)
        return None


def _process_response(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    call = _response_call(kwargs)
    if call is None:
        return wrapped(*args, **kwargs)
    try:
        result = wrapped(*args, **kwargs)
    except BaseException as error:
        close_response(call, kwargs["response"], error)
        raise
    close_response(call, kwargs["response"], None)
    return result


async def _process_response_async(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    call = _response_call(kwargs)
    if call is None:
        return await wrapped(*args, **kwargs)
    try:
        result = await wrapped(*args, **kwargs)
    except BaseException as error:
        close_response(call, kwargs["response"], error)
        raise
    close_response(call, kwargs["response"], None)
    return result
