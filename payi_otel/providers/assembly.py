"""Streams folded into the answer they would have been without streaming, event by event.

Events are SDK models or the dicts of raw SSE lines; both are read through `field`. Nothing is dumped or copied
per event: text is kept as the list of its pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from payi_otel.providers.model import Exchange


def field(event: Any, name: str) -> Any:
    """A field of a model or a dict, None where it is missing."""
    if isinstance(event, dict):
        return cast("dict[str, Any]", event).get(name)
    values: Any = getattr(event, "__dict__", None)
    if values is not None and name in values:
        return values[name]
    extra: Any = getattr(event, "__pydantic_extra__", None)
    return extra.get(name) if extra else None


def plain(value: Any) -> Any:
    """A model as a dict; used for the few events that hold usage or a whole answer."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in cast("list[Any]", value)]
    dump = getattr(value, "model_dump", None) or getattr(value, "dict", None)
    if dump is None:
        return str(value)
    try:
        return dump(exclude_unset=True, warnings=False)
    except TypeError:
        # pydantic 1 knows no `warnings`.
        return dump(exclude_unset=True)


def _plain_dict(value: Any) -> dict[str, Any]:
    dumped = plain(value)
    return cast("dict[str, Any]", dumped) if isinstance(dumped, dict) else {}


class Assembler(Protocol):
    """Folds one stream."""

    has_usage: bool
    has_content: bool

    def feed(self, event: Any) -> None:
        """Take one event."""
        ...

    def body(self) -> dict[str, Any]:
        """The answer as far as it arrived."""
        ...


def assembler_for(exchange: Exchange) -> Assembler:
    """The assembler of a streaming exchange."""
    if exchange.sdk == "anthropic":
        return MessageAssembler()
    if exchange.surface in {"chat", "completion"}:
        return ChatAssembler()
    if exchange.surface in {"responses", "responses.retrieve", "responses.compact"}:
        return ResponseAssembler()
    return EventAssembler()


class _Choice:
    __slots__ = ("calls", "finish_reason", "legacy", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.calls: dict[int, dict[str, list[str]]] = {}
        self.legacy: dict[str, list[str]] = {}
        self.finish_reason: str | None = None

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"content": "".join(self.texts)}
        if self.calls:
            message["tool_calls"] = [
                {"function": {name: "".join(parts) for name, parts in call.items()}}
                for _, call in sorted(self.calls.items())
            ]
        if self.legacy:
            message["function_call"] = {name: "".join(parts) for name, parts in self.legacy.items()}
        return message


class ChatAssembler:
    """Chat completions and legacy completions."""

    def __init__(self) -> None:
        self.has_usage = False
        self.has_content = False
        self._fields: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._is_text = False

    def feed(self, event: Any) -> None:
        """Take one chunk."""
        usage = field(event, "usage") or field(field(event, "x_groq"), "usage")
        if usage is not None:
            self._fields["usage"] = plain(usage)
            self.has_usage = True
        if "id" not in self._fields:
            for name in ("id", "model"):
                value = field(event, name)
                if value:
                    self._fields[name] = value
        tier = field(event, "service_tier")
        if tier:
            self._fields["service_tier"] = tier
        error = field(event, "error")
        if error:
            self._fields["error"] = plain(error)
        for choice in field(event, "choices") or ():
            self._feed_choice(choice)

    def _feed_choice(self, choice: Any) -> None:
        index = field(choice, "index") or 0
        kept = self._choices.get(index)
        if kept is None:
            kept = self._choices[index] = _Choice()
        reason = field(choice, "finish_reason")
        if reason:
            kept.finish_reason = reason
        text = field(choice, "text")
        if text:
            self._is_text = True
            self._add(kept, text)
        delta = field(choice, "delta")
        if delta is None:
            return
        for name in ("content", "refusal", "reasoning_content", "reasoning"):
            part = field(delta, name)
            if part and isinstance(part, str):
                self._add(kept, part)
        for call in field(delta, "tool_calls") or ():
            function = field(call, "function") or field(call, "custom")
            parts = kept.calls.setdefault(field(call, "index") or 0, {})
            _extend(parts, function)
            self.has_content = True
        legacy = field(delta, "function_call")
        if legacy is not None:
            _extend(kept.legacy, legacy)
            self.has_content = True

    def _add(self, choice: _Choice, text: str) -> None:
        choice.texts.append(text)
        self.has_content = True

    def body(self) -> dict[str, Any]:
        """A `ChatCompletion` or `Completion`."""
        choices: list[dict[str, Any]] = []
        for index, choice in sorted(self._choices.items()):
            entry: dict[str, Any] = {"index": index, "finish_reason": choice.finish_reason}
            if self._is_text:
                entry["text"] = "".join(choice.texts)
            else:
                entry["message"] = choice.message()
            choices.append(entry)
        return {**self._fields, "choices": choices}


