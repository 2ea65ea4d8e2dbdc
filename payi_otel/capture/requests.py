"""One pass through an SDK client's `request()`: what leaves, what comes back, and the calls it makes.

Sync and async hooks share the `Attempt`; they differ only in where they await.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from contextvars import ContextVar, Token
from functools import lru_cache
from typing import Any

from opentelemetry.context import Context, attach, get_current

from payi_otel.capture.bodies import watch_body
from payi_otel.capture.call import Call, Recorder
from payi_otel.capture.heads import content_of, headers_of
from payi_otel.capture.injection import (
    UsageGate,
    choices_expected,
    endpoint_key,
    is_refusal,
    with_stream_usage,
)
from payi_otel.capture.readers import take_body
from payi_otel.faults import faults
from payi_otel.providers.model import Exchange, Sdk
from payi_otel.providers.surfaces import classify
from payi_otel.registry import registry
from payi_otel.tracking.context import current
from payi_otel.tracking.headers import proxy_headers, split_headers

CURRENT: ContextVar[Attempt | None] = ContextVar("payi_otel_attempt", default=None)


class Attempt:
    """What the hooks do around one `request()`; it may bill several times (a call per billed hop)."""

    __slots__ = ("_hop", "_hops", "_outside", "_token", "args", "call", "injected", "kwargs", "original")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], call: Call | None) -> None:
        self.args = args
        self.kwargs = kwargs
        self.call = call
        self.original: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self.injected = False
        self._hop: Call | None = None
        self._hops = 0
        self._outside: Context | None = None
        self._token: Token[Attempt | None] | None = None

    def __enter__(self) -> Attempt:
        self._token = CURRENT.set(self)
        if self.call is not None and self.call.context is not None:
            self._outside = get_current()
            attach(self.call.context)
        return self

    def __exit__(self, *_: object) -> None:
        # Without OpenTelemetry's token: a coroutine may be closed from another context, where a detach would
        # log an error; that context never had our values.
        if self._outside is not None and self.call is not None and get_current() is self.call.context:
            attach(self._outside)
        if self._token is not None:
            try:
                CURRENT.reset(self._token)
            except ValueError:
                return

    def failed(self, error: BaseException) -> bool:
        """Take the SDK's exception. True: our addition was refused, call again as the caller wrote it."""
        with faults.guard("capture.failed"):
            if self.original is not None and is_refusal(error):
                self.args, self.kwargs = self.original
                self.original = None
                if self.call is not None:
                    self.call.gate = None
                return True
            call = self._hop or self.call
            if call is not None:
                _take_error(call, error)
                call.finish("cancelled" if isinstance(error, asyncio.CancelledError) else "error", error)
        return False

    def succeeded(self, result: Any) -> None:
        """Take what `request()` returned."""
        call = self._hop or self.call
        if call is None:
            return
        try:
            if self.injected and call.gate is None:
                registry.without_stream_options.add(endpoint_key(call.exchange))
            if call.exchange.is_stream:
                self._adopt(call, result)
            elif self._hops == 0 and not call.done:
                # Answered by the caller's middleware: nothing was billed.
                call.unpriced = True
                call.finish("ok")
        except Exception as error:
            faults.report("capture.succeeded", error)

    def response(self, response: Any, retries: int | None) -> Call | None:
        """The HTTP response of this attempt; the second one is a further billed hop, with its own call."""
        call = self.call
        if call is None or response.status_code >= 400:
            return None
        self._hops += 1
        if self._hops > 1:
            call = self._next_hop(call)
        request = response.request
        call.responded(
            response.status_code,
            headers_of(response),
            _retries_of(request) if retries is None else retries,
            content_of(request),
        )
        content = None if call.exchange.is_stream else content_of(response)
        call.is_whole = content is not None
        if content:
            # Taken before the SDK parses: what it then makes of the body may raise, after it was billed.
            try:
                take_body(call, content)
            except Exception as error:
                faults.report("capture.response", error)
        else:
            watch_body(call, response)
        return call

    def _next_hop(self, call: Call) -> Call:
        hop = Call(call.exchange, call.tracking, call.recorder, is_hop=True)
        hop.start()
        self._hop = hop
        return hop

    def _adopt(self, call: Call, result: Any) -> None:
        """A middleware may hand back another response than the last one it was given: follow that one.

        Its usage lists every hop, so the replaced response must not be billed besides.
        """
        response = getattr(result, "response", None) or getattr(result, "http_response", None)
        if response is None or response in registry.calls or not hasattr(response, "stream"):
            return
        spliced = self._next_hop(call)
        call.unpriced = True
        spliced.responded(response.status_code, headers_of(response), call.retries, call.sent)
        watch_body(spliced, response)


