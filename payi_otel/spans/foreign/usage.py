"""Token counts in every spelling, put back into the usage object that the provider sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from payi_otel.providers.units import whole
from payi_otel.spans.foreign.dialects import Dialect

Attributes = Mapping[str, Any]

# The conventions, then their older names, then other instrumentations' own.
_INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.token_count.prompt",
)
_OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "llm.token_count.completion",
)
_CACHE_READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cached_tokens",
    "llm.token_count.prompt_details.cache_read",
)
_CACHE_WRITE = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
)
_REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.details.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)
_AUDIO_IN = ("gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio")
_AUDIO_OUT = ("gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio")
_IMAGE_IN = ("gen_ai.usage.image.input_tokens",)
_WRITTEN_5M = "anthropic.usage.cache_creation.ephemeral_5m_input_tokens"
_WRITTEN_1H = "anthropic.usage.cache_creation.ephemeral_1h_input_tokens"
_COMPACTION = ("anthropic.usage.compaction.input_tokens", "anthropic.usage.compaction.output_tokens")
_TIER = (
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "anthropic.response.service_tier",
)
# The provider's usage object itself, as JSON (Logfire).
_RAW = "gen_ai.usage.raw"


def first(attributes: Attributes, names: tuple[str, ...]) -> Any:
    """The first of these attributes that is there, else None."""
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)


def json_object(value: object) -> Mapping[str, Any] | None:
    """A JSON object from its text, None for whatever is none, such as text that a length limit has cut."""
    if not isinstance(value, str) or not value.startswith("{"):
        return None
    try:
        found = json.loads(value)
    except ValueError:
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def service_tier(attributes: Attributes) -> str | None:
    """The tier that served the call, if the span tells it."""
    tier = first(attributes, _TIER)
    return tier if isinstance(tier, str) else None


def provider_usage(attributes: Attributes, dialect: Dialect, *, anthropic: bool) -> Mapping[str, Any] | None:
    """The usage object as the provider sent it, as far as the span tells it; None where it tells no counts.

    >>> provider_usage({"gen_ai.usage.input_tokens": 9}, Dialect(), anthropic=False)["prompt_tokens"]
    9
    """
    raw = json_object(attributes.get(_RAW))
    if raw is not None:
        return raw
    if first(attributes, (*_INPUT, *_OUTPUT)) is None:
        return None
    return _anthropic(attributes, dialect) if anthropic else _openai(attributes)


def _anthropic(attributes: Attributes, dialect: Dialect) -> Mapping[str, Any]:
    """Anthropic's input count leaves out what was read from and written to the cache; most spans add them."""
    total = whole(first(attributes, _INPUT))
    read, written = whole(first(attributes, _CACHE_READ)), whole(first(attributes, _CACHE_WRITE))
    # A part larger than the whole: the whole leaves it out.
    excluded = dialect.excludes_cache or read + written > total
    return {
        "input_tokens": total if excluded else total - read - written,
        "output_tokens": whole(first(attributes, _OUTPUT)),
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": whole(attributes.get(_WRITTEN_5M)),
            "ephemeral_1h_input_tokens": whole(attributes.get(_WRITTEN_1H)),
        },
        "output_tokens_details": {"thinking_tokens": whole(first(attributes, _REASONING))},
    }


def _openai(attributes: Attributes) -> Mapping[str, Any]:
    return {
        "prompt_tokens": whole(first(attributes, _INPUT)),
        "completion_tokens": whole(first(attributes, _OUTPUT)),
        "prompt_tokens_details": {
            "cached_tokens": whole(first(attributes, _CACHE_READ)),
            "cache_write_tokens": whole(first(attributes, _CACHE_WRITE)),
            "audio_tokens": whole(first(attributes, _AUDIO_IN)),
            "image_tokens": whole(first(attributes, _IMAGE_IN)),
        },
        "completion_tokens_details": {
            "reasoning_tokens": whole(first(attributes, _REASONING)),
            "audio_tokens": whole(first(attributes, _AUDIO_OUT)),
        },
    }


def not_told(attributes: Attributes, dialect: Dialect, *, anthropic: bool, streamed: bool) -> list[str]:
    """What the price depends on and the counts of this span leave open."""
    if attributes.get(_RAW) is not None:
        return []
    missing: list[str] = []
    if not dialect.tells_details:
        missing += ["cache"] if first(attributes, (*_CACHE_READ, *_CACHE_WRITE)) is None else []
        missing += ["reasoning"] if first(attributes, _REASONING) is None and not anthropic else []
    if anthropic:
        written = whole(first(attributes, _CACHE_WRITE))
        if written > whole(attributes.get(_WRITTEN_5M)) + whole(attributes.get(_WRITTEN_1H)):
            missing.append("cache_ttl")
        # No instrumentation puts these on its spans.
        missing += ["inference_geo", "server_tools", "speed"]
        if first(attributes, _COMPACTION) is not None:
            missing.append("further_passes")
    if dialect.adds_first_chunk and streamed:
        missing.append("output_tokens")
    return missing
