"""Events of a bulk are checked all at once; what comes of it is what checking each by itself makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from payi_otel.server.api.events import checked_fields, checked_json
from tests.server.conftest import event, stored

Fresh = Callable[[str], str]

FULL = event(
    event_timestamp="2026-10-20T12:00:00.123456+02:00",
    end_to_end_latency_ms="900",
    time_to_first_token_ms=80.0,
    http_status_code=200,
    provider_response_id="résumé 😀",
    provider_request_json="{}",
    provider_response_json=["a", "b"],
    provider_request_headers=[{"name": "a", "value": None}, {"name": "b"}],
    provider_response_headers=[{"name": "c", "value": "d"}],
    provider_response_function_calls=[{"name": "f", "arguments": "{}"}, {"name": "g"}],
    properties={"tier": "gold", "empty": None},
    use_case_properties={},
    limit_ids=["a", ""],
    request_tags=None,
    scope="global",
    use_case_name="",
    use_case_version=3,
    units={"text": {"input": 1, "output": None}, "reasoning": {"output": 2}, "audio": {}},
)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([]),
        json.dumps([event()] * 3),
        json.dumps([FULL, event(event_timestamp=1_790_000_000)]),
        json.dumps([FULL], ensure_ascii=False),
        json.dumps([event(event_timestamp="2026-10-20 12:00")]),
        '[{"category": "first", "units": {}, "category": "second"}]',
        '[{"category": "a", "units": {"text": {"input": 1, "input": 2}, "text": {"output": 3}}}]',
    ],
)
def test_all_at_once_is_each_by_itself(body: str) -> None:
    assert checked_json(body.encode()) == [checked_fields(item) for item in json.loads(body)]


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"category": ""},
        {"category": None},
        {"units": None},
        {"units": {"text": {"input": -1}}},
        {"units": {"text": {"input": 1.0}}},
        {"units": {"text": {"input": True}}},
        {"units": {"text": {"input": 2**31}}},
        {"units": {"text": {"cached": 1}}},
        {"units": {"t" * 513: {"input": 1}}},
        {"http_status_code": 1000},
        {"use_case_version": 0},
        {"event_timestamp": "yesterday"},
        {"properties": {"a": 1}},
        {"limit_ids": "a"},
        {"provider_response_id": "r" * 513},
        {"provider_request_headers": [{"value": "without a name"}]},
    ],
)
def test_a_wrong_event_is_left_to_be_checked_by_itself(changes: dict[str, Any]) -> None:
    items = [event(), event(**changes)]
    assert checked_json(json.dumps(items).encode()) is None
    with pytest.raises(ValidationError):
        checked_fields(items[1])


@pytest.mark.parametrize("body", ["{}", "[1]", "null", "[", "", '[{"category": "a"}]'])
def test_what_is_no_list_of_events(body: str) -> None:
    assert checked_json(body.encode()) is None


def test_what_is_repaired_is_repaired(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("repaired")
    broken = event(use_case_name=name, user_id="a\0b\ud83dc", units={"text": 7})
    body = json.dumps([broken, event(use_case_name=name)])
    assert checked_json(body.encode()) is None
    answer = http.post(
        "/api/v1/ingest/bulk", content=body.encode(), headers={"content-type": "application/json"}
    )
    assert answer.json()["ingest_count"] == 2
    found = {row["user_id"]: row["units"] for row in stored(http, name)}
    assert found["a?b?c"] == {"text": {"input": 7, "output": 0}}


def test_fields_that_only_some_events_have(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("sparse")
    events = [
        event(
            use_case_name=name,
            provider_response_id=f"{name}-{number}",
            **({"user_id": f"user-{number}", "properties": {"n": str(number)}} if number % 3 == 0 else {}),
            **({"http_status_code": 200 + number} if number == 130 else {}),
        )
        for number in range(250)
    ]
    http.post("/api/v1/ingest/bulk", json=events).raise_for_status()
    found = {row["provider_response_id"]: row for row in stored(http, name)}
    assert len(found) == 250
    for sent in events:
        row = found[sent["provider_response_id"]]
        assert row["user_id"] == sent.get("user_id")
        assert row["properties"] == sent.get("properties", {})
