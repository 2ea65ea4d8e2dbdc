"""The fake provider, as both real SDKs see it: every surface the demo, the examples and other tests rely on."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from payi_otel.demo.provider import FakeProvider, running_provider

QUESTION = [{"role": "user", "content": "Where is my parcel?"}]
WEATHER = {
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
CHAT_TOOLS = [{"type": "function", "function": WEATHER}]
RESPONSE_TOOLS = [{"type": "function", "strict": True, **WEATHER}]
MESSAGE_TOOLS = [{"name": "weather", "input_schema": WEATHER["parameters"]}]


class Place(BaseModel):
    city: str
    distance: int


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.openai_base_url, api_key="test") as made:
        yield made


@pytest.fixture
def claude(provider: FakeProvider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=provider.anthropic_base_url, api_key="test") as made:
        yield made


def test_chat_answers_with_a_fresh_id_and_the_same_usage_each_time(client: openai.OpenAI) -> None:
    first, second = (client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION) for _ in range(2))
    assert first.id.startswith("chatcmpl-")
    assert first.id != second.id
    assert first.model == "gpt-4o-mini-2024-07-18"
    assert first.usage is not None
    assert first.usage == second.usage
    assert first.usage.total_tokens == first.usage.prompt_tokens + first.usage.completion_tokens
    assert first._request_id
    assert first._request_id.startswith("req_")


def test_a_chat_stream_says_what_the_whole_answer_says(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in chunks[:-1])
    assert all("obfuscation" in chunk.to_dict() for chunk in chunks)


def test_without_include_usage_no_chunk_names_usage(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, stream=True, n=2))
    assert {chunk.choices[0].index for chunk in chunks} == {0, 1}
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == ["stop", "stop"]
    assert not any("usage" in chunk.model_fields_set for chunk in chunks)


def test_obfuscation_can_be_switched_off(client: openai.OpenAI) -> None:
    chunks = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=QUESTION,
        stream=True,
        stream_options={"include_obfuscation": False},
    )
    assert not any("obfuscation" in chunk.to_dict() for chunk in chunks)


@pytest.mark.parametrize("stream", [False, True])
def test_chat_tools_are_called_then_answered(client: openai.OpenAI, stream: bool) -> None:
    if stream:
        with client.chat.completions.stream(model="gpt-4.1", messages=QUESTION, tools=CHAT_TOOLS) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = (
            client.chat.completions.create(model="gpt-4.1", messages=QUESTION, tools=CHAT_TOOLS)
            .choices[0]
            .message
        )
    assert message.tool_calls
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Lisbon"}
    answered: list[Any] = [
        *QUESTION,
        message.model_dump(exclude_none=True, exclude={"parsed"}),
        {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "18 degrees"},
    ]
    final = client.chat.completions.create(model="gpt-4.1", messages=answered, tools=CHAT_TOOLS)
    assert final.choices[0].finish_reason == "stop"
    assert "18 degrees" in (final.choices[0].message.content or "")


def test_chat_parse_fills_a_model(client: openai.OpenAI) -> None:
    parsed = client.chat.completions.parse(model="gpt-4.1", messages=QUESTION, response_format=Place)
    assert parsed.choices[0].message.parsed == Place(city="Lisbon", distance=3)


def test_chat_counts_cached_audio_reasoning_and_prediction_tokens(client: openai.OpenAI) -> None:
    long: list[Any] = [{"role": "user", "content": "A long story. " * 400}]
    client.chat.completions.create(model="gpt-4.1", messages=long)
    again = client.chat.completions.create(model="gpt-4.1", messages=long).usage
    heard = client.chat.completions.create(
        model="o4-mini",
        messages=[
            {
                "role": "user",
                "content": [{"type": "input_audio", "input_audio": {"data": "QUJD" * 8, "format": "wav"}}],
            }
        ],
        prediction={"type": "content", "content": "word " * 400},
    ).usage
    assert again is not None
    assert again.prompt_tokens_details is not None
    assert again.prompt_tokens_details.cached_tokens == again.prompt_tokens // 128 * 128
    assert heard is not None
    assert heard.prompt_tokens_details is not None
    assert heard.prompt_tokens_details.audio_tokens == 8
    assert heard.completion_tokens_details is not None
    assert heard.completion_tokens_details.reasoning_tokens == 64
    assert heard.completion_tokens_details.rejected_prediction_tokens


@pytest.mark.parametrize("stream", [False, True])
def test_legacy_completions(client: openai.OpenAI, stream: bool) -> None:
    made: Any = client.completions.create(
        model="gpt-3.5-turbo-instruct", prompt="Once", stream=stream, max_tokens=50
    )
    text = "".join(chunk.choices[0].text for chunk in made) if stream else made.choices[0].text
    assert "Once" in text


@pytest.mark.parametrize("helper", ["create", "stream"])
def test_responses_stream_to_the_response_that_can_be_retrieved(client: openai.OpenAI, helper: str) -> None:
    if helper == "stream":
        with client.responses.stream(model="gpt-4.1", input="What now?") as events:
            types = [event.type for event in events]
            final = events.get_final_response()
    else:
        received = list(client.responses.create(model="gpt-4.1", input="What now?", stream=True))
        types = [event.type for event in received]
        final = received[-1].response  # type: ignore[union-attr]
    stored = client.responses.retrieve(final.id)
    assert types[0] == "response.created"
    assert types[-1] == "response.completed"
    assert "response.output_text.delta" in types
    assert stored.usage == final.usage
    assert stored.output_text == final.output_text


def test_responses_tools_are_called_then_answered(client: openai.OpenAI) -> None:
    asked = client.responses.create(model="gpt-4.1", input="Weather?", tools=RESPONSE_TOOLS)
    call: Any = asked.output[0]
    assert call.type == "function_call"
    final = client.responses.create(
        model="gpt-4.1",
        previous_response_id=asked.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}],
        tools=RESPONSE_TOOLS,
    )
    assert "18 degrees" in final.output_text


def test_responses_parse_search_background_compact_and_count(client: openai.OpenAI) -> None:
    parsed = client.responses.parse(model="gpt-4.1", input="Where?", text_format=Place)
    searched = client.responses.create(model="gpt-4.1", input="Who?", tools=[{"type": "web_search"}])
    queued = client.responses.create(model="gpt-4.1", input="Slowly.", background=True)
    stopped = client.responses.create(model="gpt-4.1", input="Never mind.", background=True)
    compacted = client.responses.compact(model="gpt-4.1", input="A long conversation.")
    assert parsed.output_parsed == Place(city="Lisbon", distance=3)
    assert searched.tool_usage is not None
    assert searched.tool_usage.web_search.num_requests == 1
    assert (queued.status, queued.usage) == ("queued", None)
    assert client.responses.retrieve(queued.id).usage is not None
    assert client.responses.cancel(stopped.id).status == "cancelled"
    assert compacted.usage.total_tokens
    assert client.responses.input_tokens.count(model="gpt-4.1", input="12345678").input_tokens == 2
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_unknown")


def test_a_response_cut_by_its_limit_is_incomplete(client: openai.OpenAI) -> None:
    cut = client.responses.create(model="gpt-4.1", input="Say more than that.", max_output_tokens=16)
    last = list(
        client.responses.create(model="gpt-4.1", input="Say more.", max_output_tokens=16, stream=True)
    )[-1]
    assert cut.status == "incomplete"
    assert last.type == "response.incomplete"


def test_embeddings_of_texts_and_of_token_numbers(client: openai.OpenAI) -> None:
    texts = client.embeddings.create(model="text-embedding-3-small", input=["12345678", "1234"])
    numbers = client.embeddings.create(model="text-embedding-3-small", input=[1, 2, 3], dimensions=16)
    floats = client.embeddings.create(
        model="text-embedding-3-small", input=[[1, 2], [3]], dimensions=4, encoding_format="float"
    )
    assert [len(item.embedding) for item in texts.data] == [1536, 1536]
    assert texts.usage.prompt_tokens == 3
    assert (len(numbers.data[0].embedding), numbers.usage.prompt_tokens) == (16, 3)
    assert sum(value * value for value in floats.data[0].embedding) == pytest.approx(1)


def test_images_generate_edit_and_stream(client: openai.OpenAI) -> None:
    drawn = client.images.generate(model="gpt-image-1", prompt="A red kite", n=2)
    picture = ("kite.png", io.BytesIO(b"png"), "image/png")
    edited = client.images.edit(model="gpt-image-1", image=picture, prompt="A blue kite")
    old = client.images.generate(model="dall-e-3", prompt="A kite")
    events = list(client.images.generate(model="gpt-image-1", prompt="A kite", stream=True, partial_images=1))
    assert drawn.usage is not None
    assert (len(drawn.data or []), drawn.usage.output_tokens) == (2, 2 * 1056)
    assert edited.usage is not None
    assert edited.usage.input_tokens_details.image_tokens == 194
    assert old.usage is None
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.completed",
    ]


def test_audio_and_moderation(client: openai.OpenAI) -> None:
    recording = ("call.wav", b"a recording of thirty-one bytes", "audio/wav")
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input="Good morning to you").read()
    by_tokens = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording)
    by_time = client.audio.transcriptions.create(model="whisper-1", file=recording)
    plain = client.audio.transcriptions.create(model="whisper-1", file=recording, response_format="text")
    translated = client.audio.translations.create(model="whisper-1", file=recording)
    streamed = list(
        client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording, stream=True)
    )
    checked = client.moderations.create(input=["fine", "also fine"])
    assert b"morning" in spoken
    assert by_tokens.usage is not None
    assert by_tokens.usage.type == "tokens"
    assert by_time.usage is not None
    assert by_time.usage.type == "duration"
    assert plain.strip() == by_time.text == translated.text
    assert streamed[-1].type == "transcript.text.done"
    assert [result.flagged for result in checked.results] == [False, False]


def test_an_openai_batch_from_upload_to_output(client: openai.OpenAI) -> None:
    lines = [
        {
            "custom_id": f"line-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-4o-mini", "messages": QUESTION},
        }
        for number in range(2)
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    uploaded = client.files.create(file=("batch.jsonl", content), purpose="batch")
    batch = client.batches.create(
        input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    done = client.batches.retrieve(batch.id)
    assert (batch.status, done.status) == ("validating", "completed")
    assert done.output_file_id is not None
    results = [json.loads(line) for line in client.files.content(done.output_file_id).text.splitlines()]
    assert [result["custom_id"] for result in results] == ["line-0", "line-1"]
    assert all(result["response"]["body"]["usage"]["total_tokens"] for result in results)


@pytest.mark.parametrize("stream", [False, True])
def test_messages_whole_and_streamed_are_the_same(claude: anthropic.Anthropic, stream: bool) -> None:
    arguments: Any = {"model": "claude-haiku-4-5", "max_tokens": 500, "messages": QUESTION}
    whole = claude.messages.create(**arguments)
    if stream:
        with claude.messages.stream(**arguments) as events:
            message = events.get_final_message()
    else:
        message = claude.messages.create(**arguments)
    assert message.content[0].text == whole.content[0].text  # type: ignore[union-attr]
    assert message.id.startswith("msg_01")
    assert message.id != whole.id
    assert message.usage == whole.usage
    assert message.model == "claude-haiku-4-5-20251001"
    assert whole._request_id


@pytest.mark.parametrize("stream", [False, True])
def test_message_tools_are_used_then_answered(claude: anthropic.Anthropic, stream: bool) -> None:
    arguments: Any = {"model": "claude-haiku-4-5", "max_tokens": 500, "tools": MESSAGE_TOOLS}
    if stream:
        with claude.messages.stream(messages=QUESTION, **arguments) as events:
            asked = events.get_final_message()
    else:
        asked = claude.messages.create(messages=QUESTION, **arguments)
    use: Any = asked.content[-1]
    assert (asked.stop_reason, use.type, use.input) == ("tool_use", "tool_use", {"city": "Lisbon"})
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "18 degrees"}
    turns: Any = [*QUESTION, {"role": "assistant", "content": asked.content}]
    final = claude.messages.create(messages=[*turns, {"role": "user", "content": [result]}], **arguments)
    assert final.stop_reason == "end_turn"
    assert "18 degrees" in final.content[0].text  # type: ignore[union-attr]


def test_the_tool_runner_runs_to_the_end(claude: anthropic.Anthropic) -> None:
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"18 degrees in {city}"

    runner = claude.beta.messages.tool_runner(
        model="claude-haiku-4-5", max_tokens=500, messages=QUESTION, tools=[weather]
    )
    turns = list(runner)
    assert [turn.stop_reason for turn in turns] == ["tool_use", "end_turn"]
    assert "18 degrees in Lisbon" in turns[-1].content[0].text  # type: ignore[union-attr]
    # The runner sends only what is new; the vendor bills the whole thread again.
    assert turns[-1].usage.input_tokens > turns[0].usage.input_tokens


def test_messages_think_search_and_parse(claude: anthropic.Anthropic) -> None:
    arguments: Any = {"model": "claude-haiku-4-5", "max_tokens": 2000, "messages": QUESTION}
    with claude.messages.stream(thinking={"type": "enabled", "budget_tokens": 1024}, **arguments) as events:
        thought = events.get_final_message()
    searched = claude.messages.create(
        tools=[{"type": "web_search_20250305", "name": "web_search"}], **arguments
    )
    parsed = claude.messages.parse(output_format=Place, **arguments)
    assert thought.content[0].type == "thinking"
    assert thought.usage.output_tokens_details is not None
    assert 0 < thought.usage.output_tokens_details.thinking_tokens < thought.usage.output_tokens
    assert searched.usage.server_tool_use is not None
    assert searched.usage.server_tool_use.web_search_requests == 1
    assert parsed.parsed_output == Place(city="Lisbon", distance=3)


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_a_marked_prefix_is_written_once_then_read(claude: anthropic.Anthropic, ttl: str) -> None:
    manual = {
        "type": "text",
        "text": f"The {ttl} manual. " * 500,
        "cache_control": {"type": "ephemeral", "ttl": ttl},
    }
    first, second = (
        claude.messages.create(
            model="claude-haiku-4-5", max_tokens=100, system=[manual], messages=QUESTION
        ).usage  # type: ignore[list-item]
        for _ in range(2)
    )
    written = first.cache_creation_input_tokens
    assert first.cache_creation is not None
    assert written
    assert first.cache_read_input_tokens == 0
    assert (first.cache_creation.ephemeral_1h_input_tokens == written) == (ttl == "1h")
    assert (first.cache_creation.ephemeral_5m_input_tokens == written) == (ttl == "5m")
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, written)


def test_an_anthropic_batch_and_the_token_count(claude: anthropic.Anthropic) -> None:
    parameters: Any = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": QUESTION}
    batch = claude.messages.batches.create(requests=[{"custom_id": "a", "params": parameters}])
    assert batch.processing_status == "in_progress"
    assert claude.messages.batches.retrieve(batch.id).processing_status == "ended"
    results: Any = list(claude.messages.batches.results(batch.id))
    assert [line.custom_id for line in results] == ["a"]
    assert results[0].result.message.usage.service_tier == "batch"
    counted = claude.messages.count_tokens(model="claude-haiku-4-5", messages=QUESTION)
    assert counted.input_tokens == results[0].result.message.usage.input_tokens


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
