"""Scenarios of the synchronous OpenAI client: answers, wrappers, helpers, other endpoints."""

from __future__ import annotations

import gc
import pickle
import weakref
from typing import Any

import httpx
import openai
import pydantic

from tests.support.vendor import Reply
from tests.transparency import payloads
from tests.transparency.provider import fast_retry
from tests.transparency.world import OK, World, dump, http_library, raised, scenario, version

ESTIMATED_EARLY = ("closed_early", "estimated")
CHAT: dict[str, Any] = {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}]}
RESPONSES: dict[str, Any] = {"model": "gpt-x", "input": "hi"}


class Answer(pydantic.BaseModel):
    a: int


def completions_with_helpers(client: Any) -> Any:
    """`chat.completions`, which had `parse` and `stream` under `beta` until openai 1.92."""
    plain = client.chat.completions
    return plain if hasattr(plain, "stream") else client.beta.chat.completions


def has_raw_parse() -> bool:
    return hasattr(completions_with_helpers(openai.OpenAI(api_key="k")).with_raw_response, "parse")


@scenario(OK)
def chat(world: World) -> Any:
    return dump(world.openai().chat.completions.create(**CHAT))


@scenario(OK)
def chat_request_id(world: World) -> Any:
    return world.openai().chat.completions.create(**CHAT)._request_id


@scenario(OK)
def chat_raw_response(world: World) -> Any:
    raw = world.openai().chat.completions.with_raw_response.create(**CHAT)
    same = raw.parse() is raw.parse()
    return type(raw).__qualname__, raw.headers["x-request-id"], dump(raw.parse()), raw.text[:20], same


@scenario(OK)
def chat_raw_response_pickled(world: World) -> Any:
    raw = world.openai().chat.completions.with_raw_response.create(**CHAT)
    copied = pickle.loads(pickle.dumps(raw.http_response))
    return copied.json(), raw.elapsed.total_seconds() > 0, sorted(copied.extensions)


@scenario(OK)
def chat_streaming_response_parse(world: World) -> Any:
    with world.openai().chat.completions.with_streaming_response.create(**CHAT) as response:
        return type(response).__qualname__, dump(response.parse())


@scenario(OK)
def chat_streaming_response_json(world: World) -> Any:
    with world.openai().chat.completions.with_streaming_response.create(**CHAT) as response:
        return response.json()


@scenario(OK)
def chat_streaming_response_gzip_bytes(world: World) -> Any:
    world.api.gzip, world.api.chunk_size = True, 17
    with world.openai().chat.completions.with_streaming_response.create(**CHAT) as response:
        return response.read()


@scenario(OK)
def chat_streaming_response_iter_text(world: World) -> Any:
    world.api.chunk_size = 29
    with world.openai().chat.completions.with_streaming_response.create(**CHAT) as response:
        return "".join(response.iter_text())


@scenario(("ok|closed_early", "estimated|none"))
def chat_streaming_response_never_read(world: World) -> Any:
    with world.openai().chat.completions.with_streaming_response.create(**CHAT) as response:
        return response.headers["x-request-id"]


@scenario()
def chat_streaming_response_never_entered(world: World) -> Any:
    return type(world.openai().chat.completions.with_streaming_response.create(**CHAT)).__qualname__


@scenario(OK)
def parse(world: World) -> Any:
    parsed = completions_with_helpers(world.openai()).parse(**CHAT, response_format=Answer)
    return repr(parsed.choices[0].message.parsed), type(parsed).__qualname__


@scenario(("error", "provider"))
def parse_of_a_cut_answer_was_billed(world: World) -> Any:
    world.vendor.script = [Reply.json(payloads.CUT_CHAT)]
    return raised(lambda: completions_with_helpers(world.openai()).parse(**CHAT, response_format=Answer))


@scenario(OK, needs=has_raw_parse)
def raw_response_parsed_later(world: World) -> Any:
    world.vendor.script = [Reply.json(payloads.CUT_CHAT)]
    raw = completions_with_helpers(world.openai()).with_raw_response.parse(**CHAT, response_format=Answer)
    return raised(raw.parse)


@scenario(OK, OK)
def client_options_and_copies(world: World) -> Any:
    client = world.openai()
    changed = client.with_options(timeout=3, max_retries=1).chat.completions.create(**CHAT)
    copied = client.copy(default_headers={"a": "b"}).chat.completions.create(**CHAT)
    return dump(changed), dump(copied)


@scenario(OK)
def module_level_client(world: World) -> Any:
    openai.api_key, openai.base_url = "k", world.vendor.url + "/v1/"
    try:
        return dump(openai.chat.completions.create(**CHAT))
    finally:
        openai.api_key = openai.base_url = None
        openai._reset_client()


@scenario(OK)
def retries_after_429_and_500(world: World) -> Any:
    world.vendor.script = [fast_retry(429), fast_retry(500)]
    raw = world.openai().chat.completions.with_raw_response.create(**CHAT)
    return dump(raw.parse()), raw.retries_taken


@scenario(("error", "none"))
def error_500_three_times(world: World) -> Any:
    world.vendor.script = [fast_retry(500)] * 3
    return raised(lambda: world.openai().chat.completions.create(**CHAT))


