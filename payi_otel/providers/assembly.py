"""Streams folded into the answer they would have been without streaming, event by event.

Events are SDK models or the dicts of raw SSE lines; both are read through `fields_of`. They are read at once, since
the caller may change a model he was given; nothing is dumped or kept per event but its text, as text.

Nearly all events of a long stream are a piece of text and nothing else. `feed_text` takes those of the SDK's models
with a dozen reads of `__dict__`, and leaves every other event, untouched, to `feed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any, Protocol, TypeVar, cast

from payi_otel.providers.events import fields_of, plain, plain_dict
from payi_otel.providers.model import Exchange

_Key = TypeVar("_Key")


class Assembler(Protocol):
    """Folds one stream."""

    has_usage: bool
    has_content: bool

    def feed_text(self, event: Any) -> bool:
        """Take an event that adds to a text begun before, and nothing else; False, with nothing done, otherwise.

        Never raises.
        """
        ...

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
    __slots__ = ("calls", "finish_reason", "legacy", "text")

    def __init__(self) -> None:
        self.text = StringIO()
        self.calls: dict[int, dict[str, StringIO]] = {}
        self.legacy: dict[str, StringIO] = {}
        self.finish_reason: str | None = None

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"content": self.text.getvalue()}
        if self.calls:
            message["tool_calls"] = [{"function": _texts(call)} for _, call in sorted(self.calls.items())]
        if self.legacy:
            message["function_call"] = _texts(self.legacy)
        return message


def _texts(parts: Mapping[_Key, StringIO]) -> dict[_Key, str]:
    return {name: part.getvalue() for name, part in parts.items()}


class ChatAssembler:
    """Chat completions and legacy completions.

    `hides_usage` is True where `"usage": null` is on every chunk only because we asked for usage; `feed_text` then
    makes its chunks forget it.
    """

    def __init__(self) -> None:
        self.has_usage = False
        self.has_content = False
        self.hides_usage = False
        self._fields: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._begun: dict[int, StringIO] = {}
        self._is_text = False

    def feed_text(self, event: Any) -> bool:
        """Take a chunk with more text of one choice, and nothing else that is read here."""
        try:
            fields = event.__dict__
            (choice,) = fields["choices"]
            if fields["usage"] is not None or event.__pydantic_extra__:
                return False
            entry = choice.__dict__
            if entry["finish_reason"] is not None:
                return False
            delta = entry["delta"]
            parts = delta.__dict__
            text = parts["content"]
            if (
                not text
                or parts["tool_calls"] is not None
                or parts["refusal"] is not None
                or parts["function_call"] is not None
                or delta.__pydantic_extra__
            ):
                return False
            tier = fields["service_tier"]
            self._begun[entry["index"]].write(text)
            if tier:
                self._fields["service_tier"] = tier
            if self.hides_usage:
                event.__pydantic_fields_set__.discard("usage")
        except Exception:
            # No chat chunk, or one of another version of the SDK: all of it is looked for.
            return False
        return True

    def feed(self, event: Any) -> None:
        """Take one chunk."""
        fields = fields_of(event)
        usage = fields.get("usage") or fields_of(fields.get("x_groq")).get("usage")
        if usage is not None:
            self._fields["usage"] = plain(usage)
            self.has_usage = True
        if "id" not in self._fields:
            for name in ("id", "model"):
                value = fields.get(name)
                if value:
                    self._fields[name] = value
        tier = fields.get("service_tier")
        if tier:
            self._fields["service_tier"] = tier
        error = fields.get("error")
        if error:
            self._fields["error"] = plain(error)
        for choice in fields.get("choices") or ():
            self._feed_choice(fields_of(choice))

    def _feed_choice(self, choice: Mapping[str, Any]) -> None:
        index = choice.get("index") or 0
        kept = self._choices.get(index)
        if kept is None:
            kept = self._choices[index] = _Choice()
        reason = choice.get("finish_reason")
        if reason:
            kept.finish_reason = reason
        delta = fields_of(choice.get("delta"))
        text = choice.get("text")
        # Some hosts of chat repeat the delta's content here.
        if text and not delta.get("content"):
            self._is_text = True
            self._add(kept, text)
        for name in ("content", "refusal", "reasoning_content", "reasoning"):
            part = delta.get(name)
            if part and isinstance(part, str):
                self._add(kept, part)
        for call in delta.get("tool_calls") or ():
            entry = fields_of(call)
            parts = kept.calls.setdefault(entry.get("index") or 0, {})
            _extend(parts, entry.get("function") or entry.get("custom"))
            self.has_content = True
        legacy = delta.get("function_call")
        if legacy is not None:
            _extend(kept.legacy, legacy)
            self.has_content = True
        if self.has_content and "id" in self._fields:
            self._begun[index] = kept.text

    def _add(self, choice: _Choice, text: str) -> None:
        choice.text.write(text)
        self.has_content = True

    def body(self) -> dict[str, Any]:
        """A `ChatCompletion` or `Completion`."""
        choices: list[dict[str, Any]] = []
        for index, choice in sorted(self._choices.items()):
            entry: dict[str, Any] = {"index": index, "finish_reason": choice.finish_reason}
            if self._is_text:
                entry["text"] = choice.text.getvalue()
            else:
                entry["message"] = choice.message()
            choices.append(entry)
        return {**self._fields, "choices": choices}


def _extend(parts: dict[str, StringIO], function: Any) -> None:
    told = fields_of(function)
    for name, target in (("name", "name"), ("arguments", "arguments"), ("input", "arguments")):
        piece = told.get(name)
        if piece:
            parts.setdefault(target, StringIO()).write(piece)


_RESPONSE_ENDS = frozenset({"response.completed", "response.failed", "response.incomplete"})


class ResponseAssembler:
    """The Responses API: its last event carries the whole response."""

    def __init__(self) -> None:
        self.has_usage = False
        self.has_content = False
        self._response: dict[str, Any] = {}
        self._text = StringIO()
        self._items: list[dict[str, Any]] = []

    def feed_text(self, event: Any) -> bool:
        """Take a `….delta` of text."""
        try:
            fields = event.__dict__
            if not self.has_content or not fields["type"].endswith(".delta"):
                return False
            self._text.write(fields["delta"])
        except Exception:
            # A delta of something else than text.
            return False
        return True

    def feed(self, event: Any) -> None:
        """Take one event."""
        fields = fields_of(event)
        kind = fields.get("type")
        if not isinstance(kind, str):
            return
        if kind.endswith(".delta"):
            piece = fields.get("delta")
            if piece and isinstance(piece, str):
                self._text.write(piece)
                self.has_content = True
        elif kind == "response.output_item.done":
            self._items.append(plain(fields.get("item")))
        elif kind in _RESPONSE_ENDS or (kind in {"response.created", "response.queued"}):
            response = plain_dict(fields.get("response"))
            self._response = response
            self.has_usage = kind in _RESPONSE_ENDS and bool(response.get("usage"))
        elif kind == "error":
            self._response["error"] = plain(event)

    def body(self) -> dict[str, Any]:
        """A `Response`; its output is what arrived, while the stream has not ended."""
        if self._response.get("output"):
            return self._response
        output: list[Any] = list(self._items)
        text = self._text.getvalue()
        if not any(item.get("type") == "message" for item in self._items) and text:
            output.append({"type": "message", "content": [{"text": text}]})
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
        self._texts: dict[int, StringIO] = {}

    def feed_text(self, event: Any) -> bool:
        """Take more of a block's text, thinking or input."""
        try:
            fields = event.__dict__
            if fields["type"] != "content_block_delta":
                return False
            delta = fields["delta"].__dict__
            self._texts[fields["index"]].write(delta[_BLOCK_DELTAS[delta["type"]]])
        except Exception:
            # A block's first piece, or one that is no text.
            return False
        return True

    def feed(self, event: Any) -> None:
        """Take one event."""
        fields = fields_of(event)
        kind = fields.get("type")
        index = fields.get("index") or 0
        if kind == "content_block_delta":
            delta = fields_of(fields.get("delta"))
            piece = delta.get(_BLOCK_DELTAS.get(delta.get("type") or "", ""))
            if piece:
                self._text(index).write(piece)
                self.has_content = True
        elif kind == "content_block_start":
            block = plain_dict(fields.get("content_block"))
            self._blocks[index] = block
            self.has_content = self.has_content or block.get("type") != "text"
        elif kind == "message_start":
            self._message = plain_dict(fields.get("message"))
            self._merge(self._message.get("usage"))
        elif kind == "message_delta":
            delta = plain_dict(fields.get("delta"))
            self._message |= {name: value for name, value in delta.items() if value is not None}
            self._merge(plain(fields.get("usage")))
            self.has_usage = True
        elif kind == "error":
            self._message["error"] = plain(fields.get("error"))
        elif kind == "completion":
            # The legacy text completions have one kind of event, and never usage.
            self._message |= {"id": fields.get("id"), "model": fields.get("model")}
            self._text(0).write(fields.get("completion") or "")
            self._blocks.setdefault(0, {"type": "text", "text": ""})
            self.has_content = True

    def _text(self, index: int) -> StringIO:
        return self._texts.setdefault(index, StringIO())

    def _merge(self, usage: Any) -> None:
        if isinstance(usage, dict):
            told = cast("dict[str, Any]", usage)
            self._usage |= {name: value for name, value in told.items() if value is not None}

    def body(self) -> dict[str, Any]:
        """A `Message`."""
        content: list[dict[str, Any]] = []
        texts = _texts(self._texts)
        for index, block in sorted(self._blocks.items()):
            text = texts.get(index, "")
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
        self._text = StringIO()
        self._finished = 0

    def feed_text(self, event: Any) -> bool:
        """Take none: such a stream has few events of text."""
        return False

    def feed(self, event: Any) -> None:
        """Take one event."""
        fields = fields_of(event)
        kind = fields.get("type") or ""
        usage = fields.get("usage")
        self.has_content = True
        if usage is not None:
            self._fields["usage"] = plain(usage)
            self.has_usage = True
        if kind.endswith(".completed"):
            self._finished += 1
        if kind.endswith("text.delta"):
            self._text.write(fields.get("delta") or "")

    def body(self) -> dict[str, Any]:
        """Usage, the text of a transcription, and a place per finished image."""
        images: list[dict[str, Any]] = [{}] * self._finished
        body = {**self._fields, "data": images}
        text = self._text.getvalue()
        return {**body, "text": text} if text else body