def _extend(parts: dict[str, list[str]], function: Any) -> None:
    for name, target in (("name", "name"), ("arguments", "arguments"), ("input", "arguments")):
        piece = field(function, name)
        if piece:
            parts.setdefault(target, []).append(piece)


_RESPONSE_ENDS = frozenset({"response.completed", "response.failed", "response.incomplete"})


class ResponseAssembler:
    """The Responses API: its last event carries the whole response."""

    def __init__(self) -> None:
        self.has_usage = False
        self.has_content = False
        self._response: dict[str, Any] = {}
        self._texts: list[str] = []
        self._items: list[dict[str, Any]] = []

    def feed(self, event: Any) -> None:
        """Take one event."""
        kind = field(event, "type")
        if not isinstance(kind, str):
            return
        if kind.endswith(".delta"):
            piece = field(event, "delta")
            if piece and isinstance(piece, str):
                self._texts.append(piece)
                self.has_content = True
        elif kind == "response.output_item.done":
            self._items.append(plain(field(event, "item")))
        elif kind in _RESPONSE_ENDS or (kind in {"response.created", "response.queued"}):
            response = _plain_dict(field(event, "response"))
            self._response = response
            self.has_usage = kind in _RESPONSE_ENDS and bool(response.get("usage"))
        elif kind == "error":
            self._response["error"] = plain(event)

    def body(self) -> dict[str, Any]:
        """A `Response`; its output is what arrived, while the stream has not ended."""
        if self._response.get("output"):
            return self._response
        output: list[Any] = list(self._items)
        if not any(item.get("type") == "message" for item in self._items) and self._texts:
            output.append({"type": "message", "content": [{"text": "".join(self._texts)}]})
        return {**self._response, "output": output}


_BLOCK_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}


class MessageAssembler:
    """Anthropic messages: counts are cumulative, the later ones win where they are told."""

    def __init__(self) -> None:
        self.has_usage = False
        self.has_content = False
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[int, list[str]] = {}

    def feed(self, event: Any) -> None:
        """Take one event."""
        kind = field(event, "type")
        if kind == "content_block_delta":
            delta = field(event, "delta")
            piece = field(delta, _BLOCK_DELTAS.get(field(delta, "type") or "", ""))
            if piece:
                self._pieces.setdefault(field(event, "index") or 0, []).append(piece)
                self.has_content = True
        elif kind == "content_block_start":
            block = _plain_dict(field(event, "content_block"))
            self._blocks[field(event, "index") or 0] = block
            self.has_content = self.has_content or block.get("type") != "text"
        elif kind == "message_start":
            self._message = _plain_dict(field(event, "message"))
            self._merge(self._message.get("usage"))
        elif kind == "message_delta":
            delta = _plain_dict(field(event, "delta"))
            self._message |= {name: value for name, value in delta.items() if value is not None}
            self._merge(plain(field(event, "usage")))
            self.has_usage = True
        elif kind == "error":
            self._message["error"] = plain(field(event, "error"))
        elif kind == "completion":
            # The legacy text completions have one kind of event, and never usage.
            self._message |= {"id": field(event, "id"), "model": field(event, "model")}
            self._pieces.setdefault(0, []).append(field(event, "completion") or "")
            self._blocks.setdefault(0, {"type": "text", "text": ""})
            self.has_content = True

    def _merge(self, usage: Any) -> None:
        if isinstance(usage, dict):
            told = cast("dict[str, Any]", usage)
            self._usage |= {name: value for name, value in told.items() if value is not None}

    def body(self) -> dict[str, Any]:
        """A `Message`."""
        content: list[dict[str, Any]] = []
        for index, block in sorted(self._blocks.items()):
            text = "".join(self._pieces.get(index, ()))
            kind = block.get("type")
            if kind in {"text", "thinking"}:
                content.append({**block, kind: text})
            else:
                content.append({**block, "input": text} if text else block)
        body = {**self._message, "content": content}
        return {**body, "usage": dict(self._usage)} if self._usage else body


class EventAssembler:
    """Image, transcription and speech streams: one last event tells the usage."""

    def __init__(self) -> None:
        self.has_usage = False
        self.has_content = False
        self._fields: dict[str, Any] = {}
        self._texts: list[str] = []
        self._finished = 0

    def feed(self, event: Any) -> None:
        """Take one event."""
        kind = field(event, "type") or ""
        usage = field(event, "usage")
        self.has_content = True
        if usage is not None:
            self._fields["usage"] = plain(usage)
            self.has_usage = True
        if kind.endswith(".completed"):
            self._finished += 1
        if kind.endswith("text.delta"):
            self._texts.append(field(event, "delta") or "")

    def body(self) -> dict[str, Any]:
        """Usage, the text of a transcription, and a place per finished image."""
        images: list[dict[str, Any]] = [{}] * self._finished
        body = {**self._fields, "data": images}
        return {**body, "text": "".join(self._texts)} if self._texts else body
