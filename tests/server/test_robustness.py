"""What must not break the server: odd text, huge bodies, its own failures."""

from __future__ import annotations

import base64
import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from payi_otel.server.main import background_server
from tests.server.conftest import event, stored

Fresh = Callable[[str], str]
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("odd", ["\\ud800", "\\u0000"])
@pytest.mark.parametrize("field", ["user_id", "use_case_id", "provider_response_id", "category"])
def test_text_that_no_database_takes_does_not_lose_the_event(
    field: str, odd: str, http: httpx2.Client, fresh: Fresh
) -> None:
    name = fresh("odd-text")
    fields = f'"{field}": "{fresh("a")}{odd}", "properties": {{"b{odd}": "{odd}"}}'
    rest = '"units": {"text": {"input": 1}}' + ("" if field == "category" else ', "category": "c"')
    body = f'[{{"use_case_name": "{name}", {fields}, {rest}}}]'
    assert http.post("/api/v1/ingest/bulk-upsert", content=body, headers=JSON).status_code == 200
    (found,) = stored(http, name)
    assert found[field].endswith("?")
    assert found["properties"] == {"b?": "?"}


def test_an_error_that_quotes_half_an_emoji_can_be_sent(http: httpx2.Client) -> None:
    answer = http.post(
        "/api/v1/ingest/bulk", content='[{"category": "c", "units": {}, "\\ud83d": 1}]', headers=JSON
    )
    assert answer.status_code == 400
    assert "\\ud83d" in answer.json()["errors"][0]["xproxy_result"]["message"]


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, '[{"category": "c", "units": {"text": {"input": ' + "9" * 5000 + "}}}]", "\xff"],
)
def test_json_that_no_parser_takes_is_a_400(content: str, http: httpx2.Client) -> None:
    answer = http.post("/api/v1/ingest/bulk", content=content.encode("latin-1"), headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["statusCode"] == 400


@pytest.mark.parametrize("path", ["ingest", "ingest/bulk", "limits"])
def test_a_body_that_is_not_called_json_is_told_so(path: str, http: httpx2.Client) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = http.post(f"/api/v1/{path}", content="{}", headers=headers)
    assert answer.status_code == 400
    assert "content-type: application/json" in answer.json()["message"]
    assert "b'" not in answer.json()["message"]


def test_a_body_in_chunks_is_bounded_too(http: httpx2.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"["
        for _ in range(33):
            yield b" " * 1024 * 1024
        yield b"]"

    answer = http.post("/api/v1/ingest/bulk", content=chunks(), headers=JSON)
    assert (answer.status_code, answer.json()["xproxy_error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("score", ["1e308", '"much"', "[1]", "NaN"])
def test_a_wrong_score_is_told_in_the_words_of_the_api(score: str, http: httpx2.Client) -> None:
    path = "/api/v1/use_cases/instances/any/one/kpis/any"
    answer = http.put(path, content=f'{{"score": {score}}}', headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("score: ")
    assert "boolean" not in answer.json()["detail"]


def test_a_wrong_choice_of_types_names_the_field_only(http: httpx2.Client) -> None:
    answer = http.post("/api/v1/ingest", json=event(provider_response_json={"a": 1}))
    assert answer.json()["message"].startswith("provider_response_json: Input should be")


@pytest.mark.parametrize("field", ["use_case_id", "provider_response_id"])
def test_ids_are_bounded(field: str, http: httpx2.Client) -> None:
    answer = http.post("/api/v1/ingest/bulk", json=[event(**{field: "x" * 513})])
    assert answer.status_code == 400
    assert field in answer.json()["errors"][0]["xproxy_result"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "limits?limit_name={}",
        "use_cases/definitions?use_case_name={}",
        "use_cases/definitions/{name}/kpis?kpi_name={}",
        "use_cases/instances/{name}/one/kpis?kpi_name={}",
        "use_cases/instances/one/kpis?kpi_name={}",
        "experiences/types?name={}",
        "local/events?use_case_name={}",
    ],
)
@pytest.mark.parametrize("text", ["%00", "x" * 513])
def test_what_is_asked_for_is_checked_before_a_database_sees_it(
    path: str, text: str, http: httpx2.Client, fresh: Fresh
) -> None:
    name = fresh("asked")
    http.post(f"/api/v1/use_cases/instances/{name}", params={"use_case_id": "one"})
    assert http.get(f"/api/v1/{path.format(text, name=name)}").status_code == 400
    assert http.post(f"/api/v1/use_cases/instances/{name}?use_case_id={text}").status_code == 400


def test_so_it_is_in_the_portal(server: Any) -> None:
    with httpx2.Client(base_url=server.url, headers={"origin": server.url}) as browser:

        def sign_in(**typed: str) -> int:
            form = browser.get("/portal/sign-in").text
            token = re.findall(r'name="csrf_token" value="([^"]+)"', form)[0]
            return browser.post("/portal/sign-in", data={"csrf_token": token, **typed}).status_code

        assert sign_in(name="a\0", password="b\0") == 422
        assert sign_in(key=server.api_key) == 303
        assert browser.get("/portal/prices/new?category=a&resource=b").status_code == 200
        for path in ("prices/new", "prices/anew"):
            assert browser.get(f"/portal/{path}?category=%00&resource=%00").status_code == 400


@pytest.mark.parametrize("path", ["limits", "categories", "use_cases/definitions", "local/events"])
@pytest.mark.parametrize("number", ["9" * 20, "-" + "9" * 20, "9" * 5000, "1.5", ""])
def test_a_cursor_that_no_page_gave(path: str, number: str, http: httpx2.Client) -> None:
    cursor = base64.urlsafe_b64encode(number.encode()).decode()
    answer = http.get(f"/api/v1/{path}", params={"cursor": cursor})
    assert answer.status_code == (400 if cursor else 200)


def test_more_limits_than_a_statement_has_parameters(http: httpx2.Client, fresh: Fresh) -> None:
    name, limit_id = fresh("named"), fresh("limit")
    http.post("/api/v1/limits", json={"limit_name": limit_id, "limit_id": limit_id, "max": 1})
    named = [limit_id, *(f"nobody-{number}" for number in range(70_000))]
    answer = http.post("/api/v1/ingest/bulk", json=[event(use_case_name=name, limit_ids=named)], timeout=60)
    assert (answer.status_code, answer.json()["ingest_count"]) == (200, 1)
    totals = http.get(f"/api/v1/limits/{limit_id}").json()["limit"]["totals"]
    assert totals["requests"]["total"] == 1


def test_more_events_than_allowed_at_once(http: httpx2.Client) -> None:
    answer = http.post("/api/v1/ingest/bulk", json=[{}] * 10_001)
    assert (answer.status_code, answer.json()["xproxy_error"]["code"]) == (413, "request_too_large")


def test_own_failures_are_answered_logged_without_data_and_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "payi_otel.server")
    with background_server(tmp_path / "payi.db") as server:
        broken = sqlite3.connect(tmp_path / "payi.db")
        broken.execute("DROP TABLE requests")
        broken.close()
        headers = {"xProxy-api-key": server.api_key}
        with httpx2.Client(base_url=server.url, headers=headers) as http:
            answer = http.post("/api/v1/ingest", json=event(provider_uri="my-secret"))
            assert (answer.status_code, answer.json()["xproxy_error"]["code"]) == (500, "unexpected_error")
            assert http.get("/api/v1/use_cases/definitions").status_code == 200
    failures = [record.getMessage() for record in caplog.records if record.name == "payi_otel.server"]
    assert len(failures) == 1
    assert "OperationalError" in failures[0]
    assert "my-secret" not in caplog.text


def test_a_failed_batch_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "payi.db"
    with background_server(path) as server:
        trap = sqlite3.connect(path)
        trap.execute(
            "CREATE TRIGGER trap BEFORE INSERT ON requests WHEN NEW.user_id = 'trap' "
            "BEGIN SELECT RAISE(ABORT, 'trapped'); END"
        )
        trap.commit()
        items: list[Any] = [event(use_case_name="half", user_id=user) for user in ("one", "two", "trap")]
        headers = {"xProxy-api-key": server.api_key}
        with httpx2.Client(base_url=server.url, headers=headers) as http:
            answer = http.post("/api/v1/ingest/bulk-upsert", json=items)
            assert (answer.status_code, answer.json()["xproxy_error"]["code"]) == (500, "unexpected_error")
            assert "x-should-retry" not in answer.headers
            assert http.get("/api/v1/local/summary").json()["use_cases"] == []
            trap.execute("DROP TRIGGER trap")
            trap.commit()
            trap.close()
            assert http.post("/api/v1/ingest/bulk-upsert", json=items).json()["ingest_count"] == 3
            assert len(stored(http, "half")) == 3


def test_the_openapi_document_describes_bulk_events(server: Any) -> None:
    document = httpx2.get(f"{server.url}/openapi.json").json()
    body = document["paths"]["/api/v1/ingest/bulk"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["type"] == "array"
    assert {"category", "use_case_name", "scope"} <= set(body["schema"]["items"]["properties"])
    refused = document["paths"]["/api/v1/ingest"]["post"]["responses"]
    assert set(refused) == {"200", "4XX"}
