"""Which API a request goes to, told by its method and URL path."""

from __future__ import annotations

import re
from collections.abc import Mapping

from payi_otel.providers.model import Sdk, Surface

_OPENAI: Mapping[str, Surface] = {
    "/chat/completions": "chat",
    "/completions": "completion",
    "/responses": "responses",
    "/responses/compact": "responses.compact",
    "/embeddings": "embeddings",
    "/images/generations": "image",
    "/images/edits": "image",
    "/images/variations": "image",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcription",
    "/audio/translations": "translation",
    "/moderations": "moderation",
    "/batches": "batch.create",
}
_ANTHROPIC: Mapping[str, Surface] = {
    "/v1/messages": "messages",
    "/v1/complete": "complete",
    "/v1/messages/batches": "batch.create",
}
# Compiled when they are first needed: hardly anybody asks for these.
_OPENAI_GET: tuple[tuple[str, Surface], ...] = (
    (r"/responses/[^/]+", "responses.retrieve"),
    (r"/batches/[^/]+", "batch.retrieve"),
    (r"/files/[^/]+/content", "batch.results"),
)
_ANTHROPIC_GET: tuple[tuple[str, Surface], ...] = (
    (r"(?:.*)/v1/messages/batches/[^/]+/results", "batch.results"),
    (r"/v1/messages/batches/[^/]+", "batch.retrieve"),
)


def classify(sdk: Sdk, method: str, path: str) -> Surface | None:
    """The surface of a request, None for what bills nothing (counting, lists, files). `path` has no query.

    >>> classify("openai", "post", "/chat/completions")
    'chat'
    >>> classify("anthropic", "post", "/v1/messages/count_tokens") is None
    True
    """
    verb = method.lower()
    if verb == "post":
        return (_OPENAI if sdk == "openai" else _ANTHROPIC).get(path)
    if verb == "get":
        for pattern, surface in _OPENAI_GET if sdk == "openai" else _ANTHROPIC_GET:
            if re.fullmatch(pattern, path):
                return surface
    return None
