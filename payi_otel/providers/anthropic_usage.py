"""Anthropic usage as units and totals, pass by pass where a response lists its passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payi_otel.providers.model import Reading, TokenTotals, Units
from payi_otel.providers.openai_usage import TokenUsage
from payi_otel.providers.units import Tally, counts_only, entries, section, text_of, unknown_counters, whole

_LARGE_CONTEXT_TOKENS = 200_000
_TOTALS = frozenset({"input_tokens", "output_tokens"})
_UNSUFFIXED = frozenset({"web_search_request"})
_KNOWN = frozenset(
    {
        "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
        "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "thinking_tokens",
        "web_search_requests", "web_fetch_requests",
    }
)  # fmt: skip


def message_usage(usage: Mapping[str, Any]) -> TokenUsage:
    """Read the usage of a message or of one of its passes; input counts leave out cache reads and writes."""
    text_in, text_out = whole(usage.get("input_tokens")), whole(usage.get("output_tokens"))
    if text_in <= _LARGE_CONTEXT_TOKENS and counts_only(usage, _TOTALS):
        return TokenUsage({"text": Units(text_in, text_out)}, TokenTotals(text_in, text_out), {})
    read = whole(usage.get("cache_read_input_tokens"))
    split = section(usage, "cache_creation")
    short, long = whole(split.get("ephemeral_5m_input_tokens")), whole(split.get("ephemeral_1h_input_tokens"))
    written = max(whole(usage.get("cache_creation_input_tokens")), short + long)
    tally = Tally()
    tally.add("text", input=text_in, output=text_out, keep_zero=True)
    tally.add("text_cache_read", input=read)
    # What the split does not explain was written at the default time to live, 5 minutes.
    tally.add("text_cache_write", input=written - long)
    tally.add("text_cache_write_1h", input=long)
    tally.add(
        "web_search_request", output=whole(section(usage, "server_tool_use").get("web_search_requests"))
    )
    total_in = text_in + read + written
    suffix = "_large_context" if total_in > _LARGE_CONTEXT_TOKENS else ""
    properties = unknown_counters(
        {name: value for name, value in usage.items() if name != "iterations"}, _KNOWN
    )
    thinking = whole(section(usage, "output_tokens_details").get("thinking_tokens"))
    if thinking:
        properties["system.thinking_tokens"] = str(thinking)
    return TokenUsage(
        tally.units(suffix, _UNSUFFIXED), TokenTotals(total_in, text_out, read, written, 0), properties
    )


def extra_passes(usage: Mapping[str, Any], model: str | None, response_id: str | None) -> list[Reading]:
    """Billed passes that the top-level counts leave out: compaction, advisors, hops that declined."""
    passes = entries(usage, "iterations")
    if not passes:
        return []
    fallback = next((text_of(one, "model") for one in passes if one.get("type") == "fallback_message"), None)
    extra: list[Reading] = []
    for index, one in enumerate(passes):
        kind = one.get("type")
        own_model = text_of(one, "model")
        declined = fallback is not None and kind == "message" and own_model not in {None, fallback}
        if kind in {"compaction", "advisor_message"} or declined:
            told = message_usage(one)
            extra.append(
                Reading(
                    units=told.units,
                    usage_source="provider",
                    model=own_model or model,
                    response_id=response_id,
                    suffix=f"iteration-{index}",
                    tokens=told.tokens,
                    properties={"system.iteration": str(kind), **told.properties},
                )
            )
    return extra


def without_passes(usage: Mapping[str, Any], extra: list[Reading]) -> Mapping[str, Any]:
    """The top-level counts less the declined hops, where the provider has added those up as well."""
    if not extra:
        return usage
    declined = [one for one in extra if one.properties.get("system.iteration") == "message"]
    if not declined:
        return usage
    listed = sum(whole(one.get("input_tokens")) for one in entries(usage, "iterations"))
    if listed != whole(usage.get("input_tokens")):
        return usage
    fields = dict(usage)
    for one in declined:
        text = one.units.get("text", Units())
        fields["input_tokens"] = max(0, whole(fields.get("input_tokens")) - text.input)
        fields["output_tokens"] = max(0, whole(fields.get("output_tokens")) - text.output)
    return fields