def begin(sdk: Sdk, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Attempt | None:
    """Prepare a `request()`; None when it is none of our business. Never raises."""
    recorder = registry.recorder
    if recorder is None or sdk not in registry.instrumented:
        return None
    try:
        return _begin(sdk, client, args, kwargs, recorder)
    except Exception as error:
        faults.report("capture.begin", error)
        return None


def _begin(
    sdk: Sdk, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder
) -> Attempt | None:
    options = args[1] if len(args) > 1 else kwargs["options"]
    path = str(options.url).partition("?")[0]
    surface = classify(sdk, options.method, path)
    # The SDKs have a marker object here when no headers were given.
    given: object = options.headers
    headers: Mapping[str, Any] = options.headers if _is_mapping(type(given)) else {}
    context = current()
    base_url = str(client.base_url)
    via_proxy = "/api/v1/proxy/" in base_url or (bool(context.proxy) and not _is_vendor(base_url))
    remaining, tracking = headers, context
    if headers and _has_payi_header(headers):
        remaining, tracking = split_headers(headers, context, proxied=via_proxy)
    if via_proxy:
        remaining = {**remaining, **proxy_headers(tracking)}
    edits: dict[str, Any] = {} if remaining is headers else {"headers": remaining}
    if edits:
        args, kwargs = _edited(args, kwargs, options, edits)
    if surface is None:
        if not edits and CURRENT.get() is None:
            return None
        return Attempt(args, kwargs, call=None)

    body: object = options.json_data
    names, is_azure = _client_class(client.__class__)
    exchange = Exchange(
        sdk=sdk,
        surface=surface,
        # A copy: it may be read when the caller has its dict back, and has changed it.
        request=dict(options.json_data) if _is_mapping(type(body)) else {},
        base_url=base_url,
        path=path,
        client_classes=names,
        client_hints=_azure_hints(client, base_url) if is_azure else _NO_HINTS,
        is_stream=bool(kwargs.get("stream")),
    )
    call = Call(exchange, tracking, recorder)
    call.unpriced = via_proxy
    attempt = Attempt(args, kwargs, call)
    settings = registry.settings
    if exchange.is_stream and settings is not None and settings.stream_usage and not via_proxy:
        asked = with_stream_usage(exchange, body, options.extra_json)
        if asked is not None and endpoint_key(exchange) not in registry.without_stream_options:
            attempt.original = attempt.args, attempt.kwargs
            attempt.args, attempt.kwargs = _edited(args, kwargs, options, {**edits, "json_data": asked})
            attempt.injected = True
            call.gate = UsageGate(choices_expected(exchange.request))
    call.start()
    return attempt


def _edited(
    args: tuple[Any, ...], kwargs: dict[str, Any], options: Any, edits: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of `request()` with edits on a copy of its options: the SDK and the caller keep theirs."""
    changed = copy.copy(options)
    for name, value in edits.items():
        setattr(changed, name, value)
    if len(args) > 1:
        return (args[0], changed, *args[2:]), kwargs
    return args, {**kwargs, "options": changed}


def close_response(call: Call, response: Any, error: BaseException | None) -> None:
    """The SDK has made its object of a response that was read at once, or failed to, after it was billed."""
    try:
        if error is not None:
            call.finish("cancelled" if isinstance(error, asyncio.CancelledError) else "error", error)
        elif call.is_whole or (not call.exchange.is_stream and content_of(response) is not None):
            call.finish("ok")
    except Exception as own:
        faults.report("capture.response", own)


def _take_error(call: Call, error: BaseException) -> None:
    response = getattr(error, "response", None)
    if response is not None:
        call.status, call.headers = response.status_code, headers_of(response)
        content = content_of(response)
        call.response_text = content.decode("utf-8", "replace") if content else None
    request = getattr(error, "request", None)
    if request is not None:
        call.sent = content_of(request)
        call.retries = _retries_of(request)


def _retries_of(request: Any) -> int:
    try:
        return int(request.headers.get("x-stainless-retry-count", 0))
    except (AttributeError, ValueError):
        return 0


def _has_payi_header(headers: Mapping[str, Any]) -> bool:
    return any(name[:7].lower() == "xproxy-" for name in headers)


_VENDOR_HOSTS = (
    "openai.com",
    "openai.azure.com",
    "anthropic.com",
    "amazonaws.com",
    "googleapis.com",
    "azure.com",
)


def _is_vendor(base_url: str) -> bool:
    """Hosts that must never get use-case headers, whatever a scope says about a proxy."""
    host = base_url.split("//", 1)[-1].split("/", 1)[0].split(":", 1)[0]
    return any(host == vendor or host.endswith("." + vendor) for vendor in _VENDOR_HOSTS)


_NO_HINTS: Mapping[str, str] = {}


@lru_cache(maxsize=256)
def _is_mapping(kind: type) -> bool:
    # Remembered: the abstract class takes long to say that something is none.
    return issubclass(kind, Mapping)


@lru_cache(maxsize=256)
def _client_class(kind: type) -> tuple[tuple[str, ...], bool]:
    """The names of a client's class and its bases, and whether it is one for Azure."""
    names = tuple(cls.__name__.removeprefix("Async") for cls in kind.__mro__[:-1])
    return names, "azure" in kind.__name__.lower()


def _azure_hints(client: Any, base_url: str) -> dict[str, str]:
    hints: dict[str, str] = {}
    version = client.default_query.get("api-version")
    if version:
        hints["api_version"] = str(version)
    deployment = base_url.partition("/deployments/")[2].strip("/")
    if deployment:
        hints["deployment"] = deployment
    return hints
