"""OpenAI's embeddings, images, moderations and audio."""

from __future__ import annotations

import base64
import math
import struct
import time
from collections.abc import Iterator

from payi_otel.demo.wire import Answer, Billed, Json, Memory, Request, items, new_id
from payi_otel.demo.wording import pieces, reply_to, tokens

# The smallest PNG there is: one transparent pixel.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_DEFAULT_DIMENSIONS = 1536
_IMAGE_TOKENS = {"low": 272, "medium": 1056, "high": 4160}
_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
# Spoken English is about this many characters a second, and this many audio tokens.
_CHARACTERS_PER_SECOND = 15
_AUDIO_TOKENS_PER_SECOND = 10


def embeddings(request: Request, memory: Memory) -> Answer:
    """POST /embeddings: texts or lists of token numbers, as floats or base64."""
    body = request.body
    sent = body.get("input")
    texts = items(sent) if items(sent) and not isinstance(items(sent)[0], int) else [sent]
    counts = [tokens(text) if isinstance(text, str) else len(items(text)) for text in texts]
    size = int(body.get("dimensions") or _DEFAULT_DIMENSIONS)
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(str(text), size, body)}
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
    answer = {"object": "list", "data": data, "model": body.get("model"), "usage": usage}
    return Answer.json(answer, billed=Billed("", str(body.get("model")), usage))


def _vector(text: str, size: int, body: Json) -> list[float] | str:
    seed = sum(text.encode())
    raw = [math.sin(seed + position) for position in range(size)]
    length = math.sqrt(sum(value * value for value in raw)) or 1.0
    unit = [value / length for value in raw]
    if body.get("encoding_format") == "base64":
        return base64.b64encode(struct.pack(f"<{size}f", *unit)).decode()
    return unit


def moderations(request: Request, memory: Memory) -> Answer:
    """POST /moderations, which is free."""
    sent = request.body.get("input")
    result = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0001),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    model = request.body.get("model") or "omni-moderation-latest"
    answer: Json = {
        "id": new_id("modr-", 29),
        "model": model,
        "results": [result for _ in items(sent) or [sent]],
    }
    return Answer.json(answer, billed=Billed(answer["id"], str(model), None))


def images(request: Request, memory: Memory) -> Answer:
    """POST /images/generations, /images/edits and /images/variations."""
    body = request.body
    model = str(body.get("model") or "dall-e-2")
    count = int(body.get("n") or 1)
    created = int(time.time())
    if model.startswith("dall-e"):
        answer = {
            "created": created,
            "data": [{"url": f"https://images.invalid/{i}.png"} for i in range(count)],
        }
        return Answer.json(answer, billed=Billed("", model, None))
    usage = _image_usage(body, count, from_image="image" in body or "image.filename" in body)
    billed = Billed("", model, usage)
    look = {
        "background": "opaque",
        "output_format": "png",
        "quality": _quality(body),
        "size": str(body.get("size") or "1024x1024"),
    }
    if str(body.get("stream", "")).lower() == "true":
        edited = request.path.endswith("/edits")
        kind = "image_edit" if edited else "image_generation"
        partials = int(body.get("partial_images") or 0)
        events = _image_events(kind, partials, {**look, "created_at": created}, usage)
        return Answer.named_events(events, billed=billed)
    data = [{"b64_json": _PIXEL} for _ in range(count)]
    return Answer.json({"created": created, "data": data, **look, "usage": usage}, billed=billed)


def _quality(body: Json) -> str:
    asked = str(body.get("quality") or "medium")
    return asked if asked in _IMAGE_TOKENS else "medium"


def _image_usage(body: Json, count: int, *, from_image: bool) -> Json:
    text = tokens(str(body.get("prompt") or ""))
    image = 194 if from_image else 0
    received = _IMAGE_TOKENS[_quality(body)] * count
    return {
        "input_tokens": text + image,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens": received,
        "total_tokens": text + image + received,
    }


def _image_events(kind: str, partials: int, look: Json, usage: Json) -> Iterator[Json]:
    for index in range(partials):
        yield {
            "type": f"{kind}.partial_image",
            "b64_json": _PIXEL,
            "partial_image_index": index,
            **look,
        }
    yield {"type": f"{kind}.completed", "b64_json": _PIXEL, **look, "usage": usage}


def speech(request: Request, memory: Memory) -> Answer:
    """POST /audio/speech: bytes in chunks, or server-sent events with usage."""
    text = str(request.body.get("input") or "")
    model = str(request.body.get("model"))
    seconds = len(text) / _CHARACTERS_PER_SECOND
    received = math.ceil(seconds * _AUDIO_TOKENS_PER_SECOND)
    usage = {
        "input_tokens": tokens(text),
        "output_tokens": received,
        "total_tokens": tokens(text) + received,
    }
    sound = [b"ID3demo-audio:" + piece.encode() for piece in pieces(text)] or [b"ID3"]
    if request.body.get("stream_format") == "sse":
        events: list[Json] = [
            {"type": "speech.audio.delta", "audio": base64.b64encode(part).decode()} for part in sound
        ]
        events.append({"type": "speech.audio.done", "usage": usage})
        return Answer.named_events(events, billed=Billed("", model, usage))
    return Answer(chunks=tuple(sound), content_type="audio/mpeg", billed=Billed("", model, None))


def transcriptions(request: Request, memory: Memory) -> Answer:
    """POST /audio/transcriptions and /audio/translations: by duration for whisper, by tokens for the rest."""
    body = request.body
    model = str(body.get("model"))
    recording = str(body.get("file") or "")
    seconds = max(1.0, len(recording) / _CHARACTERS_PER_SECOND)
    text, _ = reply_to(recording)
    usage = _transcription_usage(model, text, seconds)
    form = body.get("response_format") or "json"
    if form in {"text", "srt", "vtt"}:
        return Answer(
            body=f"{text}\n".encode(),
            content_type="text/plain; charset=utf-8",
            billed=Billed("", model, None),
        )
    billed = Billed("", model, usage)
    if str(body.get("stream", "")).lower() == "true":
        events: list[Json] = [{"type": "transcript.text.delta", "delta": piece} for piece in pieces(text)]
        events.append({"type": "transcript.text.done", "text": text, "usage": usage})
        return Answer.named_events(events, billed=billed)
    answer: Json = {"text": text, "usage": usage}
    if form == "verbose_json":
        answer |= {"task": "transcribe", "language": "english", "duration": seconds, "segments": []}
    return Answer.json(answer, billed=billed)


def _transcription_usage(model: str, text: str, seconds: float) -> Json:
    if model.startswith("whisper"):
        return {"type": "duration", "seconds": math.ceil(seconds)}
    heard = math.ceil(seconds * _AUDIO_TOKENS_PER_SECOND)
    return {
        "type": "tokens",
        "input_tokens": heard,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
        "output_tokens": tokens(text),
        "total_tokens": heard + tokens(text),
    }
