"""What the official SDK got wrong at the provider call, each by its number in the project's list (D.n)."""

from __future__ import annotations

import asyncio
import json
import threading

import anthropic
import openai
import pytest

import payi_otel
from tests.capture.conftest import HEADERS, chat, chat_events, message, message_events
from tests.support.vendor import Reply

MESSAGES = [{"role": "user", "content": "my secret question"}]
ASK = {"model": "gpt-4o-mini", "messages": MESSAGES}
ASK_CLAUDE = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": MESSAGES}


def openai_client(w, **options):
    return openai.OpenAI(api_key="sk-secret-key", base_url=w.openai_url, **options)


def claude(w, **options):
    return anthropic.Anthropic(api_key="sk-secret-key", base_url=w.vendor.url, **options)


def chat_reply(received):
    if received.json().get("stream"):
        return Reply.sse(chat_events(received), HEADERS)
    return Reply.json(chat(), headers=HEADERS)


def claude_reply(received):
    if received.json().get("stream"):
        return Reply.sse(message_events(), HEADERS)
    return Reply.json(message(), headers=HEADERS)


def raised_by(run):
    """What `run` raises; which HTTP library's error it is depends on the SDK's version."""
    try:
        run()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_d1_the_call_returns_while_pay_i_does_not_answer(world):
    from tests.support.ingest_sink import Hang

    with world(chat_reply) as w:
        hang = Hang()
        w.sink.script.append(hang)
        for _ in range(3):
            assert openai_client(w).chat.completions.create(**ASK).choices[0].message.content == "hello"
        assert w.sink.events == {}
        hang.release.set()
        assert w.event()["units"] == {"text": {"input": 11, "output": 7}}


def test_d2_a_pay_i_that_is_down_is_not_noticed(world):
    with world(chat_reply) as w:
        payi_otel.uninstrument()
        payi_otel.payi_instrument(api_key="k", base_url="http://127.0.0.1:9", config={"exit_timeout_s": 0.2})
        assert openai_client(w).chat.completions.create(**ASK).choices[0].message.content == "hello"
        assert payi_otel.status().seen >= 1


async def test_d3_the_event_loop_goes_on_while_pay_i_does_not_answer(world):
    from tests.support.ingest_sink import Hang

    with world(chat_reply) as w:
        hang = Hang()
        w.sink.script.append(hang)
        client = openai.AsyncOpenAI(api_key="k", base_url=w.openai_url)
        await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(3)))
        assert w.sink.events == {}
        hang.release.set()
        assert w.event()["units"] == {"text": {"input": 11, "output": 7}}


@pytest.mark.parametrize("usage", [..., None])
def test_d4a_an_answer_without_usage_is_returned_and_estimated(world, usage):
    with world(lambda _: Reply.json(chat(usage=usage))) as w:
        assert openai_client(w).chat.completions.create(**ASK).choices[0].message.content == "hello"
        event = w.event()
        assert event["properties"]["system.usage_source"] == "estimated"
        assert event["units"]["text"]["input"] > 0


def test_d4b_null_details_do_not_raise(world):
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": None},
        "completion_tokens_details": None,
    }
    with world(lambda _: Reply.json(chat(usage=usage))) as w:
        openai_client(w).chat.completions.create(**ASK)
        assert w.event()["units"] == {"text": {"input": 5, "output": 2}}


def test_d4c_null_cache_counts_of_anthropic_do_not_raise(world):
    body = message(cache_creation_input_tokens=None, cache_read_input_tokens=None, server_tool_use=None)
    with world(lambda _: Reply.json(body)) as w:
        claude(w).messages.create(**ASK_CLAUDE)
        assert w.event()["units"] == {"text": {"input": 30, "output": 12}}


def test_d4d_message_objects_may_be_passed_back(world):
    with world(chat_reply) as w:
        client = openai_client(w)
        answer = client.chat.completions.create(**ASK).choices[0].message
        client.chat.completions.create(model="gpt-4o-mini", messages=[*MESSAGES, answer])
        assert payi_otel.force_flush(20)
        assert w.vendor.received[1].json()["messages"][1]["content"] == "hello"


