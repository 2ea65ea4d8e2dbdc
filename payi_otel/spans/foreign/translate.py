"""A span of another instrumentation in the attributes of ours. Inference only, and nothing where nothing is billed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any
from urllib.parse import urlsplit

from payi_otel.providers import catalog
from payi_otel.providers.model import Exchange, ModelMapping, PriceKey, Reading, Surface
from payi_otel.providers.reading import read
from payi_otel.providers.units import text_of, whole
from payi_otel.spans import semconv
from payi_otel.spans.foreign.clients import category_of, client_of, provider_name
from payi_otel.spans.foreign.dialects import Dialect, dialect_of
from payi_otel.spans.foreign.failures import failure_of
from payi_otel.spans.foreign.signs import PROVIDER, REQUEST_MODEL
from payi_otel.spans.foreign.usage import (
    Attributes,
    first,
    json_object,
    not_told,
    provider_usage,
    service_tier,
)
from payi_otel.spans.neutral import SpanData
from payi_otel.spans.writer import CallFacts, event_id_of, reading_attributes
from payi_otel.values import value

# Operations that are billed. Agents, tools and workflows only add up what these cost; fetching a response, or
# counting its tokens, is free.
_OPERATIONS: Mapping[str, Surface] = {
    "chat": "chat",
    "message": "chat",
    "generate_content": "chat",
    "text_completion": "completion",
    "completion": "completion",
    "embeddings": "embeddings",
    "embedding": "embeddings",
}
_OPENINFERENCE: Mapping[str, Surface] = {"LLM": "chat", "EMBEDDING": "embeddings"}
_RESPONSE_MODEL = (
    semconv.GEN_AI_RESPONSE_MODEL,
    "llm.response.model_name",
    "llm.model_name",
    "embedding.model_name",
    "llm.response.model",
)
_REQUEST_ID = ("anthropic.request.id", "openai.request.id", "gen_ai.openai.request.id")
_FREE_ROUTES = ("/count_tokens", "/input_tokens")


@value
class PriceRules:
    """The settings `host_mappings` and `model_mappings`, which also price what others saw."""

    host_mappings: Mapping[str, str] = field(default_factory=dict[str, str])
    model_mappings: Mapping[str, tuple[ModelMapping, ...]] = field(
        default_factory=dict[str, "tuple[ModelMapping, ...]"]
    )


NO_RULES = PriceRules()


def translate(span: SpanData, rules: PriceRules = NO_RULES) -> dict[str, Any] | None:
    """The attributes that our own span of this call would have, None when the span is not a billed call.

    What the price depends on and the span does not tell is listed in the request property `system.not_told`:
    "usage", "cache" (whether input came from the cache), "cache_ttl" (5 minutes or an hour), "reasoning" (then it
    is in the text), "service_tier", "inference_geo", "speed", "server_tools" (their requests), "further_passes",
    "output_tokens" (a count that may be a little too high). `system.instrumentation` names who made the span.
    """
    attributes, dialect = span.attributes, dialect_of(span.scope_name)
    surface = _surface(span)
    if surface is None or attributes.get(semconv.PROXY):
        return None
    provider = provider_name(str(first(attributes, PROVIDER) or dialect.sdk or ""))
    exchange = _exchange(attributes, provider, surface)
    if exchange is None:
        return None
    status, failure = failure_of(span)
    readings, missing = _readings(span, exchange, dialect)
    reading = readings[0]
    failed = failure is not None or (status or 0) >= 400
    if dialect.ends_streams_apart and not failed and _is_begun_stream(span, reading):
        return None
    if failed and reading.usage_source == "none":
        missing = []
    if len(readings) > 1:
        missing.append("further_passes")
    facts = _facts(span, exchange, status, failure)
    price = _price(exchange, provider, reading, attributes, rules)
    translated = reading_attributes(facts, reading, price, with_content=False, keep_inline_data=False)
    return {
        **{name: value for name, value in attributes.items() if name.startswith("payi.")},
        **translated,
        **_marks(span, missing),
        semconv.EVENT_ID: _event_id(span, reading, facts.request_id if failed else None),
        **({semconv.PROVIDER_URI: exchange.base_url} if exchange.base_url else {}),
    }


def _surface(span: SpanData) -> Surface | None:
    attributes = span.attributes
    operation = attributes.get(semconv.GEN_AI_OPERATION) or attributes.get("llm.request.type")
    if str(attributes.get("http.route", "")).endswith(_FREE_ROUTES):
        return None
    if operation is not None:
        return _OPERATIONS.get(str(operation))
    kind = attributes.get("openinference.span.kind")
    if kind is not None:
        return _OPENINFERENCE.get(str(kind))
    # Before the conventions had operations, a client's span that names a model was a call of it.
    is_call = span.kind == "CLIENT" and first(attributes, REQUEST_MODEL) and first(attributes, PROVIDER)
    return "chat" if is_call else None


def _is_begun_stream(span: SpanData, reading: Reading) -> bool:
    """The first of the two spans of a stream: it ends before anything has been told."""
    ended = "duration" in span.attributes or reading.response_id is not None
    return reading.usage_source == "none" and not ended


def _exchange(attributes: Attributes, provider: str, surface: Surface) -> Exchange | None:
    """The request behind a span, as far as it is told; None for a span that names neither provider nor model."""
    request = dict(json_object(attributes.get("input.value")) or {})
    model = first(attributes, REQUEST_MODEL) or text_of(request, "model")
    model = model or text_of(json_object(attributes.get("llm.invocation_parameters")), "model")
    told = model or first(attributes, _RESPONSE_MODEL)
    if not provider and not told:
        return None
    if model:
        request["model"] = str(model)
    client = client_of(provider, str(told or ""))
    sdk, client_class = client or ("openai", "OpenAI")
    identity = str(attributes.get(semconv.GEN_AI_RESPONSE_ID) or "")
    if sdk == "anthropic":
        surface = "complete" if surface == "completion" else "messages"
    elif attributes.get("openai.api.type") == "responses" or identity.startswith("resp_"):
        surface = "responses"
    return Exchange(
        sdk=sdk,
        surface=surface,
        request=request,
        base_url=_base_url(attributes),
        client_classes=(client_class,) if client else (),
    )


def _base_url(attributes: Attributes) -> str:
    """The provider's address, empty where the span does not tell enough of it."""
    told = attributes.get("gen_ai.openai.api_base")
    if isinstance(told, str) and told:
        return told
    full = urlsplit(str(attributes.get("url.full") or ""))
    if full.netloc:
        return f"{full.scheme}://{full.netloc}"
    host, port = attributes.get(semconv.SERVER_ADDRESS), whole(attributes.get(semconv.SERVER_PORT))
    if not isinstance(host, str) or not host:
        return ""
    scheme = "https" if port in {0, 443} else "http"
    return f"{scheme}://{host}" if port in {0, 80, 443} else f"{scheme}://{host}:{port}"


