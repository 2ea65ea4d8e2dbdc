"""The fake provider's errors, cuts and dialects of Azure, and many clients at once."""

from __future__ import annotations

import asyncio

import anthropic
import openai
import pytest

from payi_otel.demo.provider import FakeProvider
from tests.demo.questions import QUESTION


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_errors_come_on_demand_and_are_retried_as_usual(provider: FakeProvider, status: int) -> None:
    before = len(provider.requests)
    with (
        openai.OpenAI(base_url=provider.openai_base_url, api_key="test") as client,
        pytest.raises(openai.APIStatusError) as by_model,
    ):
        client.chat.completions.create(model=f"error-{status}", messages=QUESTION)
    with (
        anthropic.Anthropic(base_url=provider.anthropic_base_url, api_key="test") as claude,
        pytest.raises(anthropic.APIStatusError) as by_header,
    ):
        claude.messages.create(
            model="claude-haiku-4-5",
            max_tokens=10,
            messages=QUESTION,
            extra_headers={"x-demo-error": str(status)},
        )
    tries = 3 if status in {429, 500} else 1
    assert (by_model.value.status_code, by_header.value.status_code) == (status, status)
    assert by_model.value.request_id
    assert by_header.value.request_id
    assert [served.status for served in provider.requests[before:]] == [status] * tries * 2


def test_a_stream_breaks_where_it_is_told_to(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, stream=True, extra_headers={"x-demo-cut": "3"}
    )
    received = [next(stream) for _ in range(3)]
    with pytest.raises(openai.APIError):
        next(stream)
    assert len({chunk.id for chunk in received}) == 1


def test_azure_names_its_deployment_and_filters_first(provider: FakeProvider) -> None:
    with openai.AzureOpenAI(
        azure_endpoint=provider.azure_endpoint, api_version="2024-10-21", api_key="test"
    ) as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=QUESTION)
        chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, stream=True))
    assert raw.headers["x-ms-deployment-name"] == "gpt-4o-mini"
    assert raw.parse().usage
    assert chunks[0].choices == []
    assert "prompt_filter_results" in chunks[0].to_dict()


def test_old_azure_refuses_stream_options(provider: FakeProvider) -> None:
    with (
        openai.AzureOpenAI(
            azure_endpoint=provider.azure_endpoint, api_version="2024-02-01", api_key="test"
        ) as client,
        pytest.raises(openai.BadRequestError, match="stream_options"),
    ):
        client.chat.completions.create(
            model="gpt-4o-mini", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )


async def test_async_clients_stream_side_by_side(provider: FakeProvider) -> None:
    async with (
        openai.AsyncOpenAI(base_url=provider.openai_base_url, api_key="test") as client,
        anthropic.AsyncAnthropic(base_url=provider.anthropic_base_url, api_key="test") as claude,
    ):

        async def chat() -> str:
            async with client.chat.completions.stream(model="gpt-4o-mini", messages=QUESTION) as events:
                return (await events.get_final_completion()).id

        async def respond() -> str:
            async with client.responses.stream(model="gpt-4.1", input="Now?") as events:
                return (await events.get_final_response()).id

        async def message() -> str:
            async with claude.messages.stream(
                model="claude-haiku-4-5", max_tokens=99, messages=QUESTION
            ) as events:
                return (await events.get_final_message()).id

        calls = [call() for _ in range(5) for call in (chat, respond, message)]
        ids = await asyncio.gather(*calls)
    assert len(set(ids)) == 15
    assert {served.billed.response_id for served in provider.requests if served.billed} >= set(ids)