def test_d4f_raw_responses_of_anthropic(world):
    with world(claude_reply) as w:
        raw = claude(w).messages.with_raw_response.create(**ASK_CLAUDE)
        assert raw.parse().content[0].text == "hello"
        assert w.event()["units"] == {"text": {"input": 30, "output": 12}}


async def test_d4g_async_streaming_responses_of_openai(world):
    with world(chat_reply) as w:
        client = openai.AsyncOpenAI(api_key="k", base_url=w.openai_url)
        async with client.chat.completions.with_streaming_response.create(**ASK) as response:
            assert (await response.parse()).choices[0].message.content == "hello"
        assert w.event()["units"] == {"text": {"input": 11, "output": 7}}


async def test_d4h_the_async_stream_helper_of_anthropic(world):
    with world(claude_reply) as w:
        client = anthropic.AsyncAnthropic(api_key="k", base_url=w.vendor.url)
        async with client.messages.stream(**ASK_CLAUDE) as stream:
            assert await stream.get_final_text() == "w0 w1 w2 w3 "
        assert w.event()["units"] == {"text": {"input": 30, "output": 12}}


def test_d5_one_shot_iterables_arrive_whole(world):
    with world(chat_reply) as w:
        openai_client(w).chat.completions.create(model="gpt-4o-mini", messages=iter(MESSAGES))
        assert w.vendor.received[0].json()["messages"] == MESSAGES
        assert w.event()["units"]["text"]["input"] == 11


def test_d11_d13_asyncio_and_executors_are_left_alone(world):
    before = asyncio.run, asyncio.create_task, asyncio.gather, threading.Thread.start
    with world(chat_reply):
        assert (asyncio.run, asyncio.create_task, asyncio.gather, threading.Thread.start) == before


def test_d12_no_vocabulary_is_looked_up_where_the_provider_told_the_usage(world, monkeypatch):
    from payi_otel.providers import estimate

    def looked_up(*_):
        raise AssertionError("a tokenizer was asked")

    monkeypatch.setattr(estimate, "text_tokens", looked_up)
    before = payi_otel.status().failures
    with world(chat_reply) as w:
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        openai_client(w).chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": [picture]}]
        )
        assert w.event()["units"]["text"]["input"] == 11
        assert payi_otel.status().failures == before


async def test_d14_concurrent_tasks_keep_their_own_use_case(world):
    with world(chat_reply) as w:
        client = openai.AsyncOpenAI(api_key="k", base_url=w.openai_url)
        w.vendor.respond = lambda received: Reply.json(
            {**chat(), "id": f"chatcmpl-0123456789-{received.json()['messages'][0]['content']}"}
        )

        async def ask(name):
            async with payi_otel.track_context(use_case_name=name, limit_ids=[name]):
                for step in range(3):
                    await client.chat.completions.create(
                        model="gpt-4o-mini", messages=[{"role": "user", "content": f"{name}{step}"}]
                    )

        await asyncio.gather(*(ask(name) for name in "abc"))
        events = w.events()
        assert len(events) == 9
        for event in events:
            name = event["provider_response_id"].rsplit("-", 1)[1][0]
            assert (event["use_case_name"], event["limit_ids"]) == (name, [name])


def test_d16_threads_without_a_scope_get_the_process_defaults(world):
    with world(chat_reply, config={"use_case_name": "default"}) as w:
        thread = threading.Thread(target=lambda: openai_client(w).chat.completions.create(**ASK))
        thread.start()
        thread.join()
        assert w.event()["use_case_name"] == "default"


def test_d19_d20_d21_headers_win_match_without_case_and_survive_any_text(world):
    with world(chat_reply) as w, payi_otel.track_context(use_case_name="outer", use_case_id="1"):
        headers = payi_otel.create_headers(use_case_name="inner", use_case_id="äöü\n", user_id="名前")
        openai_client(w).chat.completions.create(
            **ASK, extra_headers={name.lower(): value for name, value in headers.items()}
        )
        event = w.event()
        assert (event["use_case_name"], event["use_case_id"], event["user_id"]) == ("inner", "äöü\n", "名前")
        assert not [name for name in w.vendor.received[0].headers if name.startswith("xproxy")]


