"""Images, speech and transcription: priced by tokens, pictures, characters or seconds, as the model has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payi_otel.providers import estimate
from payi_otel.providers.model import Exchange, Reading, TokenTotals, Units
from payi_otel.providers.openai_usage import TokenUsage, audio_usage, image_usage
from payi_otel.providers.units import section, text_of, whole

_PER_CHARACTER = ("tts-1",)
_SPOKEN_CHARACTERS_PER_SECOND = 15


def read_image(exchange: Exchange, known: Mapping[str, Any]) -> tuple[Reading, ...]:
    """Image generation, edit and variation: tokens where they are told, else pictures of a quality and size."""
    model = text_of(known, "model") or text_of(exchange.request, "model")
    usage = section(known, "usage")
    told = image_usage(usage) if usage else None
    units = told.units if told is not None else _pictures(exchange.request, known)
    properties: Mapping[str, str] = told.properties if told is not None else {}
    tokens = told.tokens if told is not None else None
    reading = Reading(
        units=units,
        # DALL-E has a price per picture: what was asked for is what is billed.
        usage_source="provider" if units else "none",
        model=model or ("dall-e-2" if not usage else None),
        response_id=text_of(known, "id"),
        tokens=tokens,
        properties=properties,
    )
    svg = section(known, "svg_usage")
    if not svg:
        return (reading,)
    count_in, count_out = whole(svg.get("input_tokens")), whole(svg.get("output_tokens"))
    extra = Reading(
        units={"text": Units(count_in, count_out)},
        usage_source="provider",
        model=text_of(svg, "model") or model,
        response_id=reading.response_id,
        suffix="svg",
        tokens=TokenTotals(count_in, count_out),
    )
    return (reading, extra)


def _pictures(request: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Units]:
    data = known.get("data")
    count = len(data) if isinstance(data, list) else whole(request.get("n")) or 1  # pyright: ignore[reportUnknownArgumentType]
    if not count:
        return {}
    quality = text_of(request, "quality") or "standard"
    size = text_of(request, "size") or "1024x1024"
    return {f"image.{quality}.{size}": Units(output=count)}


def read_speech(exchange: Exchange, known: Mapping[str, Any]) -> Reading:
    """Text to speech: characters of the tts-1 family are exact; the token-priced models tell nothing in audio."""
    model = text_of(exchange.request, "model")
    usage = section(known, "usage")
    if usage:
        told = audio_usage(usage)
        text = told.units.get("text", Units())
        units = {**told.units, "text": Units(text.input), "audio": Units(output=text.output)}
        return _reading(model, TokenUsage(units, told.tokens, told.properties))
    spoken = text_of(exchange.request, "input") or ""
    if (model or "").startswith(_PER_CHARACTER):
        units = {"text_character": Units(len(spoken))}
        return Reading(units=units, usage_source="provider", model=model)
    text_in, audio_out = estimate.text_tokens(spoken, model), estimate.speech_tokens(spoken)
    return Reading(
        units={"text": Units(text_in), "audio": Units(output=audio_out)},
        usage_source="estimated",
        model=model,
        tokens=TokenTotals(text_in, audio_out),
    )


def read_transcription(exchange: Exchange, known: Mapping[str, Any]) -> Reading:
    """Speech to text: tokens or seconds where they are told, else seconds estimated from the text."""
    model = text_of(exchange.request, "model")
    usage = section(known, "usage")
    if usage:
        return _reading(model, audio_usage(usage))
    if "duration" in known:
        seconds = known["duration"]
        # verbose_json of older models has the duration as text.
        count = whole(float(seconds)) if _is_number(seconds) else whole(seconds)
        return Reading(units={"audio_second": Units(count)}, usage_source="provider", model=model)
    text = text_of(known, "text") or ""
    count = -(-len(text) // _SPOKEN_CHARACTERS_PER_SECOND)
    return Reading(units={"audio_second": Units(count)}, usage_source="estimated", model=model)


def _is_number(value: object) -> bool:
    return isinstance(value, str) and value.replace(".", "", 1).isdigit()


def _reading(model: str | None, told: TokenUsage) -> Reading:
    return Reading(
        units=told.units,
        usage_source="provider",
        model=model,
        tokens=told.tokens,
        properties=told.properties,
    )