@scenario(("error", "none"))
def error_400(world: World) -> Any:
    error = {"error": {"message": "bad", "type": "t", "code": "c", "param": "p"}}
    world.vendor.script = [Reply.json(error, 400, {"x-request-id": "req_0123456789abcdef"})]
    return raised(lambda: world.openai().chat.completions.create(**CHAT))


@scenario(("error", "none"))
def connection_refused(world: World) -> Any:
    client = world.openai(base_url="http://127.0.0.1:9/v1", max_retries=0)
    return raised(lambda: client.chat.completions.create(**CHAT))


@scenario(("error", "none"))
def timeout(world: World) -> Any:
    world.api.hang = True
    client = world.openai(max_retries=0, timeout=0.05)
    return raised(lambda: client.chat.completions.create(**CHAT))


@scenario(OK)
def connect_error_retried(world: World) -> Any:
    library = http_library(openai)
    attempts: list[str] = []

    def answer(request: Any) -> Any:
        attempts.append(request.headers["x-stainless-retry-count"])
        if len(attempts) == 1:
            raise library.ConnectError("refused once")
        return library.Response(200, json=payloads.CHAT)

    # A socket cannot refuse once and accept then on the same port without a race.
    http = world.http_client(library, transport=library.MockTransport(answer))
    return dump(world.openai(http_client=http).chat.completions.create(**CHAT)), attempts


@scenario(OK)
def responses(world: World) -> Any:
    return dump(world.openai().responses.create(**RESPONSES))


@scenario(OK)
def responses_stream(world: World) -> Any:
    return [dump(event) for event in world.openai().responses.create(**RESPONSES, stream=True)]


@scenario(OK, needs=lambda: hasattr(openai.OpenAI(api_key="k").responses, "stream"))
def responses_helper_stream(world: World) -> Any:
    with world.openai().responses.stream(**RESPONSES) as stream:
        return [dump(event) for event in stream], stream.get_final_response().output_text


@scenario(ESTIMATED_EARLY, needs=lambda: hasattr(openai.OpenAI(api_key="k").responses, "stream"))
def responses_helper_left_early(world: World) -> Any:
    with world.openai().responses.stream(**RESPONSES) as stream:
        return next(iter(stream)).type


@scenario(OK, needs=lambda: hasattr(openai.OpenAI(api_key="k").responses, "parse"))
def responses_parse(world: World) -> Any:
    return repr(world.openai().responses.parse(**RESPONSES, text_format=Answer).output_parsed)


@scenario(OK)
def embeddings(world: World) -> Any:
    return dump(world.openai().embeddings.create(model="e", input="x"))


@scenario(("ok", "provider|estimated"))
def speech_bytes(world: World) -> Any:
    speech = world.openai().audio.speech.create(model="tts-1", voice="alloy", input="x")
    return type(speech).__qualname__, speech.read()


@scenario(("ok", "provider|estimated"))
def speech_streamed(world: World) -> Any:
    speech = world.openai().audio.speech.with_streaming_response
    with speech.create(model="tts-1", voice="alloy", input="x") as response:
        return b"".join(response.iter_bytes())


@scenario(OK)
def undocumented_post(world: World) -> Any:
    library = http_library(openai)
    answer = world.openai().post("/chat/completions", cast_to=library.Response, body=CHAT)
    return type(answer).__qualname__, answer.json()


@scenario()
def endpoints_that_cost_nothing(world: World) -> Any:
    return dump(world.openai().models.list())


@scenario(OK, needs=lambda: version(openai) >= (3,))
def legacy_httpx_client(world: World) -> Any:
    client = world.openai(http_client=world.http_client(httpx))
    return [dump(chunk) for chunk in client.chat.completions.create(**CHAT, stream=True)]


@scenario(OK)
def default_http_client(world: World) -> Any:
    with openai.OpenAI(api_key="k", base_url=world.vendor.url + "/v1") as client:
        return dump(client.chat.completions.create(**CHAT))


@scenario(OK)
def azure_deployment(world: World) -> Any:
    return [dump(chunk) for chunk in world.azure().chat.completions.create(**CHAT, stream=True)]


@scenario(OK)
def bound_method_taken_before(world: World) -> Any:
    create = BOUND_BEFORE.with_options(
        base_url=world.vendor.url + "/v1", http_client=world.http_client(http_library(openai))
    )
    return dump(create.chat.completions.create(**CHAT))


# Made when this module is read, before anything is instrumented.
BOUND_BEFORE = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9")


@scenario(OK)
def answer_is_freed_at_once(world: World) -> Any:
    answer = world.openai().chat.completions.create(**CHAT)
    alive = weakref.ref(answer)
    gc.disable()
    try:
        del answer
        return alive() is None
    finally:
        gc.enable()


@scenario(OK)
def caller_keeps_its_arguments(world: World) -> Any:
    messages = [{"role": "user", "content": "hi"}]
    options = {"include_obfuscation": False}
    arguments = {"model": "gpt-x", "messages": messages, "stream": True, "stream_options": options}
    list(world.openai().chat.completions.create(**arguments))
    return messages, options, arguments