def test_d24_another_host_can_be_priced_as_what_it_is(world):
    mappings = {"host_mappings": {"127.0.0.1": {"price_as_category": "system.databricks.aws"}}}
    with world(chat_reply, config=mappings) as w:
        openai_client(w).chat.completions.create(**ASK)
        assert w.event()["category"] == "system.databricks.aws"


def test_d31_a_stream_closed_early_is_billed(world):
    with world(chat_reply) as w:
        with openai_client(w).chat.completions.create(**ASK, stream=True) as stream:
            next(stream)
        event = w.event()
        assert event["properties"]["system.usage_source"] == "estimated"
        assert event["properties"]["system.outcome"] == "closed_early"


def test_d31_a_stream_dropped_unread_is_billed(world):
    with world(claude_reply) as w:
        claude(w).messages.create(**ASK_CLAUDE, stream=True)
        event = w.event()
        assert event["properties"]["system.outcome"] == "dropped"
        assert event["units"]["text"]["input"] > 0


def test_d32_an_error_in_mid_stream_is_billed_for_what_arrived(world):
    def cut(received):
        return Reply.sse(message_events(), cut_after=4, cut="reset")

    with world(cut) as w:
        stream = claude(w).messages.create(**ASK_CLAUDE, stream=True)
        error = raised_by(lambda: list(stream))
        event = w.event()
        assert event["units"]["text"]["input"] == 30
        assert event["http_status_code"] == 299
        assert event["properties"]["system.failure"] == type(error).__qualname__


async def test_d33_a_cancelled_call_makes_an_event(world):
    with world(lambda _: Reply(hang=True)) as w:
        client = openai.AsyncOpenAI(api_key="k", base_url=w.openai_url)
        task = asyncio.create_task(client.chat.completions.create(**ASK))
        while not w.vendor.received:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        event = w.event()
        assert event["properties"]["system.outcome"] == "cancelled"
        assert event["properties"]["system.failure"] == "CancelledError"


def test_d34_a_raw_stream_is_observed_and_shows_no_usage_chunk(world):
    with world(chat_reply) as w:
        raw = openai_client(w).chat.completions.with_raw_response.create(**ASK, stream=True)
        chunks = list(raw.parse())
        assert all(chunk.usage is None and chunk.choices for chunk in chunks)
        assert w.event()["units"] == {"text": {"input": 11, "output": 7}}


def test_d35_the_beta_stream_helper_of_anthropic(world):
    with world(claude_reply) as w:
        with claude(w).beta.messages.stream(**ASK_CLAUDE) as stream:
            stream.until_done()
        assert w.event()["units"] == {"text": {"input": 30, "output": 12}}


def test_d36_legacy_completions_images_and_moderations_are_billed_and_counting_is_not(world):
    answers = {
        "/v1/completions": {"id": "cmpl-0123456789abcdef", "object": "text_completion", "created": 1, "model": "m",
                            "choices": [{"index": 0, "text": "x", "finish_reason": "stop", "logprobs": None}],
                            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}},
        "/v1/images/generations": {"created": 1, "data": [{"url": "http://x/1"}, {"url": "http://x/2"}]},
        "/v1/moderations": {"id": "modr-0123456789abcdef", "model": "omni-moderation-latest", "results": []},
        "/v1/messages/count_tokens": {"input_tokens": 5},
    }  # fmt: skip
    with world(lambda received: Reply.json(answers[received.path])) as w:
        client = openai_client(w)
        client.completions.create(model="gpt-3.5-turbo-instruct", prompt="x")
        client.images.generate(model="dall-e-3", prompt="x", n=2, size="1024x1024", quality="hd")
        client.moderations.create(input="x")
        claude(w).messages.count_tokens(model="claude-haiku-4-5", messages=MESSAGES)
        units = [event["units"] for event in w.events()]
        assert units == [
            {"text": {"input": 3, "output": 1}},
            {"image.hd.1024x1024": {"input": 0, "output": 2}},
            {},
        ]


