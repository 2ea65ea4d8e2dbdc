"""What a response cost: one reading for itself, and one for every further pass that was billed with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from payi_otel.providers import estimate, outputs
from payi_otel.providers.anthropic_usage import extra_passes, message_usage, without_passes
from payi_otel.providers.catalog import geo_scope
from payi_otel.providers.media import read_image, read_speech, read_transcription
from payi_otel.providers.model import Exchange, FunctionCall, Reading, TokenTotals, Units
from payi_otel.providers.openai_usage import (
    TokenUsage,
    audio_usage,
    image_usage,
    realtime_usage,
    token_usage,
)
from payi_otel.providers.units import EMPTY, Tally, entries, section, text_of, whole

_PENDING = frozenset({"queued", "in_progress"})
_TIERS = {name: f"system.{name}" for name in ("service_tier", "speed", "inference_geo")}


def read(
    exchange: Exchange,
    body: Mapping[str, Any] | None,
    *,
    complete: bool,
) -> tuple[Reading, ...]:
    """The readings of a response, the first one its own.

    `body` is the response's JSON, folded by an assembler where it streamed, None where nothing arrived.
    `complete` False says that a stream was cut. Usage the provider did not tell is estimated. Odd, missing and
    null fields never raise.
    """
    known = body if isinstance(body, Mapping) else EMPTY
    surface = exchange.surface
    if surface in {"messages", "complete"}:
        return _read_message(exchange, known)
    if surface in {"responses", "responses.retrieve", "responses.compact"}:
        return _read_response(exchange, known, complete)
    if surface == "image":
        return read_image(exchange, known)
    if surface == "speech":
        return (read_speech(exchange, known),)
    if surface in {"transcription", "translation"}:
        return (read_transcription(exchange, known),)
    if surface == "realtime":
        return (_read_realtime(exchange, known),)
    if surface == "moderation":
        model, identity = text_of(known, "model"), text_of(known, "id")
        return (Reading(units={}, usage_source="provider", model=model, response_id=identity),)
    return (_read_chat(exchange, known),)


def _base(
    known: Mapping[str, Any],
    told: TokenUsage | None,
    is_stream: bool = False,
    *,
    function_calls: tuple[FunctionCall, ...] = (),
    tiers: Mapping[str, Any] = EMPTY,
    resource_scope: str | None = None,
) -> Reading:
    """A reading without its peculiarities; `tiers` may name the tiers as well, and then wins."""
    properties = _tier_properties(known)
    if told is not None:
        properties |= told.properties
    if tiers:
        properties |= _tier_properties(tiers)
    reading = Reading(
        units=told.units if told is not None else {},
        usage_source="provider" if told is not None else "none",
        model=text_of(known, "model"),
        response_id=text_of(known, "id"),
        tokens=told.tokens if told is not None else None,
        finish_reasons=outputs.finish_reasons(known),
        function_calls=function_calls,
        properties=properties,
        resource_scope=resource_scope,
    )
    return _with_error(reading, known, is_stream)


def _tier_properties(source: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: value for name, key in _TIERS.items() if (value := source.get(name)) and isinstance(value, str)
    }


def _with_error(reading: Reading, known: Mapping[str, Any], is_stream: bool) -> Reading:
    """An error object inside a 200 makes the call a failure, whatever usage came with it."""
    error = section(known, "error")
    if not error and known.get("status") != "failed":
        return reading
    # In a stream the answer was under way when it failed: that has no status of its own.
    codes = () if is_stream else (whole(error.get("status")), whole(error.get("code")))
    status = next((code for code in codes if 400 <= code <= 599), 299)
    kind = text_of(error, "code") or text_of(error, "type") or "error"
    return replace(reading, error_status=status, error_type=kind)


def _estimated(exchange: Exchange, known: Mapping[str, Any], reading: Reading) -> Reading:
    model = reading.model or text_of(exchange.request, "model")
    tokens_in = estimate.request_tokens(exchange.request, model)
    tokens_out = estimate.text_tokens(outputs.output_text(known), model)
    return replace(
        reading,
        units={"text": Units(tokens_in, tokens_out)},
        tokens=TokenTotals(tokens_in, tokens_out),
        usage_source="estimated",
    )


def _read_chat(exchange: Exchange, known: Mapping[str, Any]) -> Reading:
    usage = section(known, "usage") or section(section(known, "x_groq"), "usage")
    told = token_usage(usage, exchange.request) if usage else None
    reading = _base(known, told, exchange.is_stream, function_calls=outputs.chat_calls(known))
    if told is not None or (reading.error_type is not None and not entries(known, "choices")):
        return reading
    return _estimated(exchange, known, reading)


def _read_response(exchange: Exchange, known: Mapping[str, Any], complete: bool) -> tuple[Reading, ...]:
    usage = section(known, "usage")
    told = token_usage(usage, exchange.request) if usage else None
    reading = _base(known, told, exchange.is_stream, function_calls=outputs.response_calls(known))
    if told is None:
        background = bool(known.get("background") or exchange.request.get("background"))
        if known.get("status") in _PENDING and (background or complete):
            return (replace(reading, pending=True),)
        if reading.error_type is not None and not entries(known, "output"):
            return (reading,)
        return (_estimated(exchange, known, reading),)
    reading = replace(reading, units={**reading.units, **_hosted_tools(known)})
    image = section(section(known, "tool_usage"), "image_gen")
    if not whole(image.get("input_tokens")) and not whole(image.get("output_tokens")):
        return (reading,)
    return (reading, _image_tool(exchange, known, image))


def _hosted_tools(known: Mapping[str, Any]) -> Mapping[str, Units]:
    """Tools the provider runs and bills per use; what it does not count itself is counted from the output."""
    items = entries(known, "output")
    searches = whole(section(section(known, "tool_usage"), "web_search").get("num_requests"))
    if not searches:
        searches = sum(1 for item in items if _is_search(item))
    containers = {item.get("container_id") for item in items if item.get("type") == "code_interpreter_call"}
    tally = Tally()
    tally.add("web_search_request", output=searches)
    tally.add("file_search_request", output=sum(item.get("type") == "file_search_call" for item in items))
    tally.add("code_interpreter_request", output=len(containers))
    return tally.units()


def _is_search(item: Mapping[str, Any]) -> bool:
    """Opening a page and finding in it are steps of a search, and not billed."""
    return item.get("type") == "web_search_call" and section(item, "action").get("type") in {None, "search"}


def _image_tool(exchange: Exchange, known: Mapping[str, Any], usage: Mapping[str, Any]) -> Reading:
    tools = entries(known, "tools") or entries(exchange.request, "tools")
    models = (text_of(tool, "model") for tool in tools if tool.get("type") == "image_generation")
    told = image_usage(usage)
    return Reading(
        units=told.units,
        usage_source="provider",
        model=next((model for model in models if model), "gpt-image-1"),
        response_id=text_of(known, "id"),
        suffix="image_gen",
        tokens=told.tokens,
        properties={**_tier_properties(known), **told.properties},
    )


def _read_message(exchange: Exchange, known: Mapping[str, Any]) -> tuple[Reading, ...]:
    usage = section(known, "usage")
    model, identity = text_of(known, "model"), text_of(known, "id")
    extra = extra_passes(usage, model, identity)
    told = message_usage(without_passes(usage, extra)) if usage else None
    geo = text_of(usage, "inference_geo")
    reading = _base(
        known,
        told,
        exchange.is_stream,
        function_calls=outputs.message_calls(known),
        tiers=usage,
        resource_scope=geo_scope(exchange, geo),
    )
    if told is None:
        if reading.error_type is not None and not entries(known, "content"):
            return (reading,)
        return (_estimated(exchange, known, reading),)
    if exchange.is_stream and known.get("stop_reason") is None:
        reading = _message_cut_short(exchange, known, reading)
    return (reading, *(replace(one, resource_scope=reading.resource_scope) for one in extra))


def _message_cut_short(exchange: Exchange, known: Mapping[str, Any], reading: Reading) -> Reading:
    """A cut stream told its input exactly and its output not at all: the text that arrived is what is known."""
    model = reading.model or text_of(exchange.request, "model")
    name = next((one for one in reading.units if one.startswith("text") and "cache" not in one), "text")
    text = reading.units.get(name, Units())
    output = max(text.output, estimate.text_tokens(outputs.output_text(known), model))
    tokens = reading.tokens or TokenTotals()
    return replace(
        reading,
        units={**reading.units, name: Units(text.input, output)},
        tokens=replace(tokens, output=output),
        usage_source="estimated",
    )


def _read_realtime(exchange: Exchange, known: Mapping[str, Any]) -> Reading:
    session = exchange.request
    response = section(known, "response")
    if response:
        told = realtime_usage(section(response, "usage"))
        calls = outputs.response_calls(response)
        return replace(
            _base(response, told),
            model=text_of(response, "model") or text_of(session, "model"),
            function_calls=calls,
        )
    transcription = section(session, "input_audio_transcription") or section(
        section(section(session, "audio"), "input"), "transcription"
    )
    return replace(
        _base(known, audio_usage(section(known, "usage"))),
        response_id=text_of(known, "event_id") or text_of(known, "item_id"),
        model=text_of(transcription, "model"),
    )


def read_batch_line(exchange: Exchange, line: Mapping[str, Any]) -> Reading | None:
    """The reading of one line of a batch's results, None for a line that billed nothing or is something else."""
    if exchange.sdk == "anthropic":
        message = section(section(line, "result"), "message")
        if not message:
            return None
        reading = _read_message(replace(exchange, is_stream=False), message)[0]
    else:
        response = section(line, "response")
        body = section(response, "body")
        if "custom_id" not in line or response.get("status_code") != 200 or not section(body, "usage"):
            return None
        surface = "responses" if body.get("object") == "response" else "chat"
        reading = read(replace(exchange, surface=surface), body, complete=True)[0]
    return replace(reading, properties={**reading.properties, "system.service_tier": "batch"})
