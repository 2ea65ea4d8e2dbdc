"""What operators do: keys, rates, pricing anew, deleting what is old."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from payi_otel.cli import main
from payi_otel.server.config import ServerConfig
from payi_otel.server.main import background_server
from payi_otel.server.rates import RateLimiter
from payi_otel.server.store.engine import Store
from payi_otel.server.store.schema import request_bodies, requests
from tests.server.conftest import event, stored, summary
from tests.support.terminal import run_on_terminal

SUMMARY = "/api/v1/local/summary"


def status(server: Any, key: str) -> int:
    return httpx2.get(f"{server.url}{SUMMARY}", headers={"xProxy-api-key": key}).status_code


def keys(database: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["keys", "--database", database, *arguments]) == 0
    return capsys.readouterr().out.strip()


def test_two_keys_of_an_application_rotate(
    server: Any, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = keys(database, capsys, "create", "team")
    second = keys(database, capsys, "create", "team")
    assert [status(server, key) for key in (first, second)] == [200, 200]
    with pytest.raises(SystemExit) as full:
        main(["keys", "--database", database, "create", "team"])
    assert full.value.code == 2
    third = keys(database, capsys, "rotate", "team", "--slot", "1")
    assert [status(server, key) for key in (first, second, third)] == [401, 200, 200]
    keys(database, capsys, "revoke", "team", "--slot", "2")
    assert [status(server, key) for key in (second, third)] == [401, 200]
    listed = keys(database, capsys, "list")
    assert "team: key 1 since" in listed
    assert third not in listed
    for wrong in (["revoke", "team", "--slot", "2"], ["rotate", "nobody", "--slot", "1"]):
        with pytest.raises(SystemExit):
            main(["keys", "--database", database, *wrong])
    assert "keys create nobody" in capsys.readouterr().err


def test_applications_see_nothing_of_each_other(
    server: Any, http: httpx2.Client, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    key = keys(database, capsys, "create", "others")
    made = http.post("/api/v1/ingest", json=event(), headers={"xProxy-UseCase-Name": "mine"}).json()
    http.post("/api/v1/limits", json={"limit_name": "mine", "limit_id": "mine", "max": 1})
    with httpx2.Client(base_url=server.url, headers={"xProxy-api-key": key}) as other:
        for path in (f"requests/{made['request_id']}/result", "use_cases/definitions/mine", "limits/mine"):
            assert other.get(f"/api/v1/{path}").status_code == 404
        assert other.get(SUMMARY).json()["use_cases"] == []


def test_a_third_key_given_at_start_replaces_the_oldest(url: str) -> None:
    given = ["sk-one", "sk-two", "sk-three"]
    for key in given:
        with background_server(url, api_key=key) as server:
            works = [status(server, one) for one in given]
    assert works == [401, 200, 200]


def test_a_key_is_slowed_down_alone() -> None:
    with background_server(config=ServerConfig("unused", requests_per_second=0.01)) as server:
        assert status(server, server.api_key) == 200
        answer = httpx2.get(f"{server.url}{SUMMARY}", headers={"xProxy-api-key": server.api_key})
        assert (answer.status_code, answer.json()["xproxy_error"]["code"]) == (429, "rate_limit_exceeded")
        assert 0 < int(answer.headers["retry-after"]) <= 100
        assert "x-should-retry" not in answer.headers
        assert status(server, "sk-wrong") == 401


def test_a_bucket_fills_with_time() -> None:
    time = [0.0]
    limiter = RateLimiter(2, clock=lambda: time[0])
    assert [limiter.wait_s("a") for _ in range(3)] == [0, 0, 0.5]
    assert limiter.wait_s("b") == 0
    time[0] = 0.5
    assert [limiter.wait_s("a") for _ in range(2)] == [0, 0.5]
    assert RateLimiter(0).wait_s("a") == 0


@pytest.fixture
def store(server: Any, database: str) -> Iterator[Store]:
    opened = Store(database)
    yield opened
    opened.close()


def test_a_corrected_price_reaches_stored_requests(
    http: httpx2.Client, database: str, fresh: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    name, category, limit_id = fresh("repriced"), fresh("acme"), fresh("limit")
    http.post("/api/v1/limits", json={"limit_name": limit_id, "limit_id": limit_id, "max": 100})
    items = [
        event(
            category=category,
            resource="m",
            use_case_name=name,
            limit_ids=[limit_id, "nobody"],
            event_timestamp=f"2026-0{month}-01T00:00:00Z",
            units={"text": {"input": 10}},
        )
        for month in (1, 2, 3)
    ]
    http.post("/api/v1/ingest/bulk", json=items)
    assert (summary(http, name)["cost"], summary(http, name)["unpriced"]) == (0, 3)
    body = {"units": {"text": {"input_price": 0.1}}, "start_timestamp": "2026-01-01T00:00:00Z"}
    http.post(f"/api/v1/categories/{category}/resources/m", json=body)
    command = ["reprice", "--database", database, "--category", category, "--from", "2026-02-01"]
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out == "2 requests, 2 would change, +2 US dollars\n"
    assert summary(http, name)["cost"] == 0
    assert main(command) == 0
    assert (summary(http, name)["cost"], summary(http, name)["unpriced"]) == (2, 1)
    limit = http.get(f"/api/v1/limits/{limit_id}").json()["limit"]
    assert (limit["totals"]["cost"]["total"]["base"], limit["totals"]["requests"]["total"]) == (2, 3)
    warnings = {
        kept["event_timestamp"][:7]: [one.split(":")[0] for one in kept["warnings"]]
        for kept in stored(http, name)
    }
    assert warnings == {
        "2026-01": ["limit_not_found", "unknown_resource"],
        "2026-02": ["limit_not_found"],
        "2026-03": ["limit_not_found"],
    }
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().out == "2 requests, 0 changed, +0 US dollars\n"
    with pytest.raises(SystemExit):
        main(["reprice", "--database", database, "--from", "yesterday"])
    assert "--from: 'yesterday'" in capsys.readouterr().err


def test_pricing_anew_shows_how_far_it_is(http: httpx2.Client, database: str, fresh: Any) -> None:
    pytest.importorskip("tqdm")
    category = fresh("acme")
    http.post("/api/v1/ingest/bulk", json=[event(category=category)] * 3)
    command = [
        sys.executable,
        "-m",
        "payi_otel.cli",
        "reprice",
        "--database",
        database,
        "--category",
        category,
    ]
    status, said, shown = run_on_terminal(command, {})
    assert (status, said) == (0, "3 requests, 0 changed, +0 US dollars\n")
    assert "100%" in shown
    assert "3/3" in shown


def test_pricing_anew_counts_nothing_that_a_limit_has_not_counted(
    http: httpx2.Client, database: str, fresh: Any
) -> None:
    """A limit that was made after a request is not charged for it, the automatic one of its instance is."""
    name, category, limit_id = fresh("late"), fresh("acme"), fresh("late")
    http.post(
        "/api/v1/use_cases/definitions", json={"name": name, "description": "d", "limit_config": {"max": 9}}
    )
    body = event(category=category, units={"text": {"input": 10}}, event_timestamp="2026-03-01T00:00:00Z")
    headers = {"xProxy-UseCase-Name": name, "xProxy-UseCase-ID": "one", "xProxy-Limit-IDs": limit_id}
    http.post("/api/v1/ingest", json=body, headers=headers)
    http.post("/api/v1/limits", json={"limit_name": limit_id, "limit_id": limit_id, "max": 9})
    prices = {"units": {"text": {"input_price": 0.1}}, "start_timestamp": "2026-01-01T00:00:00Z"}
    http.post(f"/api/v1/categories/{category}/resources/gpt-4o-mini", json=prices)
    assert main(["reprice", "--database", database, "--category", category]) == 0
    own = http.get(f"/api/v1/use_cases/instances/{name}/one").json()["limit_id"]
    totals = [http.get(f"/api/v1/limits/{one}").json()["limit"]["totals"] for one in (own, limit_id)]
    assert [one["cost"]["total"]["base"] for one in totals] == [1, 0]
    assert [one["requests"]["total"] for one in totals] == [1, 0]


def test_what_is_old_goes_and_its_cost_stays(
    http: httpx2.Client, database: str, store: Store, fresh: Any
) -> None:
    name = fresh("kept")
    http.post(
        "/api/v1/use_cases/definitions", json={"name": name, "description": "d", "logging_enabled": True}
    )
    now = datetime.now(timezone.utc)
    for days in (1, 40, 400):
        at = (now - timedelta(days=days)).isoformat()
        body = event(event_timestamp=at, provider_request_json="{}")
        http.post("/api/v1/ingest", json=body, headers={"xProxy-UseCase-Name": name})

    def left() -> tuple[int, int]:
        here = requests.c.use_case_name == name
        with store.read() as connection:
            bodies = select(func.count()).select_from(request_bodies.join(requests)).where(here)
            events = select(func.count()).select_from(requests).where(here)
            return connection.execute(events).scalar_one(), connection.execute(bodies).scalar_one()

    assert left() == (3, 3)
    assert main(["retention", "--database", database, "--bodies-days", "30", "--requests-days", "365"]) == 0
    assert left() == (2, 1)
    assert summary(http, name)["calls"] == 3
    with pytest.raises(SystemExit):
        main(["retention", "--database", database])


def test_commands_need_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("nowhere/payi.db", "mysql://a/b"):
        with pytest.raises(SystemExit):
            main(["keys", "--database", wrong, "list"])
        assert "--database" in capsys.readouterr().err
