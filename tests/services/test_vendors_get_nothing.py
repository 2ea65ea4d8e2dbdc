"""What an AI vendor receives while a use case is open and every HTTP client is instrumented: nothing of it.

On the wire, one process per path, with OpenTelemetry's default propagators (trace context and baggage).
"""

from __future__ import annotations

import pytest

from tests.support.scripts import run_script

PRELUDE = """
import asyncio, os, payi_otel
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
VENDOR = os.environ["VENDOR"]
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello?"}]}
MESSAGE = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello?"}]}
payi_otel.payi_instrument(config={"account_name": "secret-default"})

async def post_with_aiohttp():
    import aiohttp
    async with aiohttp.ClientSession() as session:
        async with session.post(VENDOR + "/v1/chat/completions", json=CHAT) as response:
            await response.read()

def in_a_scope(call):
    # As a service does that was called with a use case, has a scope of its own, and calls another service.
    with payi_otel.extract_baggage({"baggage": "payi.use_case_name=secret-caller,payi.use_case_id=secret-7"}):
        with payi_otel.track_context(use_case_step="secret-step", user_id="secret-jane",
                                     request_properties={"team": "secret-team"}):
            headers = {}
            payi_otel.inject_baggage(headers, allow=["use_case_name", "user_id", "request_properties.team"])
            assert "secret-jane" in headers["baggage"]
            call()
"""
PATHS = {
    "httpx": """
        import httpx
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
        HTTPXClientInstrumentor().instrument()
        in_a_scope(lambda: httpx.post(VENDOR + "/v1/chat/completions", json=CHAT))
    """,
    "requests": """
        import requests
        from opentelemetry.instrumentation.requests import RequestsInstrumentor
        RequestsInstrumentor().instrument()
        in_a_scope(lambda: requests.post(VENDOR + "/v1/chat/completions", json=CHAT))
    """,
    "urllib3": """
        import urllib3
        from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
        URLLib3Instrumentor().instrument()
        in_a_scope(lambda: urllib3.PoolManager().request("POST", VENDOR + "/v1/chat/completions", json=CHAT))
    """,
    "aiohttp": """
        from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
        AioHttpClientInstrumentor().instrument()
        in_a_scope(lambda: asyncio.run(post_with_aiohttp()))
    """,
    "openai": """
        import openai
        client = openai.OpenAI(api_key="k", base_url=VENDOR + "/v1")
        in_a_scope(lambda: client.chat.completions.create(**CHAT))
    """,
    "anthropic": """
        import anthropic
        client = anthropic.Anthropic(api_key="k", base_url=VENDOR)
        in_a_scope(lambda: client.messages.create(**MESSAGE))
    """,
    "anthropic, ours off": """
        import anthropic
        payi_otel.uninstrument()
        payi_otel.payi_instrument(instruments=["openai"], config={"account_name": "secret-default"})
        client = anthropic.Anthropic(api_key="k", base_url=VENDOR)
        in_a_scope(lambda: client.messages.create(**MESSAGE))
    """,
}
# Where the client itself writes the headers of the span, and so would write baggage.
PROPAGATES = {"httpx", "requests", "urllib3", "aiohttp", "anthropic", "anthropic, ours off"}


def sent(script, tmp_path):
    """The headers of the one request that reached the vendor."""
    (request,) = run_script(PRELUDE, script, tmp_path).vendor.requests
    assert request.status == 200
    return request


@pytest.mark.parametrize("path", PATHS)
def test_a_vendor_receives_nothing_of_the_use_case(path, tmp_path):
    request = sent(PATHS[path], tmp_path)
    assert "baggage" not in request.headers
    assert "secret" not in str(dict(request.headers)) + request.path + str(request.body)
    if path in PROPAGATES:
        # The path is one on which baggage would have left: trace context has.
        assert "traceparent" in request.headers


def test_the_wire_test_would_see_a_leak(tmp_path):
    leak = PATHS["requests"].replace(
        "in_a_scope(", 'context.attach(baggage.set_baggage("use_case", "secret"))\n        in_a_scope('
    )
    assert "secret" in sent(leak, tmp_path).headers["baggage"]
