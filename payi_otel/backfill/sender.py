"""Sends batches of events and says of each what became of it. Stops only for what somebody has to put right."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from payi_otel.delivery.answers import Answer, BatchOutcome, read_batch_answer
from payi_otel.delivery.lighten import has_content, without_content
from payi_otel.delivery.retry import backoff_s, retry_after_s

# Failures of a kind that may be one event's doing, before the batch is narrowed down to find it.
_PATIENCE = 3
# How often an event fails by itself, while others pass, before it counts as refused.
_LONE_ATTEMPTS = 8


class GaveUp(Exception):
    """Pay-i took nothing for as long as the caller would wait. The message is the last failure."""


class KeyRefused(Exception):
    """Pay-i does not accept the API key. The message is its answer."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to send: the `line` it stands on, and its JSON object."""

    line: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that Pay-i will never take, and why."""

    event: Outgoing
    reason: str


class Poster(Protocol):
    """What the sender needs of `delivery.transport.Transport`."""

    def post_events(self, payloads: Sequence[bytes], timeout_s: float) -> Answer:
        """Send events in one request."""
        ...


@dataclass(slots=True)
class _Chunk:
    events: list[Outgoing]
    attempts: int = 0
    delivered_before: int = 0
    """What had been delivered in all when it failed first."""

    @property
    def size(self) -> int:
        """Bytes of its JSON."""
        return sum(len(event.payload) + 1 for event in self.events)


class Sender:
    """Delivers events through `transport`, with back-off, `Retry-After`, and smaller batches where that helps.
    An event that is too large by itself goes without its prompt and answer, as in live delivery.

    timeout_s: seconds for one request. give_up_after_s: seconds without any event settled before
    `GaveUp`. max_bytes: JSON of one request. waiting: told the reason and the seconds of each pause.
    """

    def __init__(
        self,
        transport: Poster,
        *,
        timeout_s: float,
        give_up_after_s: float,
        max_bytes: int,
        waiting: Callable[[str, float], None],
    ) -> None:
        self._transport = transport
        self._timeout_s = timeout_s
        self._give_up_after_s = give_up_after_s
        # What one request may hold at most, and what it holds now: less while the network is slow.
        self._most_bytes = max_bytes
        self._bytes = max_bytes
        self._proven_bytes = 0
        self._waiting = waiting
        self._delivered = 0
        self._settled_at_s = time.monotonic()

    def send(self, events: Sequence[Outgoing]) -> list[Refusal]:
        """Deliver events in their order; those that Pay-i refused. All others are stored when it returns.

        Raises `GaveUp` or `KeyRefused`; some of the events may be stored then.
        """
        refusals: list[Refusal] = []
        self._settled_at_s = time.monotonic()
        work = deque([_Chunk(list(events))] if events else [])
        while work:
            chunk = self._next_chunk(work)
            answer = self._transport.post_events([event.payload for event in chunk.events], self._timeout_s)
            outcome = read_batch_answer(answer, len(chunk.events))
            self._conclude(work, chunk, answer, outcome, refusals)
        return refusals

    def _next_chunk(self, work: deque[_Chunk]) -> _Chunk:
        """The first chunk, or as many of its events as one request may hold now."""
        chunk = work.popleft()
        used = 0
        for count, event in enumerate(chunk.events):
            used += len(event.payload) + 1
            if count and used > self._bytes:
                work.appendleft(replace(chunk, events=chunk.events[count:]))
                return replace(chunk, events=chunk.events[:count])
        return chunk

    def _conclude(
        self,
        work: deque[_Chunk],
        chunk: _Chunk,
        answer: Answer,
        outcome: BatchOutcome,
        refusals: list[Refusal],
    ) -> None:
        messages = _messages(answer)
        for index, reason in outcome.rejected.items():
            refusals.append(_refusal(chunk.events[index], reason, messages.get(index)))
        again = [chunk.events[index] for index in sorted(outcome.repeat)]
        named = outcome.rejected.keys() | outcome.repeat
        rest = [event for index, event in enumerate(chunk.events) if index not in named]
        if outcome.rejected:
            self._settled_at_s = time.monotonic()
        if outcome.verdict == "auth":
            raise KeyRefused(outcome.reason)
        if outcome.verdict == "delivered":
            if rest:
                self._delivered += len(rest)
                self._settled_at_s = time.monotonic()
                self._grow(chunk.size)
        elif outcome.verdict == "retry":
            self._try_again(work, chunk, answer, outcome.reason, refusals)
        elif named:
            # What was named is out of the way; the rest goes again, at once.
            if rest:
                work.appendleft(_Chunk(rest))
        elif (
            len(chunk.events) == 1 and outcome.verdict == "too_large" and has_content(chunk.events[0].payload)
        ):
            event = chunk.events[0]
            work.appendleft(_Chunk([Outgoing(event.line, without_content(event.payload))]))
        elif len(chunk.events) == 1:
            refusals.append(_refusal(chunk.events[0], outcome.reason, _message(answer.json_object() or {})))
            self._settled_at_s = time.monotonic()
        else:
            if outcome.verdict == "too_large":
                self._bytes = self._most_bytes = max(1, chunk.size // 2)
            _halve(work, chunk)
        if again:
            reason = next(
                (messages[index] for index in sorted(outcome.repeat) if index in messages), "try again"
            )
            repeated = _Chunk(again, chunk.attempts, chunk.delivered_before)
            self._try_again(work, repeated, answer, f"Pay-i answers {reason!r}", refusals, named=True)

    def _try_again(
        self,
        work: deque[_Chunk],
        chunk: _Chunk,
        answer: Answer,
        reason: str,
        refusals: list[Refusal],
        *,
        named: bool = False,
    ) -> None:
        if chunk.attempts == 0:
            chunk.delivered_before = self._delivered
        chunk.attempts += 1
        lone = len(chunk.events) == 1
        may_be_one = answer.may_depend_on_content and not named
        proved = named or (lone and may_be_one and self._delivered > chunk.delivered_before)
        if proved and chunk.attempts >= _LONE_ATTEMPTS:
            reason = f"{reason}, {chunk.attempts} times while others were taken"
            refusals.extend(Refusal(event, reason) for event in chunk.events)
            self._settled_at_s = time.monotonic()
            return
        if named or (may_be_one and lone):
            # Others first.
            work.append(chunk)
        elif may_be_one and answer.timed_out and chunk.size > self._proven_bytes:
            # More than was ever answered in time: that much is too much for the network, it seems.
            self._shrink(chunk.size)
            work.appendleft(chunk)
        elif may_be_one and chunk.attempts >= _PATIENCE:
            if answer.timed_out:
                self._shrink(chunk.size)
            _halve(work, chunk)
        else:
            work.appendleft(chunk)
        asked_s = retry_after_s(answer.headers, time.time())
        pause_s = asked_s if asked_s is not None else backoff_s(chunk.attempts - 1, random.random())
        if time.monotonic() + pause_s > self._settled_at_s + self._give_up_after_s:
            raise GaveUp(reason)
        self._waiting(reason, pause_s)
        time.sleep(pause_s)

    def _shrink(self, size: int) -> None:
        self._bytes = max(1, size // 2)
        self._proven_bytes = min(self._proven_bytes, self._bytes)

    def _grow(self, size: int) -> None:
        """A request of this size was answered: fast up to what was answered before, then carefully."""
        self._proven_bytes = max(self._proven_bytes, size)
        careful = self._bytes + self._bytes // 16 + 1
        self._bytes = min(max(careful, min(2 * self._bytes, self._proven_bytes)), self._most_bytes)


def _halve(work: deque[_Chunk], chunk: _Chunk) -> None:
    middle = (len(chunk.events) + 1) // 2
    for part in (chunk.events[middle:], chunk.events[:middle]):
        if part:
            work.appendleft(_Chunk(part, chunk.attempts, chunk.delivered_before))


def _refusal(event: Outgoing, reason: str, message: str | None) -> Refusal:
    return Refusal(event, f"{reason}: {message}" if message else reason)


def _messages(answer: Answer) -> dict[int, str]:
    """What the server says of each event it refused, by its index."""
    messages: dict[int, str] = {}
    errors = (answer.json_object() or {}).get("errors")
    for item in cast("list[Any]", errors if isinstance(errors, list) else []):
        if isinstance(item, dict):
            error = cast("dict[str, Any]", item)
            index, result = error.get("item_index"), error.get("xproxy_result")
            message = _message(cast("dict[str, Any]", result)) if isinstance(result, dict) else None
            if isinstance(index, int) and message:
                messages[index] = message
    return messages


def _message(result: dict[str, Any]) -> str | None:
    message = result.get("message")
    return message if isinstance(message, str) and message else None
