"""Span attributes back into the event they hold."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.spans import reader, semconv
from payi_otel.spans.reader import read_attributes

MINIMAL = {semconv.EVENT_ID: "chatcmpl-0123456789", semconv.CATEGORY: "system.openai"}


def test_a_span_of_nobody_is_no_event():
    assert read_attributes({"http.method": "GET"}, 0) is None
    assert read_attributes({**MINIMAL, semconv.UNPRICED: True}, 0) is None


def test_every_field_of_the_event_is_in_the_attributes():
    event = read_attributes(
        {
            **MINIMAL,
            semconv.RESOURCE: "gpt-4o",
            semconv.RESOURCE_SCOPE: "datazone.eu",
            "payi.units.text.input": 12,
            "payi.units.text.output": 7,
            "payi.units.image.hd.1024x1024.output": 2,
            semconv.LATENCY_MS: 800,
            semconv.TIME_TO_FIRST_TOKEN_MS: 90,
            semconv.HTTP_STATUS: 200,
            semconv.PROVIDER_URI: "https://api.openai.com/v1/",
            semconv.FUNCTION_CALLS: '[{"name": "search", "arguments": null}]',
            semconv.USE_CASE_NAME: "chat",
            semconv.USE_CASE_ID: "42",
            semconv.USE_CASE_VERSION: 3,
            semconv.USE_CASE_STEP: "answer",
            semconv.USER_ID: "jane",
            semconv.ACCOUNT_NAME: "acme",
            semconv.LIMIT_IDS: ("a", "b"),
            "payi.request_properties.tier": "gold",
            "payi.use_case_properties.lang": (),
            semconv.USAGE_SOURCE: "estimated",
        },
        1_700_000_000_000_000_000,
    )
    assert event is not None
    assert event.body == {
        "provider_response_id": "chatcmpl-0123456789",
        "category": "system.openai",
        "resource": "gpt-4o",
        "scope": "datazone.eu",
        "units": {"text": {"input": 12, "output": 7}, "image.hd.1024x1024": {"input": 0, "output": 2}},
        "event_timestamp": datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc),
        "end_to_end_latency_ms": 800,
        "time_to_first_token_ms": 90,
        "http_status_code": 200,
        "provider_uri": "https://api.openai.com/v1/",
        "provider_response_function_calls": [{"name": "search", "arguments": None}],
        "use_case_name": "chat",
        "use_case_id": "42",
        "use_case_version": 3,
        "use_case_step": "answer",
        "user_id": "jane",
        "account_name": "acme",
        "limit_ids": ["a", "b"],
        "properties": {"tier": "gold"},
        "use_case_properties": {"lang": None},
    }
    assert event.estimated


@pytest.mark.parametrize("calls", ['[{"name": "sea', "[]", '["search"]', "{}", "1", 7, None])
def test_function_calls_that_are_none_are_left_out(calls):
    """As those that an attribute length limit has cut: the event is worth more than what it tells of them."""
    event = read_attributes({**MINIMAL, semconv.FUNCTION_CALLS: calls}, 0)
    assert event is not None
    assert "provider_response_function_calls" not in event.body


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]+(\.[a-z0-9x]+){0,2}", fullmatch=True),
        st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)),
        max_size=6,
    )
)
def test_any_unit_name_survives(units):
    attributes = dict(MINIMAL)
    for name, (given_input, given_output) in units.items():
        attributes[f"{semconv.UNITS}{name}.input"] = given_input
        attributes[f"{semconv.UNITS}{name}.output"] = given_output
    event = read_attributes(attributes, 0)
    assert event is not None
    assert event.body["units"] == {name: {"input": a, "output": b} for name, (a, b) in units.items()}


def test_no_number_of_names_is_remembered_for_ever():
    for number in range(3_000):
        attributes = {**MINIMAL, f"payi.request_properties.{number}": "x", "payi.units.text.input": number}
        event = read_attributes({**attributes, f"{number}" * 100: 1}, 0)
        assert event is not None
        assert event.body.get("properties") == {str(number): "x"}
        assert event.body["units"] == {"text": {"input": number, "output": 0}}
    assert len(reader._MEANINGS) <= reader._MOST_NAMES
    assert max(map(len, reader._MEANINGS)) <= reader._LONGEST_NAME
