"""From the application's line to a cost on the server: real SDKs, the fake provider, the real server."""

from __future__ import annotations

import anthropic
import openai
import pytest

import payi_otel
from payi_otel.demo.provider import running_provider

pytest.importorskip("fastapi", reason="the server extra is not installed")

ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What does a parcel to Lyon cost?"}]}
GPT_4O_MINI_INPUT_USD, GPT_4O_MINI_OUTPUT_USD = 0.15e-6, 0.60e-6


@pytest.fixture
def server(tmp_path, monkeypatch):
    from payi_otel.server.main import background_server

    monkeypatch.setenv("PAYI_OUTBOX_DIR", str(tmp_path))
    with background_server() as running:
        payi_otel.payi_instrument(api_key=running.api_key, base_url=running.url)
        try:
            yield running
        finally:
            payi_otel.uninstrument()


def test_a_call_has_its_exact_cost_under_its_use_case(server):
    with running_provider() as provider, payi_otel.track_context(use_case_name="shipping", use_case_id="7"):
        completion = openai.OpenAI(api_key="k", base_url=provider.openai_base_url).chat.completions.create(
            **ASK
        )
    assert payi_otel.force_flush(20)
    client = payi_otel.Payi(api_key=server.api_key, base_url=server.url)
    result = client.requests.response_id.result.retrieve(
        completion.id, category="system.openai"
    ).xproxy_result
    assert (result.use_case_name, result.use_case_id) == ("shipping", "7")
    assert result.cost.total.base == pytest.approx(
        completion.usage.prompt_tokens * GPT_4O_MINI_INPUT_USD
        + completion.usage.completion_tokens * GPT_4O_MINI_OUTPUT_USD
    )


def test_a_score_stands_beside_the_cost(server):
    client = payi_otel.Payi(api_key=server.api_key, base_url=server.url)
    payi_otel.define_kpi("shipping", "solved", kpi_type="boolean", goal=0.5).wait(20)
    with running_provider() as provider, payi_otel.track_context(use_case_name="shipping", use_case_id="8"):
        anthropic.Anthropic(api_key="k", base_url=provider.anthropic_base_url).messages.create(
            model="claude-haiku-4-5", max_tokens=50, messages=ASK["messages"]
        )
        assert payi_otel.score_kpi("solved", True).wait(20)
    (score,) = client.use_cases.kpis.list("8", use_case_name="shipping")
    assert (score.kpi_name, score.score) == ("solved", True)


async def test_streams_of_concurrent_tasks_are_all_there(server):
    import asyncio

    with running_provider() as provider:
        client = openai.AsyncOpenAI(api_key="k", base_url=provider.openai_base_url)

        async def run(number: int) -> None:
            async with payi_otel.track_context(use_case_name="shipping", use_case_id=str(number)):
                async for _ in await client.chat.completions.create(**ASK, stream=True):
                    pass

        await asyncio.gather(*(run(number) for number in range(8)))
    before = payi_otel.status()
    assert payi_otel.force_flush(20)
    assert payi_otel.status().failures == before.failures
    payi_client = payi_otel.AsyncPayi(api_key=server.api_key, base_url=server.url)
    instances = [
        await payi_client.use_cases.retrieve(use_case_name="shipping", use_case_id=str(number))
        for number in range(8)
    ]
    assert [instance.use_case_id for instance in instances] == [str(number) for number in range(8)]
