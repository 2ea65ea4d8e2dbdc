"""What passes as an event, and the words for what does not."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from payi_otel.backfill.check import BadEvent, check, unwrap, with_defaults
from payi_otel.server.api.events import BulkIngestRequest
from tests.backfill.conftest import event

NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
EVERYTHING: dict[str, Any] = event(
    1,
    scope="region.eu",
    end_to_end_latency_ms=12,
    time_to_first_token_ms=3,
    time_to_first_completion_token_ms=4,
    http_status_code=200,
    provider_uri="https://example.com",
    provider_request_json="{}",
    provider_request_reasoning_json="{}",
    provider_request_headers=[{"name": "a", "value": "b"}],
    provider_response_json=["{}", "{}"],
    provider_response_headers=[{"name": "a", "value": None}],
    provider_response_function_calls=[{"name": "f", "arguments": "{}"}],
    use_case_name="chat",
    use_case_id="1",
    use_case_version=2,
    use_case_step="plan",
    user_id="u",
    account_name="acme",
    limit_ids=["a"],
    request_tags=["t"],
    properties={"a": "1", "b": None},
    use_case_properties={"c": "2"},
)


def test_every_field_of_the_contract_passes_as_it_is() -> None:
    body = check(EVERYTHING, NOW).body
    assert body == EVERYTHING | {"event_timestamp": "2026-10-05T12:00:00+00:00"}


def test_the_fields_are_those_the_server_documents() -> None:
    assert set(EVERYTHING) == set(BulkIngestRequest.model_fields)
    BulkIngestRequest.model_validate(check(EVERYTHING, NOW).body)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"resource_scope": "global"}, {"scope": "global"}),
        ({"units": {"text": 7}}, {"units": {"text": {"input": 7}}}),
        ({"units": {"text": {"input": 7.0, "output": None}}}, {"units": {"text": {"input": 7}}}),
        ({"units": {}}, {"units": {}}),
        ({"properties": {"n": 1, "b": True, "x": None}}, {"properties": {"n": "1", "b": "True", "x": None}}),
        ({"user_id": None, "use_case_name": ""}, {}),
        ({"use_case_version": 3.0}, {"use_case_version": 3}),
        ({"use_case_name": "Chat Bot"}, {"use_case_name": "Chat_Bot"}),
    ],
)
def test_spellings_of_the_same(given: dict[str, Any], sent: dict[str, Any]) -> None:
    expected = event() | {"event_timestamp": "2026-10-05T12:00:00+00:00"} | sent
    assert check(event(**given), NOW).body == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"category": None}, "category: missing; give it, or the same for all with --set category="),
        ({"category": ""}, "category='': give a string of at least one character"),
        ({"units": None}, 'units: missing; give {"text"'),
        ({"event_timestamp": None}, "event_timestamp: missing; give it"),
        ({"event_timestamp": "10/5/2026"}, "event_timestamp='10/5/2026': give an ISO 8601 time"),
        (
            {"event_timestamp": "2026-11-02T00:00:00Z"},
            "event_timestamp='2026-11-02T00:00:00Z': in the future",
        ),
        ({"resorce": "x"}, "resorce: unknown field; is it 'resource'?"),
        ({"zzz": "x"}, "zzz: unknown field; remove it"),
        ({"resource": 7}, "resource=7: give a string"),
        ({"units": []}, "units=[]: give an object"),
        ({"units": {"text": {"input": -1}}}, "units.text.input=-1: give a whole number from 0 to 2147483647"),
        ({"units": {"text": {"input": 2**31}}}, "units.text.input=2147483648: give a whole number"),
        ({"units": {"text": {"input": "5"}}}, "units.text.input='5': give a whole number"),
        ({"units": {"text": {"input": True}}}, "units.text.input=True: give a whole number"),
        ({"units": {"text": {"input": 1.5}}}, "units.text.input=1.5: give a whole number"),
        ({"units": {"text": {"inputs": 1}}}, "units.text.inputs=1: unknown; a unit has 'input' and 'output'"),
        ({"units": {"text": {}}}, 'units.text={}: give {"input"'),
        ({"http_status_code": 1000}, "http_status_code=1000: give a whole number from 0 to 999"),
        ({"use_case_name": 7}, "use_case_name=7: give a string"),
        ({"use_case_version": 0}, "use_case_version=0: give a whole number from 1"),
        ({"limit_ids": "a"}, "limit_ids='a': give a list of strings"),
        ({"limit_ids": [1]}, "limit_ids=[1]: give a string"),
        ({"properties": {"a": {"b": 1}}}, "properties.a={'b': 1}: give a string, a number"),
        ({"provider_response_function_calls": [{"arguments": "x"}]}, "give a list of objects like"),
        ({"resource": "x" * 99, "user_id": 1}, "user_id=1: give a string"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_the_fix(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadEvent) as caught:
        check(event(**changes), NOW)
    assert said in str(caught.value)


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(BadEvent) as caught:
        check({"user_id": 1, "units": {}}, NOW)
    said = str(caught.value)
    assert (
        said.index("user_id=1: ") < said.index("category: missing") < said.index("event_timestamp: missing")
    )


@pytest.mark.parametrize("value", [None, 1, "text", [event()]])
def test_what_is_no_object(value: Any) -> None:
    with pytest.raises(BadEvent, match="not an event; give a JSON object"):
        check(value, NOW)


def test_no_message_shows_what_was_said() -> None:
    with pytest.raises(BadEvent) as caught:
        check(event(provider_request_json={"prompt": "secret"}, provider_request_headers=["secret"]), NOW)
    assert "secret" not in str(caught.value)
    assert "provider_request_json=dict: give a string" in str(caught.value)


def test_a_long_value_is_cut() -> None:
    with pytest.raises(BadEvent) as caught:
        check(event(limit_ids="x" * 10_000), NOW)
    assert len(str(caught.value)) < 300


def test_defaults_fill_what_is_missing_and_merge_properties() -> None:
    defaults = {"category": "d", "user_id": "d", "properties": {"a": "d", "b": "d"}}
    row = {"category": "own", "user_id": None, "properties": {"b": "own"}}
    assert with_defaults(row, defaults) == {
        "category": "own",
        "user_id": "d",
        "properties": {"a": "d", "b": "own"},
    }


def test_a_line_of_a_rejected_file_is_its_event() -> None:
    assert unwrap({"line": 3, "reason": "r", "event": event(1)}) == event(1)
    assert unwrap(event(1)) == event(1)
    with pytest.raises(BadEvent, match="give the event itself as 'event'"):
        unwrap({"line": 3, "reason": "r", "text": "{"})
