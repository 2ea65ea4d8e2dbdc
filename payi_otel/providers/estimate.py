"""Token counts where the provider told none: from the request and the text that arrived, and marked so."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from payi_otel.registry import registry

# OpenAI's and Anthropic's rule of thumb for English text.
_CHARACTERS_PER_TOKEN = 4
# A spoken second is about 15 characters, and OpenAI counts some 21 audio tokens for it.
_AUDIO_TOKENS_PER_CHARACTER = 1.4
# What OpenAI adds around each chat message.
_TOKENS_PER_MESSAGE = 4
# A picture of unknown size; both vendors charge several hundred tokens for a usual one.
_TOKENS_PER_IMAGE = 765
_NOT_TEXT = frozenset({"type", "role", "id", "model", "data", "url", "image_url", "file_data", "b64_json",
                       "media_type", "call_id", "tool_use_id", "cache_control", "embedding"})  # fmt: skip
_INPUT_FIELDS = ("messages", "input", "prompt", "system", "instructions", "tools", "functions")
_IMAGE_PARTS = frozenset({"image_url", "input_image", "image"})


def text_tokens(text: str, model: str | None) -> int:
    """Tokens of a text: by the model's vocabulary where it is at hand, else characters / 4, rounded up."""
    if not text:
        return 0
    encoding = _encoding(model or "")
    if encoding is not None:
        return len(encoding.encode(text, disallowed_special=()))
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


def speech_tokens(text: str) -> int:
    """Audio tokens of a text read aloud."""
    return math.ceil(len(text) * _AUDIO_TOKENS_PER_CHARACTER)


def request_tokens(request: Mapping[str, Any], model: str | None) -> int:
    """Input tokens of a request."""
    text: list[str] = []
    images = 0
    for field in _INPUT_FIELDS:
        for kind, value in _leaves(request.get(field)):
            if kind == "text":
                text.append(value)
            else:
                images += 1
    messages = request.get("messages") or request.get("input")
    count = len(cast("list[Any]", messages)) if isinstance(messages, list) else 0
    return text_tokens("\n".join(text), model) + images * _TOKENS_PER_IMAGE + count * _TOKENS_PER_MESSAGE


def _leaves(value: Any) -> Iterator[tuple[str, str]]:
    """Texts and pictures of plain JSON. Nothing else is touched: an iterator would be used up."""
    if isinstance(value, str):
        yield "text", value
    elif isinstance(value, (list, tuple)):
        for item in cast("list[Any]", value):
            yield from _leaves(item)
    elif isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        if fields.get("type") in _IMAGE_PARTS:
            yield "image", ""
            return
        for name, item in fields.items():
            if name not in _NOT_TEXT:
                yield from _leaves(item)


@lru_cache(maxsize=32)
def _encoding(model: str) -> Any:
    """tiktoken's encoding of an OpenAI model, if the package and the vocabulary are on this machine already.

    tiktoken downloads a vocabulary on first use; in the middle of somebody's call that is out of the question,
    so only its documented cache folder is asked.
    """
    if not model.startswith(("gpt-", "o1", "o3", "o4", "text-embedding", "chatgpt")):
        return None
    cache = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    if not cache or not os.path.isdir(cache) or not os.listdir(cache):
        return None
    try:
        with registry.loading:
            import tiktoken

            name = tiktoken.encoding_name_for_model(model)
            # That imports as well.
            return tiktoken.get_encoding(name) if _is_cached(name, cache) else None
    except (ImportError, KeyError):
        return None


_VOCABULARIES = {
    "o200k_base": "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken",
    "cl100k_base": "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken",
}


def _is_cached(name: str, cache: str) -> bool:
    """tiktoken names its cache files by the SHA-1 of the vocabulary's address (0.7 to 0.14)."""
    import hashlib

    address = _VOCABULARIES.get(name)
    if address is None:
        return False
    key = hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
    return os.path.exists(os.path.join(cache, key))
