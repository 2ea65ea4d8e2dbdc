"""Streams of server-sent events: passed on as they come, with the result in the last chunk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from payi_otel.providers.assembly import Assembler, assembler_for
from payi_otel.providers.model import Exchange

_DONE = "[DONE]"
_LAST = frozenset(
    {
        "message_stop",
        "error",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "image_generation.completed",
    }
)


class EventStream:
    """One stream. `feed` gives what may go on; what may be the last chunk is held until it is known to be.

    `hide_usage` keeps back the chunk with the usage that only the proxy asked for.
    """

    def __init__(self, exchange: Exchange, *, hide_usage: bool) -> None:
        self.assembler: Assembler = assembler_for(exchange)
        self.is_over = False
        self._hide_usage = hide_usage
        self._is_chat = exchange.surface == "chat"
        self._is_finished = False
        self._rest = bytearray()
        self._searched = 0
        self._half_a_line_end = b""
        self._held: bytes | None = None
        self._tail: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take one piece as it came from the network; gives whole events."""
        data = self._half_a_line_end + data
        self._half_a_line_end = data[-1:] if data.endswith(b"\r") else b""
        self._rest += data.removesuffix(b"\r").replace(b"\r\n", b"\n")
        # Only what is new: an image in one event comes in thousands of pieces.
        start = max(0, self._searched - 1)
        while not self.is_over and (end := self._rest.find(b"\n\n", start)) >= 0:
            raw, start = bytes(self._rest[: end + 2]), 0
            del self._rest[: end + 2]
            yield from self._take(raw)
        self._searched = len(self._rest)

    def end(self, result: Mapping[str, Any] | None) -> Iterator[bytes]:
        """What was held, with the result of the whole call in its last chunk, None where it was cut."""
        if self._held is not None:
            yield self._held if result is None else _with_result(self._held, result)
        yield from self._tail
        if self._rest or self._half_a_line_end:
            yield bytes(self._rest) + self._half_a_line_end

    def _take(self, raw: bytes) -> Iterator[bytes]:
        text = _data(raw)
        if text == _DONE:
            self._tail.append(raw)
            self.is_over = True
            return
        if not text:
            # A comment that keeps the connection alive; it may come between what is held and the end.
            yield raw
            return
        event = _parsed(text)
        if event is None:
            yield from self._release()
            yield raw
            return
        self.assembler.feed(event)
        if self._hide_usage and self._is_chat and event.get("usage") and not event.get("choices"):
            return
        yield from self._release()
        if event.get("type") in _LAST:
            self._held, self.is_over = raw, True
        elif self._is_chat and (self._is_finished or event.get("usage") or _is_finished(event)):
            # Azure's content filters may have something to say after the last word.
            self._held, self._is_finished = raw, True
        else:
            yield raw

    def _release(self) -> Iterator[bytes]:
        if self._held is not None:
            yield self._held
            self._held = None


def _is_finished(event: Mapping[str, Any]) -> bool:
    choices = event.get("choices")
    if not isinstance(choices, list):
        return False
    found = cast("list[Any]", choices)
    return any(
        isinstance(choice, dict) and cast("dict[str, Any]", choice).get("finish_reason") for choice in found
    )


def _data(raw: bytes) -> str:
    lines = raw.decode("utf-8", "replace").split("\n")
    return "\n".join(line[5:].lstrip(" ") for line in lines if line.startswith("data:"))


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _with_result(raw: bytes, result: Mapping[str, Any]) -> bytes:
    event = _parsed(_data(raw)) or {}
    lines = [
        line for line in raw.decode("utf-8", "replace").split("\n") if line and not line.startswith("data:")
    ]
    # In ASCII: a vendor may have cut an emoji in half.
    shown = json.dumps({**event, "xproxy_result": result})
    return ("\n".join([*lines, f"data: {shown}"]) + "\n\n").encode()