def test_d37_d38_tool_calls_of_both_apis_at_index_0(world):
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    use = {"type": "tool_use", "id": "t", "name": "search", "input": {}}
    answers = {
        "/v1/chat/completions": chat(None, tool_calls=[call]),
        "/v1/messages": message([use]),
    }
    with world(lambda received: Reply.json(answers[received.path])) as w:
        openai_client(w).chat.completions.create(**ASK)
        claude(w).messages.create(**ASK_CLAUDE)
        names = [[call["name"] for call in event["provider_response_function_calls"]] for event in w.events()]
        assert names == [["find"], ["search"]]


def everything_sent(w):
    w.events()
    return json.dumps([post.body for post in w.sink.posts], default=str)


def test_d50_d53_no_stack_prompt_key_or_header_leaves_by_default(world):
    with world(chat_reply) as w:
        openai_client(w, default_headers={"x-company-secret": "hunter2"}).chat.completions.create(**ASK)
        sent = everything_sent(w)
        for leak in ("stack_trace", "my secret question", "hello", "sk-secret-key", "hunter2"):
            assert leak not in sent


def test_d52_error_bodies_follow_content_capture(world):
    error = {"error": {"message": "you asked: my secret question", "type": "invalid_request_error"}}
    for captured in (False, True):
        with world(lambda _: Reply.json(error, 400, HEADERS), log_prompt_and_response=captured) as w:
            with pytest.raises(openai.BadRequestError):
                openai_client(w).chat.completions.create(**ASK)
            event = w.event()
            assert event["http_status_code"] == 400
            assert event["provider_response_id"] == HEADERS["x-request-id"]
            assert event["units"] == {}
            assert ("my secret question" in json.dumps(event)) is captured


def test_d54_a_failure_names_types_and_quotes_nothing(world):
    with world(lambda _: Reply(cut_after=0, chunks=(b"x",))) as w:
        client = openai_client(w, max_retries=0)
        error = raised_by(lambda: list(client.chat.completions.create(**ASK, stream=True)))
        assert w.event()["properties"]["system.failure"] == type(error).__qualname__
        assert "my secret question" not in everything_sent(w)


def test_d55_the_config_is_not_changed_and_can_be_undone(world):
    config = {"use_case_name": "mine", "request_properties": {"a": "1"}}
    create = openai.resources.chat.completions.Completions.create
    request = openai._base_client.SyncAPIClient.__dict__["request"]
    with world(chat_reply, config=config):
        assert config == {"use_case_name": "mine", "request_properties": {"a": "1"}}
        payi_otel.payi_instrument(config={"use_case_name": "second"})
        payi_otel.uninstrument()
        assert openai.resources.chat.completions.Completions.create is create
        assert openai._base_client.SyncAPIClient.__dict__["request"] is not None
    assert type(openai._base_client.SyncAPIClient.__dict__["request"]) is type(request)


def test_d56_the_first_chunk_and_the_first_content_are_told_apart(world):
    with world(chat_reply) as w:
        list(openai_client(w).chat.completions.create(**ASK, stream=True))
        event = w.event()
        assert event["time_to_first_token_ms"] <= event["time_to_first_completion_token_ms"]
        assert event["time_to_first_completion_token_ms"] <= event["end_to_end_latency_ms"]


def test_wrapped_over_by_another_package_removed_and_installed_again_it_bills_once(world):
    import wrapt

    def passes_on(wrapped, instance, args, kwargs):
        return wrapped(*args, **kwargs)

    client_class = openai._base_client.SyncAPIClient
    with world(chat_reply) as w:
        ours = client_class.__dict__["request"]
        wrapt.wrap_function_wrapper("openai._base_client", "SyncAPIClient.request", passes_on)
        try:
            payi_otel.uninstrument()
            payi_otel.payi_instrument(api_key="k", base_url=w.sink.url)
            before = payi_otel.status().seen
            openai_client(w).chat.completions.create(**ASK)
            assert payi_otel.status().seen == before + 1
        finally:
            client_class.request = ours
