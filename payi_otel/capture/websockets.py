"""Realtime and Responses over websockets: every message passes `recv_bytes`, the ones with usage are events."""

from __future__ import annotations

import json
from typing import Any, cast

from payi_otel.capture.call import Call
from payi_otel.faults import faults
from payi_otel.providers.model import Exchange, Surface
from payi_otel.registry import registry
from payi_otel.tracking.context import current

# (module, sync class); the async class has the same name behind "Async".
CONNECTIONS = (
    ("openai.resources.realtime.realtime", "RealtimeConnection"),
    ("openai.resources.beta.realtime.realtime", "RealtimeConnection"),
    ("openai.resources.responses.responses", "ResponsesConnection"),
    ("openai.resources.beta.responses.responses", "ResponsesConnection"),
)
_SESSION_EVENTS = (b"session.created", b"session.updated")


def wrap_recv(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """wrapt wrapper of a sync connection's `recv_bytes`."""
    message = wrapped(*args, **kwargs)
    _look(instance, message)
    return message


async def wrap_recv_async(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """wrapt wrapper of an async connection's `recv_bytes`."""
    message = await wrapped(*args, **kwargs)
    _look(instance, message)
    return message


def _look(connection: Any, message: bytes | str) -> None:
    recorder = registry.recorder
    if recorder is None or "openai" not in registry.instrumented:
        return
    with faults.guard("capture.websocket"):
        data = message.encode() if isinstance(message, str) else message
        if b'"usage"' not in data and not any(name in data[:256] for name in _SESSION_EVENTS):
            return
        event = cast("dict[str, Any]", json.loads(data))
        kind = str(event.get("type", ""))
        session = registry.sessions.setdefault(connection, {})
        if kind.startswith("session."):
            session.update(cast("dict[str, Any]", event.get("session") or {}))
            return
        surface = _surface_of(kind, event)
        if surface is None:
            return
        exchange = Exchange(
            sdk="openai",
            surface=surface,
            request=session,
            base_url="wss://api.openai.com/v1",
            path="/realtime" if surface == "realtime" else "/responses",
            client_classes=("OpenAI",),
        )
        call = Call(exchange, current(), recorder)
        call.start()
        call.status = 200
        call.body = event if surface == "realtime" else cast("dict[str, Any]", event["response"])
        call.finish("ok")


def _surface_of(kind: str, event: dict[str, Any]) -> Surface | None:
    """The surface of a message that tells final usage; progress events repeat `"usage": null`."""
    if kind == "response.done" or kind == "conversation.item.input_audio_transcription.completed":
        return "realtime"
    response = event.get("response")
    if kind in {"response.completed", "response.failed", "response.incomplete"} and isinstance(
        response, dict
    ):
        return "responses"
    return None
