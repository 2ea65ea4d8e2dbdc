"""The fake Anthropic endpoint as the real SDK sees it."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from tests.demo.questions import MESSAGE_TOOLS, QUESTION, Place


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
