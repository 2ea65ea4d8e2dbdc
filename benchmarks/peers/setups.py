"""How each contender is switched on, as its documentation says, without content where it has a switch for that.

`SETUPS[name]()` imports what the contender needs and gives the function that instruments, which takes the address of
the service.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

Instrument = Callable[[str], None]

ATTRIBUTES: dict[str, str | int] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini",
    "gen_ai.response.id": "chatcmpl-0001",
    "gen_ai.usage.input_tokens": 20,
    "gen_ai.usage.output_tokens": 200,
    "server.address": "api.openai.com",
    "http.response.status_code": 200,
    "use_case.name": "support_chat",
    "use_case.id": "42",
    "user.id": "user-7",
}
"""Twelve, as most of the contenders set."""


def _null_provider() -> Any:
    """A tracer provider of the application's, exporting in batches to nowhere."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider()
    provider.add_span_processor(_null_processor())
    trace.set_tracer_provider(provider)
    return provider


def _null_processor() -> Any:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class NullExporter(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    return BatchSpanProcessor(NullExporter())


def _bare() -> Instrument:
    return lambda url: None


def _span() -> Instrument:
    def instrument(url: str) -> None:
        from anthropic.resources.messages import Messages
        from openai.resources.chat.completions import AsyncCompletions, Completions
        from opentelemetry.trace import SpanKind

        provider = _null_provider()
        tracer = provider.get_tracer("by hand")

        def sync(plain: Any) -> Any:
            def create(*args: Any, **kwargs: Any) -> Any:
                with tracer.start_as_current_span("chat gpt-4o-mini", kind=SpanKind.CLIENT) as span:
                    answer = plain(*args, **kwargs)
                    for name, value in ATTRIBUTES.items():
                        span.set_attribute(name, value)
                return answer

            return create

        plain_async: Any = AsyncCompletions.create

        async def create_async(*args: Any, **kwargs: Any) -> Any:
            with tracer.start_as_current_span("chat gpt-4o-mini", kind=SpanKind.CLIENT) as span:
                answer = await plain_async(*args, **kwargs)
                for name, value in ATTRIBUTES.items():
                    span.set_attribute(name, value)
            return answer

        Completions.create = sync(Completions.create)
        Messages.create = sync(Messages.create)
        AsyncCompletions.create = create_async

    return instrument


def _ours() -> Instrument:
    import payi_otel

    def instrument(url: str) -> None:
        payi_otel.payi_instrument(api_key="sk-payi-benchmark", base_url=url, config={"exit_timeout_s": 0.1})

    return instrument


def _traced() -> Instrument:
    ours = _ours()

    def instrument(url: str) -> None:
        _null_provider()
        ours(url)

    return instrument


class _NoTokens:
    """In place of an encoding of tiktoken."""

    def encode(self, text: str) -> list[int]:
        return []


def _official() -> Instrument:
    import tiktoken
    from payi import AsyncPayi, Payi
    from payi.lib.instrument import payi_instrument

    def instrument(url: str) -> None:
        # It counts prompts with a vocabulary that tiktoken downloads; where there is no network each call would try
        # for seconds. Without it the official SDK has less to do than in earnest.
        tiktoken.encoding_for_model = tiktoken.get_encoding = lambda name: _NoTokens()
        clients = [one(api_key="sk-payi-benchmark", base_url=url) for one in (Payi, AsyncPayi)]
        payi_instrument(payi=clients, log_prompt_and_response=False)

    return instrument


def _otel() -> Instrument:
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    return _instrumentors(OpenAIInstrumentor, AnthropicInstrumentor)


def _openllmetry() -> Instrument:
    os.environ["TRACELOOP_TRACE_CONTENT"] = "false"
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    return _instrumentors(OpenAIInstrumentor, AnthropicInstrumentor)


def _openinference() -> Instrument:
    os.environ.update(OPENINFERENCE_HIDE_INPUTS="true", OPENINFERENCE_HIDE_OUTPUTS="true")
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    return _instrumentors(OpenAIInstrumentor, AnthropicInstrumentor)


def _instrumentors(*instrumentors: Any) -> Instrument:
    def instrument(url: str) -> None:
        provider = _null_provider()
        for instrumentor in instrumentors:
            instrumentor().instrument(tracer_provider=provider)

    return instrument


def _logfire() -> Instrument:
    import logfire

    def instrument(url: str) -> None:
        logfire.configure(
            send_to_logfire=False,
            console=False,
            additional_span_processors=[_null_processor()],
            inspect_arguments=False,
        )
        logfire.instrument_openai()
        logfire.instrument_anthropic()

    return instrument


def _langfuse() -> Instrument:
    from langfuse import Langfuse

    def instrument(url: str) -> None:
        Langfuse(public_key="pk-lf-benchmark", secret_key="sk-lf-benchmark", host=url)
        # Importing it is what instruments.
        import langfuse.openai

        assert langfuse.openai is not None

    return instrument


SETUPS: dict[str, Callable[[], Instrument]] = {
    "bare": _bare,
    "span": _span,
    "ours": _ours,
    "traced": _traced,
    "official": _official,
    "otel": _otel,
    "openllmetry": _openllmetry,
    "openinference": _openinference,
    "logfire": _logfire,
    "langfuse": _langfuse,
}
