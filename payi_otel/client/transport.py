"""Sends a `Call`: one conversation written once, and two thin shells that do its I/O."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2

from payi_otel.client.call import Call, Reply, Timeout
from payi_otel.client.errors import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    InvalidArgumentError,
    status_error,
)
from payi_otel.client.retry import delay_s, retry_status

T = TypeVar("T")

logger = logging.getLogger("payi_otel.client")

DEFAULT_TIMEOUT = httpx2.Timeout(60.0, connect=5.0)
DEFAULT_MAX_RETRIES = 2

# The request cannot have reached the service, so repeating it is always safe.
_NEVER_ARRIVED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Config:
    """What all requests of a client share. The key is kept out of every representation."""

    api_key: str = field(repr=False)
    base_url: str
    timeout: Timeout
    max_retries: int
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wire:
    """One attempt, ready to be sent."""

    method: str
    url: str
    headers: httpx2.Headers = field(repr=False)
    content: bytes | None
    timeout: Timeout


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait before the next attempt."""

    seconds: float


Step = Wire | Pause
Outcome = httpx2.Response | httpx2.RequestError | None
"""What a shell gives back for a step: the answer, why there is none, or None after a pause."""


def conversation(config: Config, call: Call[T]) -> Generator[Step, Outcome, T]:
    """The attempts of one call, up to its parsed answer. Raises the `APIError` of the last attempt."""
    wire = _wire(config, call)
    for attempt in range(config.max_retries + 1):
        outcome = yield wire
        last = attempt == config.max_retries
        if isinstance(outcome, httpx2.Response):
            headers = {name.lower(): value for name, value in outcome.headers.items()}
            reply = Reply(outcome.status_code, headers, outcome.content)
            logger.debug("%s %s: HTTP %d (attempt %d)", call.method, call.path, reply.status, attempt + 1)
            if outcome.is_success:
                return call.parse(reply)
            if last or not retry_status(reply.status, headers, repeatable=call.repeatable):
                raise status_error(call.method, call.path, reply.status, _body(reply), headers)
        elif isinstance(outcome, httpx2.RequestError):
            headers = {}
            logger.debug(
                "%s %s: %s (attempt %d)", call.method, call.path, type(outcome).__name__, attempt + 1
            )
            if last or not (call.repeatable or isinstance(outcome, _NEVER_ARRIVED)):
                raise _unanswered(config, call, outcome) from outcome
        else:
            raise AssertionError("a shell answered a request with nothing")
        yield Pause(delay_s(attempt, headers, random.random()))
    raise AssertionError("unreachable: the last attempt returns or raises")


class SyncSender:
    """Blocking shell."""

    def __init__(self, config: Config, http: httpx2.Client) -> None:
        self.config = config
        self.http = http

    def with_config(self, config: Config) -> SyncSender:
        """A sender with another configuration on the same connections."""
        return SyncSender(config, self.http)

    def send(self, call: Call[T]) -> T:
        """Send `call` and wait for its result."""
        steps = conversation(self.config, call)
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as done:
                return done.value
            outcome = self._perform(step)

    def _perform(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self.http.request(**_arguments(step))
        except httpx2.RequestError as error:
            return error


class AsyncSender:
    """Asyncio shell."""

    def __init__(self, config: Config, http: httpx2.AsyncClient) -> None:
        self.config = config
        self.http = http

    def with_config(self, config: Config) -> AsyncSender:
        """A sender with another configuration on the same connections."""
        return AsyncSender(config, self.http)

    def send(self, call: Call[T]) -> Coroutine[Any, Any, T]:
        """A coroutine that sends `call` and gives its result."""
        return self._run(conversation(self.config, call))

    async def _run(self, steps: Generator[Step, Outcome, T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as done:
                return done.value
            outcome = await self._perform(step)

    async def _perform(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self.http.request(**_arguments(step))
        except httpx2.RequestError as error:
            return error


def _wire(config: Config, call: Call[Any]) -> Wire:
    # Case-insensitive, later wins; values as UTF-8, which is what the service's HTTP stack reads.
    headers = httpx2.Headers({"Accept": "application/json", "xProxy-api-key": config.api_key})
    content = call.content()
    if content is not None:
        headers["Content-Type"] = "application/json"
    for source in (config.headers, call.headers, call.options.get("extra_headers") or {}):
        headers.update([(name.encode("ascii"), _header(name, value)) for name, value in source.items()])
    timeout = call.options.get("timeout", config.timeout)
    return Wire(call.method, config.base_url + call.target(config.query), headers, content, timeout)


def _header(name: str, value: str) -> bytes:
    if any(character < " " or character == "\x7f" for character in value):
        raise InvalidArgumentError(f"{name}={value!r}: remove line breaks and control characters")
    return value.strip().encode("utf-8", "replace")


def _arguments(wire: Wire) -> dict[str, Any]:
    return {
        "method": wire.method,
        "url": wire.url,
        "headers": wire.headers,
        "content": wire.content,
        "timeout": wire.timeout,
        # A redirect to another host would carry the API key there.
        "follow_redirects": False,
    }


def _body(reply: Reply) -> Any:
    try:
        return reply.json()
    except APIResponseValidationError:
        return reply.text


def _unanswered(config: Config, call: Call[Any], error: httpx2.RequestError) -> APIConnectionError:
    where = f"{call.method} {call.path} at {config.base_url}"
    if isinstance(error, httpx2.TimeoutException):
        return APITimeoutError(f"{where}: no answer within the timeout ({type(error).__name__})")
    return APIConnectionError(f"{where}: {type(error).__name__}: {error}")
