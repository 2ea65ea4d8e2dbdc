"""Speech, transcription and images through the SDK: sounds and pictures pass untouched, and are counted."""

from __future__ import annotations

import json

import openai
import pytest

from tests.support.vendor import Reply

SOUND = bytes(range(256)) * 40


def client(w):
    return openai.OpenAI(api_key="k", base_url=w.openai_url)


def sse(*events):
    return Reply.sse([f"data: {json.dumps(event)}\n\n".encode() for event in events])


SPEECH_EVENTS = (
    {"type": "speech.audio.delta", "audio": "AAAA"},
    {"type": "speech.audio.done", "usage": {"input_tokens": 9, "output_tokens": 70, "total_tokens": 79}},
)


def test_speech_by_the_character(world):
    with world(lambda _: Reply(headers={"content-type": "audio/mpeg"}, body=SOUND)) as w:
        spoken = client(w).audio.speech.create(model="tts-1", voice="alloy", input="hello there")
        assert spoken.read() == SOUND
        assert w.event()["units"] == {"text_character": {"input": 11, "output": 0}}


def test_streamed_speech_passes_byte_by_byte_and_is_estimated_where_nothing_is_told(world):
    with world(lambda _: Reply(headers={"content-type": "audio/mpeg"}, body=SOUND)) as w:
        create = client(w).audio.speech.with_streaming_response.create
        with create(model="gpt-4o-mini-tts", voice="alloy", input="hello there") as spoken:
            assert b"".join(spoken.iter_bytes()) == SOUND
        event = w.event()
        assert event["properties"]["system.usage_source"] == "estimated"
        assert event["units"]["audio"]["output"] > 0


@pytest.mark.parametrize("streamed", [True, False])
def test_speech_as_events_tells_its_tokens(world, streamed):
    with world(lambda _: sse(*SPEECH_EVENTS)) as w:
        speech = client(w).audio.speech
        arguments = {
            "model": "gpt-4o-mini-tts",
            "voice": "alloy",
            "input": "hello",
            "extra_body": {"stream_format": "sse"},
        }
        if streamed:
            with speech.with_streaming_response.create(**arguments) as spoken:
                assert len(list(spoken.iter_lines())) == 4
        else:
            assert b"speech.audio.done" in speech.create(**arguments).read()
        assert w.event()["units"] == {
            "text": {"input": 9, "output": 0},
            "audio": {"input": 0, "output": 70},
        }


def test_transcription_in_seconds_and_as_plain_text(world):
    answers = {"json": Reply.json({"text": "hi", "usage": {"type": "duration", "seconds": 6}})}
    answers["text"] = Reply(headers={"content-type": "text/plain"}, body=b"hello there, this is text")
    with world(lambda _: answers["json"]) as w:
        upload = ("a.mp3", SOUND, "audio/mpeg")
        assert client(w).audio.transcriptions.create(model="whisper-1", file=upload).text == "hi"
        assert w.event()["units"] == {"audio_second": {"input": 6, "output": 0}}
        w.vendor.respond = lambda _: answers["text"]
        text = client(w).audio.transcriptions.create(model="whisper-1", file=upload, response_format="text")
        assert text == "hello there, this is text"
        estimated = w.events()[1]
        assert estimated["properties"]["system.usage_source"] == "estimated"
        assert estimated["units"] == {"audio_second": {"input": 2, "output": 0}}


def test_token_priced_images(world):
    usage = {
        "input_tokens": 50,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        "output_tokens": 400,
        "total_tokens": 450,
    }
    with world(lambda _: Reply.json({"created": 1, "data": [{"b64_json": "AAAA"}], "usage": usage})) as w:
        client(w).images.edit(model="gpt-image-1", image=("a.png", SOUND, "image/png"), prompt="x")
        event = w.event()
        assert event["resource"] == "gpt-image-1"
        assert event["units"] == {"text": {"input": 10, "output": 0}, "image": {"input": 40, "output": 400}}
