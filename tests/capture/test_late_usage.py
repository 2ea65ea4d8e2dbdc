"""Usage that comes after the call: background responses and batches, owned by whoever started them."""

from __future__ import annotations

import json

import anthropic
import openai

import payi_otel
from tests.capture.conftest import USAGE, chat, message
from tests.support.vendor import Reply

RESPONSE_ID = "resp_0123456789abcdef"


def response(status, usage=None):
    return {
        "id": RESPONSE_ID,
        "object": "response",
        "created_at": 1,
        "status": status,
        "background": True,
        "model": "gpt-4.1",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }


DONE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 29,
}


def test_a_background_response_is_billed_once_to_who_created_it(world):
    with world(lambda _: Reply.json(response("queued"))) as w:
        client = openai.OpenAI(api_key="k", base_url=w.openai_url)
        with payi_otel.track_context(use_case_name="creator", use_case_id="7"):
            client.responses.create(model="gpt-4.1", input="x", extra_body={"background": True})
        assert w.events() == []
        with payi_otel.track_context(use_case_name="poller"):
            client.responses.retrieve(RESPONSE_ID)
            assert w.events() == []
            w.vendor.respond = lambda _: Reply.json(response("completed", DONE))
            client.responses.retrieve(RESPONSE_ID)
            client.responses.retrieve(RESPONSE_ID)
        event = w.event()
        assert event["units"] == {"text": {"input": 20, "output": 9}}
        assert (event["use_case_name"], event["use_case_id"]) == ("creator", "7")
        assert event["provider_response_id"] == RESPONSE_ID


def test_another_process_knows_who_created_it(world):
    """The owner is on disk: a second installation in the same folder stands for a second process."""
    with world(lambda _: Reply.json(response("queued"))) as w:
        with payi_otel.track_context(use_case_name="creator", use_case_id="7"):
            openai.OpenAI(api_key="k", base_url=w.openai_url).responses.create(
                model="gpt-4.1", input="x", extra_body={"background": True}
            )
        assert payi_otel.force_flush(20)
    with world(lambda _: Reply.json(response("completed", DONE))) as w:
        openai.OpenAI(api_key="k", base_url=w.openai_url).responses.retrieve(RESPONSE_ID)
        assert w.event()["use_case_id"] == "7"


def test_retrieving_what_was_billed_when_it_was_made_makes_no_event(world):
    answer = {**response("completed", DONE), "background": False}
    with world(lambda _: Reply.json(answer)) as w:
        client = openai.OpenAI(api_key="k", base_url=w.openai_url)
        client.responses.create(model="gpt-4.1", input="x")
        client.responses.retrieve(RESPONSE_ID)
        assert len(w.events()) == 1


def test_openai_batch_results_are_priced_as_batch_for_the_creator(world):
    batch = {
        "id": "batch_0123456789abcdef",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-in",
        "completion_window": "24h",
        "status": "validating",
        "created_at": 1,
    }
    lines = [
        {
            "id": f"batch_req_{number}",
            "custom_id": f"job-{number}",
            "response": {
                "status_code": 200,
                "request_id": f"req_{number}",
                "body": {**chat(), "id": f"chatcmpl-0123456789abcd{number}"},
            },
            "error": None,
        }
        for number in range(3)
    ]

    def respond(received):
        if received.path.endswith("/content"):
            body = "".join(json.dumps(line) + "\n" for line in lines).encode()
            return Reply(headers={"content-type": "application/octet-stream"}, body=body)
        done = {"status": "completed", "output_file_id": "file-0123456789out"}
        return Reply.json(batch if received.method == "POST" else {**batch, **done})

    with world(respond) as w:
        client = openai.OpenAI(api_key="k", base_url=w.openai_url)
        with payi_otel.track_context(use_case_name="nightly", use_case_id="run-1"):
            client.batches.create(
                input_file_id="file-in", endpoint="/v1/chat/completions", completion_window="24h"
            )
        finished = client.batches.retrieve(batch["id"])
        assert w.events() == []
        for _ in range(2):
            client.files.content(finished.output_file_id)
        events = w.events()
        assert len(events) == 3
        for event in events:
            assert event["units"] == {"text": {"input": USAGE["prompt_tokens"], "output": 7}}
            assert event["properties"]["system.service_tier"] == "batch"
            assert (event["use_case_name"], event["use_case_id"]) == ("nightly", "run-1")
            assert event["resource"].startswith("gpt-4o-mini")


def test_a_file_that_is_no_batch_result_makes_no_event(world):
    with world(lambda _: Reply(body=b'{"prompt": "x"}\nnot json\n')) as w:
        content = openai.OpenAI(api_key="k", base_url=w.openai_url).files.content("file-training")
        assert content.read() == b'{"prompt": "x"}\nnot json\n'
        assert w.events() == []


def test_anthropic_batch_results_are_priced_as_batch_for_the_creator(world):
    batch_id = "msgbatch_0123456789abcdef"

    def respond(received):
        if received.path.endswith("/results"):
            lines = [
                {
                    "custom_id": f"job-{number}",
                    "result": {
                        "type": "succeeded",
                        "message": {**message(service_tier="batch"), "id": f"msg_0123456789abcd{number}"},
                    },
                }
                for number in range(3)
            ] + [{"custom_id": "failed", "result": {"type": "errored", "error": {"type": "error"}}}]
            body = "".join(json.dumps(line) + "\n" for line in lines).encode()
            return Reply(headers={"content-type": "application/x-jsonl"}, body=body)
        host = received.headers["host"]
        return Reply.json(
            {
                "id": batch_id,
                "type": "message_batch",
                "processing_status": "ended",
                "request_counts": {
                    "processing": 0,
                    "succeeded": 3,
                    "errored": 1,
                    "canceled": 0,
                    "expired": 0,
                },
                "created_at": "2026-01-01T00:00:00Z",
                "expires_at": "2026-01-02T00:00:00Z",
                "results_url": f"http://{host}/v1/messages/batches/{batch_id}/results",
            }
        )

    with world(respond) as w:
        client = anthropic.Anthropic(api_key="k", base_url=w.vendor.url)
        with payi_otel.track_context(use_case_name="nightly", use_case_id="run-2"):
            request = {
                "custom_id": "job-0",
                "params": {
                    "model": "claude-haiku-4-5",
                    "max_tokens": 9,
                    "messages": [{"role": "user", "content": "x"}],
                },
            }
            client.messages.batches.create(requests=[request])
        results = list(client.messages.batches.results(batch_id))
        assert len(results) == 4
        events = w.events()
        assert len(events) == 3
        for event in events:
            assert event["properties"]["system.service_tier"] == "batch"
            assert event["use_case_id"] == "run-2"
            assert event["units"] == {"text": {"input": 30, "output": 12}}
