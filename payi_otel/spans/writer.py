"""What a call means, as span attributes: pure functions from a finished call to a dict."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.util.types import AttributeValue

from payi_otel.providers import catalog
from payi_otel.providers.content import redact_request, redact_response
from payi_otel.providers.model import Exchange, FunctionCall, Outcome, PriceKey, Reading, TokenTotals
from payi_otel.spans import semconv
from payi_otel.values import value

if TYPE_CHECKING:
    from payi_otel.capture.call import Call
    from payi_otel.tracking.context import TrackingContext

# Ids below this length are counters, not identities: Ollama answers "chatcmpl-331" again and again.
_MIN_ID_CHARACTERS = 16
# Pay-i's code for a failure that never got an HTTP status.
_NO_STATUS = 299
_REQUEST_ID_HEADERS = (b"x-request-id", b"request-id", b"apim-request-id", b"x-amzn-requestid")


@value
class CallFacts:
    """What is known of a finished call beside its meaning. Times in milliseconds."""

    exchange: Exchange
    outcome: Outcome
    status: int | None
    failure: str | None
    failure_description: str | None
    request_id: str | None
    retries: int
    latency_ms: int
    first_chunk_ms: int | None
    first_content_ms: int | None
    sent_exchange: Exchange
    response_body: Mapping[str, Any] | None
    response_text: str | None

    @classmethod
    def of(cls, call: Call, exchange: Exchange, *, with_content: bool) -> CallFacts:
        """Read the facts off a finished call; the request as sent only where content is captured."""
        status, failure, description = _failure(call)
        return cls(
            exchange=exchange,
            outcome=call.outcome or "ok",
            status=status,
            failure=failure,
            failure_description=description,
            request_id=_request_id(call.headers),
            retries=call.retries,
            latency_ms=call.elapsed_ms(call.ended_ns) or 0,
            first_chunk_ms=call.elapsed_ms(call.first_chunk_ns),
            first_content_ms=call.elapsed_ms(call.first_content_ns),
            sent_exchange=call.exchange_as_sent() if with_content else exchange,
            response_body=call.response_body(),
            response_text=call.response_text,
        )


def _request_id(headers: Mapping[bytes, bytes]) -> str | None:
    for name in _REQUEST_ID_HEADERS:
        if name in headers:
            return headers[name].decode("latin-1")
    return None


def _failure(call: Call) -> tuple[int | None, str | None, str | None]:
    """Status code, failure name and description. Descriptions name types only: messages may quote prompts."""
    error = call.error
    if error is None:
        return call.status, None, None
    status = getattr(error, "status_code", None)
    kind = type(error)
    if isinstance(status, int) and status >= 400:
        return status, None, None
    if call.status is not None and call.body is not None:
        # Answered and billed; what failed is the caller's parsing of it.
        return call.status, kind.__qualname__, "raised after the answer arrived"
    cause = error.__cause__
    description = f"{kind.__module__}.{kind.__qualname__}"
    if cause is not None:
        description += f" from {type(cause).__module__}.{type(cause).__qualname__}"
    return _NO_STATUS, kind.__qualname__, description


def call_attributes(exchange: Exchange, tracking: TrackingContext) -> dict[str, AttributeValue]:
    """Attributes known when the request leaves: what samplers and live views may look at."""
    place = catalog.endpoint(exchange)
    attributes: dict[str, AttributeValue] = {
        **tracking.attributes,
        semconv.GEN_AI_OPERATION: catalog.operation(exchange),
        semconv.GEN_AI_PROVIDER: place.provider,
        semconv.PROVIDER_URI: exchange.base_url,
    }
    model = exchange.request.get("model")
    if isinstance(model, str):
        attributes[semconv.GEN_AI_REQUEST_MODEL] = model
    if exchange.is_stream:
        attributes[semconv.GEN_AI_REQUEST_STREAM] = True
    if place.host:
        attributes[semconv.SERVER_ADDRESS] = place.host
    if place.port:
        attributes[semconv.SERVER_PORT] = place.port
    return attributes


def event_id_of(reading: Reading, request_id: str | None = None) -> str:
    """The identity of the event: the provider's id where that is unique, else one of ours."""
    base = reading.response_id or request_id
    if base is None or len(base) < _MIN_ID_CHARACTERS:
        return f"payi_{uuid.uuid4()}"
    return f"{base}#{reading.suffix}" if reading.suffix else base


