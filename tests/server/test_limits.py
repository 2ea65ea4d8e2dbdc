"""Limits: exact totals, states, periods, and the automatic ones of a use case."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.server.store.limit_counts import state_of
from tests.server.conftest import code, event

Fresh = Callable[[str], str]
LIMITS, DEFINITIONS, INSTANCES = (
    "/api/v1/limits",
    "/api/v1/use_cases/definitions",
    "/api/v1/use_cases/instances",
)
# What `event()` costs.
COST = 0.00045


def make(http: httpx2.Client, limit_id: str, max: float, **more: Any) -> httpx2.Response:
    body = {"limit_id": limit_id, "limit_name": f"name of {limit_id}", "max": max, **more}
    return http.post(LIMITS, json=body)


def read(http: httpx2.Client, limit_id: str) -> dict[str, Any]:
    return http.get(f"{LIMITS}/{limit_id}").json()["limit"]


def spend(http: httpx2.Client, *limit_ids: str, **changes: Any) -> dict[str, Any]:
    headers = {"xProxy-Limit-IDs": ", ".join(limit_ids)}
    return http.post("/api/v1/ingest", json=event(**changes), headers=headers).json()["xproxy_result"]


def test_creating_again_gives_the_same_limit(http: httpx2.Client, fresh: Fresh) -> None:
    limit_id = fresh("limit")
    first, second = make(http, limit_id, 10, threshold=0.9), make(http, limit_id, 10, threshold=0.9)
    assert (first.status_code, second.status_code) == (201, 200)
    assert (
        second.json()["limit"]["limit_creation_timestamp"]
        == first.json()["limit"]["limit_creation_timestamp"]
    )
    assert first.json()["limit"]["limit_type"] == "allow"
    assert code(make(http, limit_id, 11, threshold=0.9)) == "duplicate_limit_id"
    assert code(make(http, limit_id, 10)) == "duplicate_limit_id"
    same_name = make(http, fresh("limit"), 10, limit_name=f"name of {limit_id}")
    assert code(same_name) == "limit_name_already_exist"
    assert make(http, fresh("limit"), 5).json()["limit"]["threshold"] is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"max": -1}, "invalid_max_limit"),
        ({"max": "much"}, "invalid_max_limit"),
        ({"threshold": 0.5}, "create_limit_validation_failed"),
        ({"threshold": 1}, "create_limit_validation_failed"),
        ({"limit_type": "ask"}, "create_limit_validation_failed"),
        ({"limit_name": ""}, "create_limit_validation_failed"),
        ({"limit_id": "a,b"}, "invalid_limit_id"),
        ({"limit_id": " a"}, "invalid_limit_id"),
    ],
)
def test_what_no_limit_can_be(change: dict[str, Any], expected: str, http: httpx2.Client) -> None:
    answer = http.post(LIMITS, json={"limit_name": "n", "max": 1, **change})
    assert (answer.status_code, code(answer)) == (400, expected)


def test_states_follow_what_is_spent(http: httpx2.Client, fresh: Fresh) -> None:
    tight, wide = fresh("tight"), fresh("wide")
    make(http, tight, 4 * COST, threshold=0.75)
    make(http, wide, 1)
    states = [spend(http, tight, wide)["limits"] for _ in range(5)]
    assert [said[tight]["state"] for said in states] == ["ok", "ok", "exceeded", "exceeded", "overrun"]
    assert {said[wide]["state"] for said in states} == {"ok"}
    failed = spend(http, tight, http_status_code=500, units={})
    assert failed["limits"][tight]["state"] == "failed"
    totals = read(http, tight)["totals"]
    assert totals["requests"] == {
        "ok": 2, "exceeded": 2, "overrun": 1, "blocked": 0, "blocked_external": 0, "failed": 1, "total": 6,
    }  # fmt: skip
    assert totals["cost"]["total"] == {"base": 0.00225, "overrun_base": COST}
    assert (totals["cost"]["input"]["base"], totals["cost"]["output"]["base"]) == (0.00075, 0.0015)


def test_a_result_tells_its_limits_later_too(http: httpx2.Client, fresh: Fresh) -> None:
    limit_id = fresh("limit")
    make(http, limit_id, 1)
    result = spend(http, limit_id)
    kept = http.get(f"/api/v1/requests/{result['request_id']}/result").json()["xproxy_result"]
    assert kept["limits"] == result["limits"] == {limit_id: {"state": "ok"}}


def test_an_unknown_limit_is_warned_of_and_loses_no_event(http: httpx2.Client, fresh: Fresh) -> None:
    result = spend(http, "nobody")
    assert result["limits"] is None
    assert result["warnings"][0].startswith("limit_not_found: 'nobody'")


def test_a_block_limit_is_refused_at_ingest(http: httpx2.Client, fresh: Fresh) -> None:
    limit_id = fresh("block")
    make(http, limit_id, 1, limit_type="block")
    single = http.post("/api/v1/ingest", json=event(), headers={"xProxy-Limit-IDs": limit_id})
    assert (single.status_code, code(single)) == (400, "blocking_limit_not_allowed")
    items = [event(colour=1), event(limit_ids=[limit_id]), event()]
    bulk = http.post("/api/v1/ingest/bulk", json=items).json()
    assert bulk["ingest_count"] == 1
    codes = [error["xproxy_result"]["xproxy_error"]["code"] for error in bulk["errors"]]
    assert ([error["item_index"] for error in bulk["errors"]], codes[1]) == (
        [0, 1],
        "blocking_limit_not_allowed",
    )
    assert read(http, limit_id)["totals"]["requests"]["total"] == 0


def test_a_resend_counts_once_and_an_upsert_corrects(http: httpx2.Client, fresh: Fresh) -> None:
    one, other, response_id = fresh("one"), fresh("other"), fresh("resp")
    make(http, one, 1)
    make(http, other, 1)

    def send(units: int, *limit_ids: str) -> None:
        item = event(
            provider_response_id=response_id, limit_ids=list(limit_ids), units={"text": {"input": units}}
        )
        assert http.post("/api/v1/ingest/bulk-upsert", json=[item]).status_code == 200

    for _ in range(2):
        send(1_000_000, one)
    assert read(http, one)["totals"]["cost"]["total"]["base"] == 0.15
    send(2_000_000, one, other)
    assert [read(http, limit)["totals"]["cost"]["total"]["base"] for limit in (one, other)] == [0.3, 0.3]
    send(1_000_000, other)
    assert [read(http, limit)["totals"]["cost"]["total"]["base"] for limit in (one, other)] == [0, 0.15]
    assert [read(http, limit)["totals"]["requests"]["total"] for limit in (one, other)] == [0, 1]


def test_a_reset_closes_the_period(http: httpx2.Client, fresh: Fresh) -> None:
    limit_id, response_id = fresh("limit"), fresh("resp")
    make(http, limit_id, 1)
    item = event(provider_response_id=response_id, limit_ids=[limit_id])
    http.post("/api/v1/ingest/bulk-upsert", json=[item])
    at = datetime(2026, 10, 1, tzinfo=timezone.utc)
    closed = http.post(f"{LIMITS}/{limit_id}/reset", params={"resetDate": at.isoformat()}).json()[
        "limit_history"
    ]
    assert closed["totals"]["cost"]["total"]["base"] == COST
    assert datetime.fromisoformat(closed["limit_reset_timestamp"].replace("Z", "+00:00")) == at
    assert read(http, limit_id)["totals"]["requests"]["total"] == 0
    # A correction of what the closed period held is none of the new one's.
    http.post("/api/v1/ingest/bulk-upsert", json=[{**item, "units": {"text": {"input": 2_000_000}}}])
    assert read(http, limit_id)["totals"]["cost"]["total"]["base"] == 0
    spend(http, limit_id)
    assert read(http, limit_id)["totals"]["cost"]["total"]["base"] == COST


def test_changing_and_removing(http: httpx2.Client, fresh: Fresh) -> None:
    limit_id = fresh("limit")
    make(http, limit_id, 1)
    spend(http, limit_id)
    changed = http.put(f"{LIMITS}/{limit_id}", json={"limit_name": fresh("renamed"), "max": 2}).json()[
        "limit"
    ]
    assert (changed["max"], changed["limit_name"]) == (2, read(http, limit_id)["limit_name"])
    assert code(http.put(f"{LIMITS}/{limit_id}", json={"max": COST / 2})) == "invalid_max_limit_update"
    listed = http.get(LIMITS, params={"limit_name": changed["limit_name"]}).json()["items"]
    assert [limit["limit_id"] for limit in listed] == [limit_id]
    answer = http.put(f"{LIMITS}/{limit_id}/properties", json={"properties": {"team": "red"}})
    assert [one["limit"]["limit_id"] for one in answer.json()] == [limit_id]
    assert http.delete(f"{LIMITS}/{limit_id}").json()["request_id"]
    for gone in (
        http.get(f"{LIMITS}/{limit_id}"),
        http.put(f"{LIMITS}/{limit_id}", json={}),
        http.delete(f"{LIMITS}/{limit_id}"),
        http.post(f"{LIMITS}/{limit_id}/reset"),
        http.put(f"{LIMITS}/{limit_id}/properties", json={"properties": {}}),
    ):
        assert (gone.status_code, code(gone)) == (404, "limit_not_found")


def test_each_instance_gets_its_own_limit(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("limited")
    config = {"max": 2 * COST, "limit_type": "allow", "threshold": 0.75, "properties": {"a": "b"}}
    http.post(DEFINITIONS, json={"name": name, "description": "d"})
    assert http.post(f"{INSTANCES}/{name}").json()["limit_id"] is None
    assert http.post(f"{DEFINITIONS}/{name}/limit_config", json=config).json()["limit_config"] == config
    ids = {http.post(f"{INSTANCES}/{name}", params={"use_case_id": key}).json()["limit_id"] for key in "ab"}
    assert len(ids) == 2
    headers = {"xProxy-UseCase-Name": name, "xProxy-UseCase-ID": "a"}
    states = [
        [
            *http.post("/api/v1/ingest", json=event(), headers=headers)
            .json()["xproxy_result"]["limits"]
            .values()
        ]
        for _ in range(3)
    ]
    assert [state["state"] for (state,) in states] == ["ok", "exceeded", "overrun"]
    limit_id = http.get(f"{INSTANCES}/{name}/a").json()["limit_id"]
    assert read(http, limit_id)["totals"]["requests"]["total"] == 3
    other = http.get(f"{INSTANCES}/{name}/b").json()["limit_id"]
    assert read(http, other)["totals"]["requests"]["total"] == 0
    for _ in range(2):
        assert http.delete(f"{DEFINITIONS}/{name}/limit_config").json()["limit_config"] is None
    assert http.post(f"{INSTANCES}/{name}").json()["limit_id"] is None


def test_the_older_words_for_it(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("experience")
    http.post("/api/v1/experiences/types", json={"name": name, "description": "d"})
    http.post(f"/api/v1/experiences/types/{name}/limit_config", json={"max": 1})
    assert http.post(f"/api/v1/experiences/instances/{name}").json()["limit_id"]
    assert http.delete(f"/api/v1/experiences/types/{name}/limit_config").status_code == 200


def test_totals_are_exact_under_concurrent_ingest(http: httpx2.Client, fresh: Fresh) -> None:
    """Whatever the order and the repeats: a limit's totals are the sum of its requests, each once."""
    shared, own = fresh("shared"), [fresh("own") for _ in range(4)]
    for limit_id in (shared, *own):
        make(http, limit_id, 0.001)
    items = [
        event(
            provider_response_id=fresh("counted"),
            limit_ids=[own[number % 4], shared] if number % 2 else [shared, own[number % 4]],
            units={"text_cache_read": {"input": 7 + number}},
        )
        for number in range(80)
    ]

    def post(worker: int) -> int:
        mine = items[worker * 10 :] + items[: worker * 10]
        path = "bulk-upsert" if worker % 2 else "bulk"
        return http.post(f"/api/v1/ingest/{path}", json=mine).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(post, range(8))) == {200}
    price = Decimal("0.000000075")
    totals = read(http, shared)["totals"]
    assert totals["cost"]["total"]["base"] == float(sum(7 + number for number in range(80)) * price)
    assert (totals["requests"]["total"], totals["requests"]["ok"]) == (80, 80)
    for place, limit_id in enumerate(own):
        tokens = sum(7 + number for number in range(80) if number % 4 == place)
        assert read(http, limit_id)["totals"]["cost"]["total"]["base"] == float(tokens * price)


def test_a_date_out_of_range_is_named(http: httpx2.Client, fresh: Fresh) -> None:
    limit_id = fresh("limit")
    make(http, limit_id, 1)
    wrong = (datetime.min + timedelta(hours=1)).isoformat() + "+14:00"
    assert http.post(f"{LIMITS}/{limit_id}/reset", params={"resetDate": wrong}).status_code == 400


amounts = st.decimals(min_value=0, max_value=1000, places=6)


@given(amounts, amounts, st.none() | st.floats(0.75, 0.99))
def test_every_amount_has_exactly_one_state(spent: Decimal, most: Decimal, threshold: float | None) -> None:
    state = state_of(spent, most, threshold)
    assert (state == "overrun") == (spent > most)
    assert (state == "ok") == (spent <= most and spent < most * Decimal(str(threshold or 1)))
    assert state_of(spent, most, threshold, failed=True) == "failed"
