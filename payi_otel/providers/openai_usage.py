"""OpenAI token usage, in all its spellings, as units and totals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payi_otel.providers.model import TokenTotals, Units
from payi_otel.providers.units import Purse, Tally, counts_only, section, text_of, unknown_counters, whole
from payi_otel.values import value

# Read below, or told by something that is read (totals), or no amount of work (times, prices).
_KNOWN = frozenset(
    {
        "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens",
        "cached_tokens", "cache_write_tokens", "ttl_30m_tokens", "ttl_12h_tokens", "audio_tokens",
        "text_tokens", "image_tokens", "reasoning_tokens", "accepted_prediction_tokens",
        "rejected_prediction_tokens", "prompt_cache_hit_tokens", "prompt_cache_miss_tokens",
        "num_cached_tokens", "queue_time", "prompt_time", "completion_time", "total_time", "cost",
        "upstream_inference_cost", "upstream_inference_prompt_cost", "upstream_inference_completions_cost",
        "upstream_inference_input_cost", "upstream_inference_output_cost",
    }
)  # fmt: skip
_TOTALS = frozenset({"prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens"})
_WRITE_UNITS = {"30m": "text_cache_write_30m", "12h": "text_cache_write_12h"}


@value
class TokenUsage:
    """Units, totals and leftovers of one usage object."""

    units: Mapping[str, Units]
    tokens: TokenTotals
    properties: Mapping[str, str]


def token_usage(usage: Mapping[str, Any], request: Mapping[str, Any]) -> TokenUsage:
    """Read `CompletionUsage`, `ResponseUsage` or an embeddings usage.

    Input counts include cached, cache-written, audio and image tokens; output counts include reasoning, audio
    and predictions. Each token is counted in one unit, and the units of a side add up to its total.
    """
    total_in = whole(usage.get("prompt_tokens")) or whole(usage.get("input_tokens"))
    total_out = whole(usage.get("completion_tokens")) or whole(usage.get("output_tokens"))
    if not total_in and not total_out:
        # Voyage tells only the total of an embedding.
        total_in = whole(usage.get("total_tokens"))
    if counts_only(usage, _TOTALS):
        return TokenUsage({"text": Units(total_in, total_out)}, TokenTotals(total_in, total_out), {})
    details_in = section(usage, "prompt_tokens_details") or section(usage, "input_tokens_details")
    details_out = section(usage, "completion_tokens_details") or section(usage, "output_tokens_details")

    tally = Tally()
    purse = Purse(total_in)
    cached = purse.take(_cached(usage, details_in))
    tally.add("text_cache_read", input=cached)
    writes = 0
    for unit, count in _cache_writes(details_in, request):
        written = purse.take(count)
        tally.add(unit, input=written)
        writes += written
    tally.add("audio", input=purse.take(whole(details_in.get("audio_tokens"))))
    tally.add("vision", input=purse.take(whole(details_in.get("image_tokens"))))

    reasoning = whole(details_out.get("reasoning_tokens"))
    if reasoning and whole(usage.get("total_tokens")) == total_in + total_out + reasoning:
        # Gemini's and xAI's OpenAI endpoints leave reasoning out of the completion count.
        total_out += reasoning
    out = Purse(total_out)
    reasoning = out.take(reasoning)
    tally.add("reasoning", output=reasoning)
    tally.add("audio", output=out.take(whole(details_out.get("audio_tokens"))))
    tally.add("text", input=purse.left, output=out.left, keep_zero=True)

    properties = unknown_counters(usage, _KNOWN)
    for name in ("accepted_prediction_tokens", "rejected_prediction_tokens"):
        # Billed as output text, which they are counted in: a unit of their own would be priced nowhere.
        count = whole(details_out.get(name))
        if count:
            properties[f"system.{name}"] = str(count)
    return TokenUsage(tally.units(), TokenTotals(total_in, total_out, cached, writes, reasoning), properties)


def _cached(usage: Mapping[str, Any], details: Mapping[str, Any]) -> int:
    return (
        whole(details.get("cached_tokens"))
        or whole(usage.get("prompt_cache_hit_tokens"))
        or whole(usage.get("num_cached_tokens"))
    )


def _cache_writes(details: Mapping[str, Any], request: Mapping[str, Any]) -> list[tuple[str, int]]:
    total = whole(details.get("cache_write_tokens"))
    split = section(details, "cache_write_tokens_details")
    written = [
        ("text_cache_write_30m", whole(split.get("ttl_30m_tokens"))),
        ("text_cache_write_12h", whole(split.get("ttl_12h_tokens"))),
    ]
    rest = total - sum(count for _, count in written)
    if rest > 0:
        ttl = text_of(section(request, "prompt_cache_options"), "ttl") or "30m"
        written.append((_WRITE_UNITS.get(ttl, "text_cache_write"), rest))
    return written


def image_usage(usage: Mapping[str, Any]) -> TokenUsage:
    """Token-priced image generation: text and image tokens in, image tokens (and some text) out."""
    total_in, total_out = whole(usage.get("input_tokens")), whole(usage.get("output_tokens"))
    details_in, details_out = section(usage, "input_tokens_details"), section(usage, "output_tokens_details")
    purse, out = Purse(total_in), Purse(total_out)
    cached = purse.take(whole(usage.get("cached_tokens")) or whole(details_in.get("cached_tokens")))
    image_in = purse.take(whole(details_in.get("image_tokens")))
    text_out = out.take(whole(details_out.get("text_tokens")))
    tally = Tally()
    tally.add("text", input=purse.left, output=text_out, keep_zero=True)
    tally.add("text_cache_read", input=cached)
    tally.add("image", input=image_in, output=out.left)
    known = _KNOWN | {"cached_image_tokens", "cached_text_tokens"}
    return TokenUsage(tally.units(), TokenTotals(total_in, total_out, cached), unknown_counters(usage, known))


def realtime_usage(usage: Mapping[str, Any]) -> TokenUsage:
    """`response.done` of a realtime session: every modality, each cached or not."""
    total_in, total_out = whole(usage.get("input_tokens")), whole(usage.get("output_tokens"))
    details = section(usage, "input_token_details")
    cached_details = section(details, "cached_tokens_details")
    cached_total = whole(details.get("cached_tokens"))
    purse, cached = Purse(total_in), Purse(cached_total)
    tally = Tally()
    for modality, unit in (("audio", "audio"), ("image", "vision")):
        count = purse.take(whole(details.get(f"{modality}_tokens")))
        read = cached.take(min(count, whole(cached_details.get(f"{modality}_tokens"))))
        tally.add(unit, input=count - read)
        tally.add(f"{unit}_cache_read", input=read)
    text_cached = min(cached.left, purse.left)
    tally.add("text_cache_read", input=text_cached)
    out = Purse(total_out)
    tally.add("audio", output=out.take(whole(section(usage, "output_token_details").get("audio_tokens"))))
    tally.add("text", input=purse.left - text_cached, output=out.left, keep_zero=True)
    return TokenUsage(
        tally.units(), TokenTotals(total_in, total_out, cached_total), unknown_counters(usage, _KNOWN)
    )


def audio_usage(usage: Mapping[str, Any]) -> TokenUsage:
    """Transcription, translation and speech: tokens of text and audio, or seconds."""
    tally = Tally()
    if "seconds" in usage and "input_tokens" not in usage:
        tally.add("audio_second", input=whole(usage.get("seconds")), keep_zero=True)
        return TokenUsage(tally.units(), TokenTotals(), {})
    total_in, total_out = whole(usage.get("input_tokens")), whole(usage.get("output_tokens"))
    details_in = section(usage, "input_token_details")
    details_out = section(usage, "output_token_details")
    purse, out = Purse(total_in), Purse(total_out)
    tally.add("audio", input=purse.take(whole(details_in.get("audio_tokens"))))
    tally.add("audio", output=out.take(whole(details_out.get("audio_tokens"))))
    tally.add("text", input=purse.left, output=out.left, keep_zero=True)
    return TokenUsage(tally.units(), TokenTotals(total_in, total_out), unknown_counters(usage, _KNOWN))
