"""Recorded spans of other instrumentations, against the same calls as our own instrumentation sees them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from payi_otel.providers.model import ModelMapping
from payi_otel.spans.event import IngestEvent
from payi_otel.spans.foreign.translate import PriceRules
from payi_otel.spans.reader import events_of
from tests.foreign.conftest import records, span_of

NATIVE = "com.anthropic.sdk."
# Which record's spans have no event: a stream of Logfire ends on a second span, and that has it.
WITHOUT_EVENT = {
    ("logfire", "chat_stream"),
    ("logfire", "chat_stream_without_usage"),
    ("logfire", "responses_stream"),
    ("logfire", "messages_stream"),
    ("logfire", "messages_cache_write_1h"),
}
# Who does not put the provider's id on which spans.
WITHOUT_ID = {
    ("logfire.openai", "chat_stream"),
    ("logfire.openai", "chat_stream_without_usage"),
    ("logfire.openai", "responses_stream"),
    ("logfire.anthropic", "messages_stream"),
    ("logfire.anthropic", "messages_cache_write_1h"),
    ("@traceloop/instrumentation-openai", "responses_stream"),
    *(
        ("@traceloop/instrumentation-anthropic", label)
        for label in (
            "messages", "messages_stream", "messages_cache_write", "messages_cache_read",
            "messages_cache_write_1h", "messages_tools",
        )
    ),
}  # fmt: skip
# What each instrumentation leaves open; "*" stands for every other call that went well.
ANTHROPIC = "inference_geo,server_tools,speed"
NOT_TOLD = {
    "com.anthropic.sdk.python": {"*": ANTHROPIC},
    "com.anthropic.sdk.typescript": {"*": ANTHROPIC},
    "logfire.openai": {"*": "service_tier", "chat_stream_without_usage": "usage"},
    "logfire.anthropic": {"*": None},
    "openinference.instrumentation.openai": {"*": None},
    "openinference.instrumentation.anthropic": {"*": None},
    "opentelemetry.instrumentation.genai.openai": {"*": None, "chat_stream_without_usage": "usage"},
    "opentelemetry.instrumentation.genai.anthropic": {
        "*": f"{ANTHROPIC},service_tier",
        "messages_cache_write": f"cache_ttl,{ANTHROPIC},service_tier",
        "messages_cache_write_1h": f"cache_ttl,{ANTHROPIC},service_tier",
    },
    "opentelemetry.instrumentation.openai_v2": {
        "*": "cache,reasoning",
        "chat_stream_without_usage": "usage",
    },
    "opentelemetry.instrumentation.openai.v1": {
        "*": None,
        "chat_stream": "service_tier",
        "chat_stream_without_usage": "usage",
        "responses_stream": "service_tier",
    },
    "opentelemetry.instrumentation.anthropic": {
        "*": f"{ANTHROPIC},service_tier",
        "messages_stream": f"{ANTHROPIC},output_tokens,service_tier",
        "messages_cache_write": f"cache_ttl,{ANTHROPIC},service_tier",
        "messages_cache_write_1h": f"cache_ttl,{ANTHROPIC},output_tokens,service_tier",
    },
    "io.opentelemetry.openai-java-1.1": {"*": "service_tier", "chat_stream_without_usage": "usage"},
    "@opentelemetry/instrumentation-openai": {
        "*": "cache,reasoning,service_tier",
        "chat_stream_without_usage": "usage",
    },
    "@traceloop/instrumentation-openai": {
        "*": "cache,reasoning,service_tier",
        "chat_stream": "usage",
        "chat_stream_without_usage": "usage",
        "responses_stream": "usage",
    },
    "@traceloop/instrumentation-anthropic": {
        "*": f"{ANTHROPIC},service_tier",
        "messages_cache_write": f"cache_ttl,{ANTHROPIC},service_tier",
        "messages_cache_write_1h": f"cache_ttl,{ANTHROPIC},service_tier",
    },
}


def seen():
    """Every recorded span: instrumentation, call, span."""
    for name, calls in records().items():
        for call in calls:
            for index, span in enumerate(call["spans"]):
                yield pytest.param(
                    name, call, span, id=f"{name}-{call['label']}-{index}-{span['scope_name'].split('.')[-1]}"
                )


def without(units, missing):
    """The units of ours as one sees them who was not told what is in `missing`."""
    missing = (missing or "").split(",")
    names = {}
    if "cache" in missing:
        names |= dict.fromkeys(["text_cache_read", "text_cache_write"], "text")
    if "reasoning" in missing:
        names["reasoning"] = "text"
    if "cache_ttl" in missing:
        names["text_cache_write_1h"] = "text_cache_write"
    seen = {}
    for name, unit in units.items():
        before = seen.setdefault(names.get(name, name), {"input": 0, "output": 0})
        before["input"] += unit["input"]
        before["output"] += unit["output"]
    return seen


@pytest.mark.parametrize(("name", "call", "span"), list(seen()))
def test_a_foreign_span_is_the_event_of_ours(name, call, span, ours):
    event, expected, label = events_of(span_of(span)), ours[call["label"]], call["label"]
    if event is None:
        # The Java agent traces the HTTP client as well.
        assert (name, label) in WITHOUT_EVENT or span["scope_name"].startswith("io.opentelemetry.okhttp")
        return
    body, scope = event.body, span["scope_name"]
    assert body["category"] == expected["category"]
    assert body["resource"] == expected["resource"]
    assert body["http_status_code"] == expected["http_status_code"]
    assert body["properties"]["system.instrumentation"] == scope
    if call["billed_id"] and (scope, label) not in WITHOUT_ID:
        assert body["provider_response_id"] == call["billed_id"]
    else:
        assert body["provider_response_id"].startswith(("payi_", "req_"))

    missing = body["properties"].get("system.not_told")
    if "error" in label or label == "embeddings":
        assert missing is None
        assert body["units"] == expected["units"]
        return
    assert missing == NOT_TOLD[scope].get(label, NOT_TOLD[scope]["*"])
    if missing == "usage":
        assert body["units"] == {}
    elif "output_tokens" in (missing or ""):
        # OpenLLMetry adds the one token that the first chunk announces to the total of the last.
        units = without(expected["units"], missing)
        units["text"]["output"] += 1
        assert body["units"] == units
    else:
        assert body["units"] == without(expected["units"], missing)


def test_every_stream_of_logfire_has_one_event():
    for call in records()["logfire"]:
        spans = [span_of(span) for span in call["spans"] if span["scope_name"].startswith("logfire")]
        events = [event for event in map(events_of, spans) if event is not None]
        assert len(events) == 1, call["label"]


def one_span(label="chat", name="opentelemetry-genai", **attributes):
    (record,) = next(call for call in records()[name] if call["label"] == label)["spans"]
    return span_of(record, attributes={**record["attributes"], **attributes})


@pytest.mark.parametrize(
    "operation",
    [
        "invoke_agent",
        "execute_tool",
        "fetch_response",
        "create_agent",
        "invoke_workflow",
        "retrieval",
        "plan",
    ],
)
def test_what_only_adds_up_other_spans_is_no_event(operation):
    assert events_of(one_span(**{"gen_ai.operation.name": operation})) is None


@pytest.mark.parametrize("kind", ["AGENT", "CHAIN", "TOOL", "RETRIEVER", "EVALUATOR"])
def test_an_openinference_span_of_another_kind_is_no_event(kind):
    assert events_of(one_span(name="openinference", **{"openinference.span.kind": kind})) is None


def test_counting_tokens_is_free():
    span = next(call for call in records()["anthropic-native"] if call["label"] == "messages")["spans"][0]
    attributes = {**span["attributes"], "http.route": "/v1/messages/count_tokens"}
    assert events_of(span_of(span, attributes=attributes)) is None


def test_other_spans_of_an_application_are_no_events():
    for attributes in (
        {"http.request.method": "POST", "url.full": "https://api.openai.com/v1/chat/completions"},
        {"db.system": "postgresql"},
        {},
    ):
        span = replace(one_span(), attributes=attributes, scope_name="opentelemetry.instrumentation.httpx")
        assert events_of(span) is None


def test_the_use_case_of_the_span_owns_the_event():
    event = events_of(
        one_span(
            **{
                "payi.use_case_name": "support_chat",
                "payi.use_case_id": "42",
                "payi.use_case_version": 3,
                "payi.user_id": "jane",
                "payi.limit_ids": ("a",),
                "payi.request_properties.team": "blue",
            }
        )
    )
    assert event is not None
    assert (event.body["use_case_name"], event.body["use_case_id"], event.body["use_case_version"]) == (
        "support_chat",
        "42",
        3,
    )
    assert (event.body["user_id"], event.body["limit_ids"]) == ("jane", ["a"])
    assert event.body["properties"]["team"] == "blue"


def test_a_call_through_payi_s_proxy_is_billed_there():
    assert events_of(one_span(**{"payi.proxy": True})) is None


SPELLINGS = [
    ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens"),
    ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"),
    ("gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cache_creation_input_tokens"),
    ("gen_ai.usage.input_tokens.cached", "gen_ai.usage.input_tokens.cache_write"),
    ("gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cache_write_tokens"),
    ("llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_write"),
]


@pytest.mark.parametrize(("read", "write"), SPELLINGS)
@pytest.mark.parametrize("counts", ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"])
def test_every_spelling_of_cache_tokens(read, write, counts):
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "Anthropic",
        "gen_ai.request.model": "claude-haiku-4-5",
        counts: 1_110,
        "gen_ai.usage.completion_tokens": 5,
        read: 1_000,
        write: 100,
    }
    event = events_of(replace(one_span(), attributes=attributes, scope_name="somebody.else"))
    assert event is not None
    assert event.body["units"] == {
        "text": {"input": 10, "output": 5},
        "text_cache_read": {"input": 1_000, "output": 0},
        "text_cache_write": {"input": 100, "output": 0},
    }
    assert "cache_ttl" in str(event.body["properties"]["system.not_told"])


def test_cache_parts_larger_than_the_whole_are_not_in_it():
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-haiku-4-5",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 1_000,
    }
    event = events_of(replace(one_span(), attributes=attributes, scope_name="somebody.else"))
    assert event is not None
    assert event.body["units"]["text"] == {"input": 10, "output": 5}
    assert event.body["units"]["text_cache_read"] == {"input": 1_000, "output": 0}


@pytest.mark.parametrize(
    ("provider", "model", "category", "resource"),
    [
        ("openai", "gpt-4o", "system.openai", "gpt-4o"),
        ("OpenAI", "gpt-4o", "system.openai", "gpt-4o"),
        ("azure.ai.openai", "my-gpt", "system.azureopenai", "my-gpt"),
        ("az.ai.openai", "my-gpt", "system.azureopenai", "my-gpt"),
        ("Azure", "my-gpt", "system.azureopenai", "my-gpt"),
        ("groq", "llama-3.3", "system.openai", "llama-3.3"),
        ("anthropic", "claude-haiku-4-5", "system.anthropic", "claude-haiku-4-5"),
        ("aws.bedrock", "anthropic.claude-haiku-4-5", "system.aws.bedrock", "anthropic.claude-haiku-4-5"),
        ("aws.bedrock", "amazon.nova-lite-v1:0", "system.aws.bedrock", "amazon.nova-lite-v1:0"),
        ("gcp.vertex_ai", "claude-haiku-4-5", "system.google.vertex", "anthropic.claude-haiku-4-5"),
        ("gcp.gemini", "gemini-2.5-pro", "system.google.vertex", "gemini-2.5-pro"),
        ("azure.ai.inference", "mistral-large", "system.azure", "mistral-large"),
        ("cohere", "command-r", "system.cohere", "command-r"),
    ],
)
def test_the_price_of_every_provider(provider, model, category, resource):
    span = one_span(
        **{"gen_ai.provider.name": provider, "gen_ai.request.model": model, "server.address": "gateway"}
    )
    event = events_of(span)
    assert event is not None
    assert (event.body["category"], event.body["resource"]) == (category, resource)


def test_price_rules_of_the_settings_and_of_the_use_case_apply():
    span = one_span(**{"server.address": "llm.example.com"})
    hosts = PriceRules(host_mappings={"llm.example.com": "custom"})
    models = PriceRules(model_mappings={"openai": (ModelMapping("gpt-4o-mini", price_as_resource="gpt-4o"),)})
    assert priced(span, hosts) == ("custom", "gpt-4o-mini")
    assert priced(span, models) == ("system.openai", "gpt-4o")
    named = one_span(**{"payi.price_as.category": "ours", "payi.price_as.resource": "small"})
    assert priced(named, models) == ("ours", "small")


def priced(span, rules):
    event = events_of(span, rules)
    assert isinstance(event, IngestEvent)
    return event.body["category"], event.body["resource"]


@pytest.mark.parametrize(
    ("attributes", "message", "expected"),
    [
        ({"error.type": "openai.RateLimitError"}, "", (429, None)),
        ({"error.type": "503"}, "", (503, None)),
        ({"error.type": "overloaded_error"}, "", (529, None)),
        ({"error.type": "Error"}, "429 {...}", (429, None)),
        ({"error.type": "APITimeoutError"}, "Request timed out.", (299, "APITimeoutError")),
        ({"error.type": "RateLimitError", "http.response.status_code": 429}, "", (429, None)),
        ({}, "", (299, "error")),
    ],
)
def test_the_status_of_a_failure(attributes, message, expected):
    failed = next(call for call in records()["opentelemetry-genai"] if call["label"] == "chat_error")
    kept = {key: value for key, value in failed["spans"][0]["attributes"].items() if key != "error.type"}
    span = span_of(failed["spans"][0], attributes={**kept, **attributes}, status_message=message)
    event = events_of(span)
    assert event is not None
    assert (
        event.body.get("http_status_code"),
        event.body.get("properties", {}).get("system.failure"),
    ) == expected
    assert event.body["units"] == {}


def test_text_cut_by_a_length_limit_falls_back_to_the_counts():
    whole = one_span("chat_cached", "openinference")
    cut = replace(whole, attributes={**whole.attributes, "output.value": '{"id": "chatcmpl-'})
    event = events_of(cut)
    assert event is not None
    assert event.body["units"]["text_cache_read"]["input"] == 1_536
    assert event.body["properties"]["system.not_told"] == "service_tier"
