"""What the fake provider's endpoints take and give: a parsed request, an answer, and how streams are framed."""

from __future__ import annotations

import json
import secrets
import string
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from typing import Any, cast

Json = dict[str, Any]

_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived: header names in lower case, the body as JSON or as the fields of a form."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json


@dataclass(frozen=True, slots=True)
class Billed:
    """What the vendor would bill for one request: its response id, the model as asked for and its usage."""

    response_id: str
    model: str
    usage: Json | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One response. `chunks` are the network writes of a stream; otherwise `body` is sent whole.

    `breaks_off` ends a stream by closing the connection, without the end that HTTP prescribes.
    """

    status: int = 200
    body: bytes = b""
    chunks: tuple[bytes, ...] | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    billed: Billed | None = None
    breaks_off: bool = False

    @classmethod
    def json(cls, value: Any, *, status: int = 200, billed: Billed | None = None) -> Answer:
        return cls(status=status, body=json.dumps(value).encode(), billed=billed)

    @classmethod
    def data_events(cls, events: Iterable[Json], *, billed: Billed | None = None) -> Answer:
        """Server-sent events as OpenAI's chat API frames them: `data:` lines, `[DONE]` at the end."""
        chunks = [f"data: {_compact(event)}\n\n".encode() for event in events]
        return cls(
            chunks=(*chunks, b"data: [DONE]\n\n"),
            content_type="text/event-stream; charset=utf-8",
            billed=billed,
        )

    @classmethod
    def named_events(cls, events: Iterable[Json], *, billed: Billed | None = None) -> Answer:
        """Server-sent events with an `event:` line, as Anthropic and OpenAI's Responses API frame them."""
        return cls(
            chunks=tuple(f"event: {event['type']}\ndata: {_compact(event)}\n\n".encode() for event in events),
            content_type="text/event-stream; charset=utf-8",
            billed=billed,
        )


@dataclass(slots=True)
class Memory:
    """What the fake provider remembers between requests, shared by its threads under `lock`."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    files: dict[str, tuple[Json, str]] = field(default_factory=dict[str, tuple[Json, str]])
    batches: dict[str, Json] = field(default_factory=dict[str, Json])
    batch_results: dict[str, str] = field(default_factory=dict[str, str])
    responses: dict[str, Json] = field(default_factory=dict[str, Json])
    conversations: dict[str, Json] = field(default_factory=dict[str, Json])
    cached_prefixes: set[str] = field(default_factory=set[str])

    def is_cached(self, prefix: str) -> bool:
        """Whether this prefix was seen before. It is from now on."""
        with self.lock:
            seen = prefix in self.cached_prefixes
            self.cached_prefixes.add(prefix)
            return seen


Endpoint = Callable[[Request, Memory], Answer]


def new_id(prefix: str, length: int = 24) -> str:
    """A fresh identifier in the vendors' style.

    >>> new_id("chatcmpl-", 29).startswith("chatcmpl-")
    True
    """
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(length))


def items(value: Any) -> list[Any]:
    """A JSON list, or no items at all where something else or nothing was sent."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def mapping(value: Any) -> Json:
    """A JSON object, or an empty one where something else or nothing was sent."""
    return cast("Json", value) if isinstance(value, dict) else {}


def parse_body(content_type: str, body: bytes) -> Json:
    """The fields of a JSON or multipart body; an uploaded file is its text, its name under `<field>.filename`."""
    if content_type.startswith("multipart/form-data"):
        return _parse_form(content_type, body)
    return mapping(json.loads(body)) if body else {}


def _parse_form(content_type: str, body: bytes) -> Json:
    form: Json = {}
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    for part in cast("list[Message]", message.get_payload()):
        name = str(part.get_param("name", header="content-disposition")).removesuffix("[]")
        content = cast(bytes, part.get_payload(decode=True)).decode("utf-8", "replace")
        form[name] = content
        if part.get_filename() is not None:
            form[f"{name}.filename"] = part.get_filename()
    return form


def _compact(event: Json) -> str:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)