def _readings(span: SpanData, exchange: Exchange, dialect: Dialect) -> tuple[tuple[Reading, ...], list[str]]:
    """What the call cost, and what the price depends on that is not told."""
    attributes = span.attributes
    body = json_object(attributes.get("output.value"))
    if body is not None and ("usage" in body or "id" in body):
        # OpenInference keeps the response itself.
        if body.get("object") == "response":
            exchange = replace(exchange, surface="responses")
        readings = read(replace(exchange, is_stream=False), body, complete=True)
        tier = text_of(body, "service_tier") or text_of(body.get("usage"), "service_tier")
        return readings, [] if tier or exchange.surface == "embeddings" else ["service_tier"]
    anthropic = exchange.sdk == "anthropic"
    usage = provider_usage(attributes, dialect, anthropic=anthropic)
    model = first(attributes, _RESPONSE_MODEL)
    identity = attributes.get(semconv.GEN_AI_RESPONSE_ID)
    if usage is None:
        untold = Reading(
            units={},
            usage_source="none",
            model=str(model) if model else None,
            response_id=str(identity) if identity else None,
        )
        return (untold,), ["usage"]
    tier = service_tier(attributes) or text_of(usage, "service_tier")
    told = {"id": identity, "model": model, "usage": usage, "service_tier": tier}
    streamed = bool(attributes.get(semconv.GEN_AI_REQUEST_STREAM) or attributes.get("gen_ai.is_streaming"))
    missing = not_told(attributes, dialect, anthropic=anthropic, streamed=streamed)
    if exchange.surface == "embeddings":
        # Nothing of an embedding is cached, and it has one tier.
        missing = []
    elif tier is None:
        missing.append("service_tier")
    return read(exchange, told, complete=True), missing


def _facts(span: SpanData, exchange: Exchange, status: int | None, failure: str | None) -> CallFacts:
    attributes = span.attributes
    elapsed_ms = (span.end_ns - span.start_ns) // 1_000_000
    duration = attributes.get("duration")
    if elapsed_ms <= 0 and isinstance(duration, (int, float)):
        # Logfire ends a stream with a span of no length.
        elapsed_ms = int(duration * 1000)
    first_chunk = attributes.get(semconv.GEN_AI_TIME_TO_FIRST_CHUNK)
    request_id = first(attributes, _REQUEST_ID)
    failed = failure is not None or (status or 0) >= 400
    return CallFacts(
        exchange=exchange,
        outcome="error" if failed else "ok",
        status=status or (None if failed else 200),
        failure=failure,
        failure_description=None,
        request_id=str(request_id) if request_id else None,
        retries=whole(attributes.get(semconv.HTTP_RESEND_COUNT)),
        latency_ms=max(0, elapsed_ms),
        first_chunk_ms=int(first_chunk * 1000) if isinstance(first_chunk, (int, float)) else None,
        first_content_ms=None,
        sent_exchange=exchange,
        response_body=None,
        response_text=None,
    )


def _price(
    exchange: Exchange, provider: str, reading: Reading, attributes: Attributes, rules: PriceRules
) -> PriceKey:
    key = catalog.price_key(
        exchange,
        reading.model,
        host_mappings=rules.host_mappings,
        model_mappings=rules.model_mappings.get(exchange.sdk, ()),
        price_as_category=_text(attributes, semconv.PRICE_AS_CATEGORY),
        price_as_resource=_text(attributes, semconv.PRICE_AS_RESOURCE),
        resource_scope=_text(attributes, semconv.RESOURCE_SCOPE),
        reading_scope=reading.resource_scope,
    )
    if not exchange.client_classes and provider and key.category == "system.openai":
        return replace(key, category=category_of(provider))
    return key


def _text(attributes: Attributes, name: str) -> str | None:
    value = attributes.get(name)
    return value if isinstance(value, str) and value else None


def _marks(span: SpanData, missing: list[str]) -> dict[str, str]:
    marks = {f"{semconv.REQUEST_PROPERTIES}{semconv.SYSTEM_INSTRUMENTATION}": span.scope_name or "unknown"}
    if missing:
        marks[f"{semconv.REQUEST_PROPERTIES}{semconv.SYSTEM_NOT_TOLD}"] = ",".join(missing)
    return marks


def _event_id(span: SpanData, reading: Reading, request_id: str | None) -> str:
    """As ours; where the provider gave none, one that every reader of this span arrives at."""
    identity = event_id_of(reading, request_id)
    return f"payi_{span.trace_id}-{span.span_id}" if identity.startswith("payi_") else identity
