"""Single events: what they cost, whose they are, and that they are stored once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest

from tests.server.conftest import code, event, stored, summary

Fresh = Callable[[str], str]


def test_an_event_and_all_that_is_known_of_it(http: httpx2.Client, fresh: Fresh) -> None:
    name, response_id = fresh("everything"), fresh("resp")
    headers = {
        "xProxy-UseCase-Name": name,
        "xProxy-UseCase-ID": "case 1",
        "xProxy-UseCase-Step": "draft",
        "xProxy-User-ID": "jane",
        "xProxy-Account-Name": "acme",
        "xProxy-Limit-IDs": "a, b,",
    }
    body = event(
        provider_response_id=response_id,
        event_timestamp="2026-10-05T12:00:00Z",
        end_to_end_latency_ms=900,
        time_to_first_token_ms=80,
        http_status_code=200,
        properties={"tier": "gold", "none": None},
        use_case_properties={"region": "eu"},
    )
    answer = http.post("/api/v1/ingest", params={"id": response_id}, json=body, headers=headers).json()
    assert set(answer) >= {"request_id", "event_timestamp", "ingest_timestamp", "xproxy_result"}
    result = answer["xproxy_result"]
    assert result["request_id"] == answer["request_id"]
    assert (result["use_case_name"], result["use_case_id"], result["use_case_step"]) == (
        name,
        "case 1",
        "draft",
    )
    assert (result["user_id"], result["account_name"]) == ("jane", "acme")
    assert result["cost"]["input"]["base"] == 0.00015
    assert result["cost"]["output"]["base"] == 0.0003
    assert result["cost"]["total"]["base"] == 0.00045
    assert not result.get("duplicate_request")
    assert not result.get("unknown_units")
    (kept,) = stored(http, name)
    assert kept["units"] == {"text": {"input": 1000, "output": 500}}
    assert kept["properties"] == {"tier": "gold", "none": None}
    assert (kept["use_case_id"], kept["use_case_step"], kept["user_id"]) == ("case 1", "draft", "jane")
    assert kept["provider_response_id"] == response_id
    assert datetime.fromisoformat(kept["event_timestamp"].replace("Z", "+00:00")) == datetime(
        2026, 10, 5, 12, tzinfo=timezone.utc
    )


@pytest.mark.parametrize("known_by", ["query", "body", "both"])
def test_d43_an_event_posted_twice_is_stored_once(known_by: str, http: httpx2.Client, fresh: Fresh) -> None:
    name, response_id = fresh("twice"), fresh("resp")
    params = {} if known_by == "body" else {"id": response_id}
    body = event() if known_by == "query" else event(provider_response_id=response_id)
    headers = {"xProxy-UseCase-Name": name}
    first, second = (
        http.post("/api/v1/ingest", params=params, json=body, headers=headers).json() for _ in range(2)
    )
    assert not first["xproxy_result"].get("duplicate_request")
    assert second["xproxy_result"]["duplicate_request"] is True
    assert second["request_id"] == first["request_id"]
    assert second["xproxy_result"]["use_case_id"] == first["xproxy_result"]["use_case_id"]
    assert len(stored(http, name)) == 1
    assert summary(http, name)["cost"] == pytest.approx(0.00045, abs=1e-12)


def test_ids_of_query_and_body_are_the_same_kind(http: httpx2.Client, fresh: Fresh) -> None:
    name, response_id = fresh("crossing"), fresh("resp")
    headers = {"xProxy-UseCase-Name": name}
    http.post("/api/v1/ingest", params={"id": response_id}, json=event(), headers=headers)
    body = [event(provider_response_id=response_id, use_case_name=name)]
    assert http.post("/api/v1/ingest/bulk-upsert", json=body).json()["ingest_count"] == 1
    assert len(stored(http, name)) == 1


def test_events_without_an_id_are_all_stored(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("nameless")
    for _ in range(2):
        assert (
            http.post("/api/v1/ingest", json=event(), headers={"xProxy-UseCase-Name": name}).status_code
            == 200
        )
    assert len(stored(http, name)) == 2


def test_a_name_alone_makes_an_instance_each_time(http: httpx2.Client, fresh: Fresh) -> None:
    headers = {"xProxy-UseCase-Name": fresh("unnumbered")}
    ids = {
        http.post("/api/v1/ingest", json=event(), headers=headers).json()["xproxy_result"]["use_case_id"]
        for _ in range(2)
    }
    assert len(ids) == 2
    assert http.get(f"/api/v1/use_cases/definitions/{headers['xProxy-UseCase-Name']}").status_code == 200


def test_older_experience_headers(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("experience")
    headers = {"xProxy-Experience-Name": name, "xProxy-Experience-ID": "e1"}
    result = http.post("/api/v1/ingest", json=event(), headers=headers).json()["xproxy_result"]
    assert (result["use_case_name"], result["use_case_id"]) == (name, "e1")


def test_d29_a_bare_number_counts_as_input(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("bare")
    body = event(units={"text": {"input": 10, "output": 1}, "text_cache_read": 40})
    assert http.post("/api/v1/ingest", json=body, headers={"xProxy-UseCase-Name": name}).status_code == 200
    (kept,) = stored(http, name)
    assert kept["units"]["text_cache_read"] == {"input": 40, "output": 0}


def test_a_failed_call_needs_no_units(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("failed")
    body = event(units={}, http_status_code=500, properties={"system.failure": "boom"})
    assert http.post("/api/v1/ingest", json=body, headers={"xProxy-UseCase-Name": name}).status_code == 200
    found = summary(http, name)
    assert (found["calls"], found["failures"], found["cost"], found["unpriced"]) == (1, 1, 0, 0)


def test_prompts_are_kept_only_where_logging_is_enabled(http: httpx2.Client, fresh: Fresh) -> None:
    secret = fresh("SECRET")
    said = {
        "provider_request_json": f'{{"q":"{secret}"}}',
        "provider_response_json": [f"{secret}-answer"],
        "provider_request_headers": [{"name": "x-feature", "value": secret}],
    }
    silent, logged, disabled = fresh("silent"), fresh("logged"), fresh("disabled")
    for name in (logged, disabled):
        definition = {"name": name, "description": "d", "logging_enabled": True}
        assert http.post("/api/v1/use_cases/definitions", json=definition).status_code in {200, 201}
    for name, switch in ((silent, None), (logged, "False"), (disabled, "True")):
        headers = {"xProxy-UseCase-Name": name} | ({"xProxy-Logging-Disable": switch} if switch else {})
        assert http.post("/api/v1/ingest", json=event(**said), headers=headers).status_code == 200
    assert secret not in str(stored(http, silent))
    assert secret not in str(stored(http, disabled))
    assert f"{secret}-answer" in str(stored(http, logged))


@pytest.mark.parametrize(
    ("change", "expected", "said"),
    [
        ({"category": ""}, None, "category"),
        ({"colour": "red"}, None, "colour"),
        ({"units": {"text": {"input": -1}}}, None, "-1"),
        ({"units": {"text": {"input": 2**31}}}, None, "units"),
        ({"units": {"text": "many"}}, None, "units"),
        ({"event_timestamp": "yesterday"}, None, "event_timestamp"),
    ],
)
def test_a_wrong_field_is_named(
    change: dict[str, Any], expected: str | None, said: str, http: httpx2.Client
) -> None:
    answer = http.post("/api/v1/ingest", json=event(**change))
    assert answer.status_code == 400
    assert code(answer)
    assert said in answer.json()["message"]


def test_a_missing_field_is_named(http: httpx2.Client) -> None:
    answer = http.post("/api/v1/ingest", json={"category": "system.openai"})
    assert code(answer) == "required_field_missing"
    assert "units" in answer.json()["message"]


def test_broken_json(http: httpx2.Client) -> None:
    answer = http.post("/api/v1/ingest", content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, code(answer)) == (400, "invalid_json")


@pytest.mark.parametrize("content_type", ["application/*+json", "application/vnd.payi+json"])
def test_content_types(content_type: str, http: httpx2.Client) -> None:
    content = b'{"category": "system.openai", "units": {}}'
    answer = http.post("/api/v1/ingest", content=content, headers={"Content-Type": content_type})
    assert answer.status_code == 200


def test_events_of_the_future_are_refused(http: httpx2.Client) -> None:
    now = datetime.now(timezone.utc)
    soon, late = now + timedelta(minutes=4), now + timedelta(minutes=6)
    assert http.post("/api/v1/ingest", json=event(event_timestamp=soon.isoformat())).status_code == 200
    answer = http.post("/api/v1/ingest", json=event(event_timestamp=late.isoformat()))
    assert (answer.status_code, code(answer)) == (400, "invalid_ingest_event_timestamp")


@pytest.mark.parametrize("name", ["two words", "x" * 65, "slash/ed", "umläut".encode()])
def test_invalid_use_case_names(name: str | bytes, http: httpx2.Client) -> None:
    headers = {b"xProxy-UseCase-Name": name if isinstance(name, bytes) else name.encode()}
    answer = http.post("/api/v1/ingest", json=event(), headers=headers)
    assert (answer.status_code, code(answer)) == (400, "invalid_use_case_name")


@pytest.mark.parametrize("headers", [{}, {"xProxy-api-key": "sk-wrong"}, {"Authorization": "Bearer x"}])
def test_keys(headers: dict[str, str], server: Any) -> None:
    for answer in (
        httpx2.post(f"{server.url}/api/v1/ingest", json=event(), headers=headers),
        httpx2.get(f"{server.url}/api/v1/local/summary", headers=headers),
    ):
        assert (answer.status_code, code(answer)) == (401, "invalid_api_key")


def test_bodies_are_bounded(http: httpx2.Client) -> None:
    answer = http.post("/api/v1/ingest", json=event(provider_request_json="x" * (33 * 1024 * 1024)))
    assert answer.status_code == 413
    assert answer.headers["x-should-retry"] == "false"


def test_unknown_paths_have_no_code(http: httpx2.Client) -> None:
    answer = http.get("/api/v1/nowhere")
    assert (answer.status_code, answer.json()["statusCode"]) == (404, 404)
    assert "xproxy_error" not in answer.json()


def test_health_needs_no_key(server: Any) -> None:
    assert httpx2.get(f"{server.url}/healthz").status_code == 200