def reading_attributes(
    facts: CallFacts, reading: Reading, price: PriceKey, *, with_content: bool, keep_inline_data: bool
) -> dict[str, AttributeValue]:
    """Attributes known when the call is over; they hold the whole event."""
    status = reading.error_status or facts.status
    failure = facts.failure or reading.error_type
    # Name by name, and only what there is: of what there may be, a call has half.
    told: dict[str, AttributeValue] = {}
    if reading.model is not None:
        told[semconv.GEN_AI_RESPONSE_MODEL] = reading.model
    if reading.response_id is not None:
        told[semconv.GEN_AI_RESPONSE_ID] = reading.response_id
    if reading.finish_reasons:
        told[semconv.GEN_AI_FINISH_REASONS] = reading.finish_reasons
    if facts.first_chunk_ms is not None:
        told[semconv.GEN_AI_TIME_TO_FIRST_CHUNK] = facts.first_chunk_ms / 1000
        told[semconv.TIME_TO_FIRST_TOKEN_MS] = facts.first_chunk_ms
    if facts.first_content_ms is not None:
        told[semconv.TIME_TO_FIRST_COMPLETION_TOKEN_MS] = facts.first_content_ms
    if status is not None:
        told[semconv.HTTP_STATUS] = status
        if status >= 400:
            told[semconv.ERROR_TYPE] = str(status)
    if failure:
        told[semconv.ERROR_TYPE] = failure
    if facts.retries:
        told[semconv.HTTP_RESEND_COUNT] = facts.retries
    if facts.request_id is not None:
        told[semconv.PROVIDER_REQUEST_ID] = facts.request_id
    told[semconv.EVENT_ID] = event_id_of(reading, facts.request_id if failed(facts) else None)
    told[semconv.CATEGORY] = price.category
    told[semconv.RESOURCE] = price.resource
    if price.scope is not None:
        told[semconv.RESOURCE_SCOPE] = price.scope
    told[semconv.USAGE_SOURCE] = reading.usage_source
    told[semconv.OUTCOME] = facts.outcome
    told[semconv.LATENCY_MS] = facts.latency_ms
    if reading.function_calls:
        told[semconv.FUNCTION_CALLS] = _function_calls(reading.function_calls, with_content)
    if reading.tokens is not None:
        _tell_tokens(told, reading.tokens)
    _tell_properties(told, facts, reading, failure)
    if with_content:
        _tell_content(told, facts, keep_inline_data)
    for name, units in reading.units.items():
        told[f"{semconv.UNITS}{name}.input"] = units.input
        told[f"{semconv.UNITS}{name}.output"] = units.output
    return told


def failed(facts: CallFacts) -> bool:
    """True when the provider gave no answer that could carry an id."""
    return facts.outcome in {"error", "cancelled"} and facts.response_body is None


def _tell_tokens(told: dict[str, AttributeValue], tokens: TokenTotals) -> None:
    told[semconv.GEN_AI_INPUT_TOKENS] = tokens.input
    told[semconv.GEN_AI_OUTPUT_TOKENS] = tokens.output
    if tokens.cache_read:
        told[semconv.GEN_AI_CACHE_READ_TOKENS] = tokens.cache_read
    if tokens.cache_write:
        told[semconv.GEN_AI_CACHE_WRITE_TOKENS] = tokens.cache_write
    if tokens.reasoning:
        told[semconv.GEN_AI_REASONING_TOKENS] = tokens.reasoning


def _tell_properties(
    told: dict[str, AttributeValue], facts: CallFacts, reading: Reading, failure: str | None
) -> None:
    for name, text in reading.properties.items():
        told[semconv.REQUEST_PROPERTIES + name] = text
    if failure is not None:
        told[semconv.REQUEST_PROPERTIES + semconv.SYSTEM_FAILURE] = failure
    if facts.failure_description is not None:
        told[semconv.REQUEST_PROPERTIES + semconv.SYSTEM_FAILURE_DESCRIPTION] = facts.failure_description
    if reading.usage_source == "estimated":
        told[semconv.REQUEST_PROPERTIES + semconv.SYSTEM_USAGE_SOURCE] = reading.usage_source
    if facts.outcome not in {"ok", "error"}:
        told[semconv.REQUEST_PROPERTIES + semconv.SYSTEM_OUTCOME] = facts.outcome
    if facts.retries:
        told[semconv.REQUEST_PROPERTIES + semconv.SYSTEM_RETRIES] = str(facts.retries)
    if facts.request_id is not None and (failed(facts) or (facts.status or 0) >= 400):
        told[semconv.REQUEST_PROPERTIES + semconv.SYSTEM_REQUEST_ID] = facts.request_id


def _function_calls(calls: tuple[FunctionCall, ...], with_content: bool) -> str:
    """Names always; arguments are the model's text and follow content capture."""
    return json.dumps(
        [{"name": call.name, "arguments": call.arguments if with_content else None} for call in calls]
    )


def _tell_content(told: dict[str, AttributeValue], facts: CallFacts, keep_inline_data: bool) -> None:
    told[semconv.REQUEST_JSON] = _json(redact_request(facts.sent_exchange, keep_inline_data))
    if facts.response_body is not None:
        told[semconv.RESPONSE_JSON] = _json(redact_response(facts.response_body, keep_inline_data))
    elif facts.response_text is not None:
        told[semconv.RESPONSE_JSON] = facts.response_text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
