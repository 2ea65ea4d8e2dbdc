"""Many events at once: bad ones are named, good ones taken, and a resend counts nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest

from tests.server.conftest import event, stored, summary

Fresh = Callable[[str], str]
BOTH = pytest.mark.parametrize("path", ["/api/v1/ingest/bulk", "/api/v1/ingest/bulk-upsert"])


@BOTH
def test_bad_items_are_named_and_good_ones_taken(path: str, http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("mixed")
    late = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat()
    items: list[Any] = [
        event(provider_response_id=fresh("good"), use_case_name=name, scope="global", limit_ids=["a"]),
        event(colour="red"),
        "no object",
        event(event_timestamp=late),
        event(use_case_name="two words"),
        event(provider_response_id=fresh("good"), use_case_name=name),
    ]
    answer = http.post(path, json=items)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["ingest_count"], body["total_count"]) == (2, 6)
    assert body["item_error_count"] == 4
    assert {"request_id", "ingest_timestamp"} <= set(body)
    errors = {error["item_index"]: error["xproxy_result"] for error in body["errors"]}
    assert sorted(errors) == [1, 2, 3, 4]
    assert all(error["statusCode"] == 400 for error in errors.values())
    assert "colour" in errors[1]["message"]
    assert errors[3]["xproxy_error"]["code"] == "invalid_ingest_event_timestamp"
    assert errors[4]["xproxy_error"]["code"] == "invalid_use_case_name"
    assert len(stored(http, name)) == 2


@BOTH
def test_all_bad_is_400_in_the_same_shape(path: str, http: httpx2.Client) -> None:
    answer = http.post(path, json=[event(colour="red")])
    assert answer.status_code == 400
    assert answer.headers["x-should-retry"] == "false"
    assert [error["item_index"] for error in answer.json()["errors"]] == [0]


@BOTH
def test_an_object_is_no_list(path: str, http: httpx2.Client) -> None:
    assert http.post(path, json=event()).status_code == 400


@BOTH
def test_an_identical_resend_is_not_counted_twice(path: str, http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("resend")
    items = [event(provider_response_id=fresh("resp"), use_case_name=name) for _ in range(3)]
    for _ in range(3):
        answer = http.post(path, json=items).json()
        assert (answer["ingest_count"], answer["errors"] or []) == (3, [])
    found = summary(http, name)
    assert (found["calls"], found["units"]["text"]["input"], found["instances"]) == (3, 3000, 3)
    assert found["cost"] == pytest.approx(3 * 0.00045, abs=1e-12)


def test_the_same_id_twice_in_one_request(http: httpx2.Client, fresh: Fresh) -> None:
    name, response_id = fresh("inside"), fresh("resp")
    items = [event(provider_response_id=response_id, use_case_name=name)] * 2
    http.post("/api/v1/ingest/bulk-upsert", json=items)
    assert summary(http, name)["calls"] == 1


def test_upsert_replaces_what_an_event_said(http: httpx2.Client, fresh: Fresh) -> None:
    name, response_id = fresh("upsert"), fresh("resp")
    base = {"provider_response_id": response_id, "use_case_name": name, "use_case_id": "one"}
    estimated = event(**base, properties={"system.usage_source": "estimated"})
    http.post("/api/v1/ingest/bulk-upsert", json=[estimated])
    (before,) = stored(http, name)
    assert summary(http, name)["estimated"] == 1
    told = event(
        **base,
        units={"text": {"input": 2000}, "reasoning": {"output": 100}},
    )
    http.post("/api/v1/ingest/bulk-upsert", json=[told])
    (after,) = stored(http, name)
    assert after["request_id"] == before["request_id"]
    assert after["units"] == {
        "text": {"input": 2000, "output": 0},
        "reasoning": {"input": 0, "output": 100},
    }
    found = summary(http, name)
    assert (found["calls"], found["estimated"], found["instances"]) == (1, 0, 1)
    # 2000 in at 0.15 and 100 out at 0.60 dollars a million.
    assert found["cost"] == pytest.approx(0.0003 + 0.00006, abs=1e-12)


def test_threads_that_post_the_same_ids(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("racing")
    ids = [fresh("raced") for _ in range(20)]

    def post(worker: int) -> int:
        items = [event(provider_response_id=key, use_case_name=name) for key in ids]
        if worker % 2:
            return http.post("/api/v1/ingest/bulk-upsert", json=list(reversed(items))).status_code
        return max(
            http.post(
                "/api/v1/ingest", params={"id": key}, json=event(), headers={"xProxy-UseCase-Name": name}
            ).status_code
            for key in ids
        )

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(post, range(8))) == {200}
    assert len(stored(http, name)) == len(ids)
    found = summary(http, name)
    assert (found["calls"], found["units"]["text"]) == (20, {"input": 20_000, "output": 10_000})
    assert found["cost"] == pytest.approx(20 * 0.00045, abs=1e-12)
