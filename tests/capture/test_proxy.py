"""Calls through the Pay-i proxy: headers go out, the span is marked, the proxy makes the event."""

from __future__ import annotations

import base64
import json

import openai
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import payi_otel
from tests.capture.conftest import chat
from tests.support.vendor import Reply

ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]}


def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter, provider


def test_a_scope_with_proxy_sends_headers_and_makes_no_event(world):
    exporter, provider = spans()
    with world(lambda _: Reply.json(chat()), tracer_provider=provider) as w:
        with payi_otel.track_context(
            use_case_name="chat", use_case_id="1", request_properties={"tier": "gold"}, proxy=True
        ):
            openai.OpenAI(api_key="k", base_url=w.openai_url).chat.completions.create(**ASK)
        assert w.events() == []
        headers = w.vendor.received[0].headers
        assert (headers["xproxy-usecase-name"], headers["xproxy-usecase-id"]) == ("chat", "1")
        assert json.loads(base64.b64decode(headers["xproxy-request-properties"])) == {"tier": "gold"}
    (span,) = exporter.get_finished_spans()
    assert span.attributes["payi.proxy"] is True
    assert span.attributes["payi.unpriced"] is True


def test_a_client_of_the_proxy_url_is_recognised(world):
    with world(lambda _: Reply.json(chat())) as w:
        url = f"{w.vendor.url}/api/v1/proxy/openai/v1"
        with payi_otel.track_context(use_case_name="chat"):
            openai.OpenAI(api_key="k", base_url=url).chat.completions.create(**ASK)
        assert w.events() == []
        assert w.vendor.received[0].headers["xproxy-usecase-name"] == "chat"
