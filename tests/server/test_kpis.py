"""KPI definitions and scores, in both generations of their paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.server.conftest import code, event, summary

Fresh = Callable[[str], str]
DEFINITIONS, INSTANCES = "/api/v1/use_cases/definitions", "/api/v1/use_cases/instances"


def define(
    http: httpx2.Client, use_case: str, name: str, kpi_type: str = "number", goal: Any = 1, key: str = "name"
) -> httpx2.Response:
    body = {key: name, "description": "d", "kpi_type": kpi_type, "goal": goal}
    return http.post(f"{DEFINITIONS}/{use_case}/kpis", json=body)


def score(http: httpx2.Client, use_case: str, use_case_id: str, kpi: str) -> Any:
    answer = http.get(f"{INSTANCES}/{use_case}/{use_case_id}/kpis", params={"kpi_name": kpi})
    assert answer.status_code == 200
    return [item["score"] for item in answer.json()["items"]]


@pytest.mark.parametrize("key", ["name", "kpi_name"])
def test_a_definition_s_life(key: str, http: httpx2.Client, fresh: Fresh) -> None:
    use_case, name = fresh("kpis"), "Conversion $ / Value"
    path = f"{DEFINITIONS}/{use_case}/kpis/{quote(name, safe='')}"
    made = define(http, use_case, name, goal=10, key=key)
    assert made.status_code in {200, 201}
    assert {"name": name, "kpi_type": "number", "goal": 10, "description": "d"}.items() <= made.json().items()
    assert made.json()["request_id"]
    assert define(http, use_case, name, goal=10, key=key).status_code in {200, 201}
    assert len(http.get(f"{DEFINITIONS}/{use_case}/kpis").json()["items"]) == 1
    assert http.put(path, json={"goal": 0, "description": "e"}).status_code == 200
    read = http.get(path).json()
    assert (read["goal"], read["description"]) == (0, "e")
    assert http.delete(path).status_code == 200
    for gone in (http.get(path), http.delete(path)):
        assert gone.status_code == 404
        assert code(gone)


@pytest.mark.parametrize("change", [{"kpi_type": "stars"}, {"goal": "high"}, {"goal": None}, {"surprise": 1}])
def test_a_wrong_definition_is_refused(change: dict[str, Any], http: httpx2.Client, fresh: Fresh) -> None:
    body = {"name": "k", "description": "d", "kpi_type": "number", "goal": 1, **change}
    answer = http.post(f"{DEFINITIONS}/{fresh('wrong')}/kpis", json=body)
    assert answer.status_code == 400
    assert next(iter(change)) in answer.json()["message"]


@pytest.mark.parametrize(
    ("kpi_type", "good", "bad"),
    [
        ("boolean", [True, False, 0, 1, 0.0, 1.0], [2, 0.5, -1]),
        ("number", [3, -2.5, 0], []),
        ("percentage", [12.5, 250, -1], []),
        ("likert5", [1, 3.89, 5], [0, 5.1, 6]),
        ("likert7", [7, 6.5], [7.5]),
        ("likert10", [10, 1], [11, 0.9]),
    ],
)
def test_scores_by_type(
    kpi_type: str, good: list[Any], bad: list[Any], http: httpx2.Client, fresh: Fresh
) -> None:
    use_case = fresh("scored")
    define(http, use_case, "k", kpi_type)
    path = f"{INSTANCES}/{use_case}/one/kpis/k"
    for value in good:
        answer = http.put(path, json={"score": value}, headers={"Accept": "*/*"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert score(http, use_case, "one", "k") == [value]
    for value in [*bad, "high"]:
        answer = http.put(path, json={"score": value})
        assert answer.status_code == 400
        assert {"title", "status", "detail"} <= set(answer.json())
        assert answer.json()["status"] == 400
        assert str(value) in answer.json()["detail"]
        assert score(http, use_case, "one", "k") == [good[-1]]


def test_null_clears_a_score(http: httpx2.Client, fresh: Fresh) -> None:
    use_case = fresh("cleared")
    define(http, use_case, "k")
    for value in (4, None):
        assert http.put(f"{INSTANCES}/{use_case}/one/kpis/k", json={"score": value}).status_code == 200
    assert [value for value in score(http, use_case, "one", "k") if value is not None] == []
    (kpi,) = summary(http, use_case)["kpis"]
    assert (kpi["average"], kpi["scores"]) == (None, 0)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_older_path_without_a_name(method: str, http: httpx2.Client, fresh: Fresh) -> None:
    use_case, use_case_id = fresh("older"), fresh("case/1")
    segment = quote(use_case_id, safe="")
    define(http, use_case, "k", "boolean")
    headers = {"xProxy-UseCase-Name": use_case, "xProxy-UseCase-ID": use_case_id}
    http.post("/api/v1/ingest", json=event(), headers=headers)
    answer = http.request(method, f"{INSTANCES}/{segment}/kpis/k", json={"score": True})
    assert (answer.status_code, answer.content) == (200, b"")
    assert score(http, use_case, segment, "k") == [1]
    (listed,) = http.get(f"{INSTANCES}/{segment}/kpis").json()["items"]
    assert (listed["kpi_name"], listed["kpi_type"], listed["score"]) == ("k", "boolean", 1)
    assert listed["create_timestamp"] <= listed["update_timestamp"]
    assert http.delete(f"{INSTANCES}/{segment}/kpis/k").status_code == 200
    assert [value for value in score(http, use_case, segment, "k") if value is not None] == []


def test_the_curl_sample_s_content_type(http: httpx2.Client, fresh: Fresh) -> None:
    use_case = fresh("curl")
    define(http, use_case, "k")
    answer = http.put(
        f"{INSTANCES}/{use_case}/one/kpis/k",
        content=b'{"score":123}',
        headers={"Content-Type": "application/*+json"},
    )
    assert answer.status_code == 200
    assert score(http, use_case, "one", "k") == [123]


def test_unknown_kpis_and_instances_are_problem_details(http: httpx2.Client, fresh: Fresh) -> None:
    use_case = fresh("unknown")
    define(http, use_case, "k")
    for path in (f"{use_case}/one/kpis/other", "nobody-made/one/kpis/k", "nobody/kpis/k"):
        answer = http.put(f"{INSTANCES}/{path}", json={"score": 1})
        assert answer.status_code == 404
        assert answer.json()["status"] == 404
        assert {"type", "title", "detail"} <= set(answer.json())
        assert answer.headers["x-should-retry"] == "false"


def test_a_score_may_come_before_the_first_event(http: httpx2.Client, fresh: Fresh) -> None:
    use_case = fresh("early")
    define(http, use_case, "k")
    assert http.put(f"{INSTANCES}/{use_case}/first/kpis/k", json={"score": 2}).status_code == 200
    headers = {"xProxy-UseCase-Name": use_case, "xProxy-UseCase-ID": "first"}
    http.post("/api/v1/ingest", json=event(), headers=headers)
    found = summary(http, use_case)
    assert (found["instances"], found["calls"]) == (1, 1)


def test_averages_in_the_summary(http: httpx2.Client, fresh: Fresh) -> None:
    use_case = fresh("average")
    define(http, use_case, "solved", "boolean", 0.25)
    define(http, use_case, "unused", "likert5", 4)
    for index, value in enumerate([True, False, False, True, True]):
        http.put(f"{INSTANCES}/{use_case}/i{index}/kpis/solved", json={"score": value})
    found = summary(http, use_case)
    solved, unused = found["kpis"]
    assert (solved["kpi_name"], solved["kpi_type"], solved["goal"]) == ("solved", "boolean", 0.25)
    assert (solved["average"], solved["scores"]) == (pytest.approx(0.6), 5)
    assert (unused["kpi_name"], unused["average"], unused["scores"]) == ("unused", None, 0)
    assert found["instances"] == 5
