"""The fake OpenAI endpoint as the real SDK sees it: every surface the demo, examples and other tests rely on."""

from __future__ import annotations

import io
import json
from typing import Any

import openai
import pytest

from tests.demo.questions import CHAT_TOOLS, QUESTION, RESPONSE_TOOLS, Place


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
