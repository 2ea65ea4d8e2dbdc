"""Definitions, instances, experiences and stored requests over plain HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.server.conftest import code, event, stored

Fresh = Callable[[str], str]
DEFINITIONS, INSTANCES = "/api/v1/use_cases/definitions", "/api/v1/use_cases/instances"


def define(http: httpx2.Client, name: str, **more: Any) -> httpx2.Response:
    return http.post(DEFINITIONS, json={"name": name, "description": "d", **more})


def test_defining_is_idempotent(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("defined")
    for _ in range(2):
        answer = define(http, name)
        assert answer.status_code in {200, 201}
        assert (answer.json()["name"], answer.json()["type_version"]) == (name, 1)
        assert answer.json()["request_id"]
    http.post(f"{DEFINITIONS}/{name}/increment_version")
    assert define(http, name).json()["type_version"] == 2
    assert len(http.get(DEFINITIONS, params={"use_case_name": name}).json()["items"]) == 1


def test_a_definition_changes_and_goes(http: httpx2.Client, fresh: Fresh) -> None:
    path = f"{DEFINITIONS}/{fresh('changing')}"
    define(http, path.rsplit("/", 1)[1])
    changed = http.put(path, json={"description": "new", "logging_enabled": True})
    assert changed.status_code in {200, 204}
    read = http.get(path).json()
    assert (read["description"], read["logging_enabled"], read["type_version"]) == ("new", True, 1)
    assert http.delete(path).status_code == 200
    for gone in (http.get(path), http.put(path, json={}), http.delete(path)):
        assert (gone.status_code, code(gone)) == (404, "use_case_not_found")
    assert code(http.post(f"{path}/increment_version")) == "use_case_not_found"


def test_what_was_spent_outlives_its_definition(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("spent")
    http.post("/api/v1/ingest", json=event(), headers={"xProxy-UseCase-Name": name})
    http.delete(f"{DEFINITIONS}/{name}")
    assert len(stored(http, name)) == 1


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "a/b", "ä", "tab\n"])
def test_names_are_checked(name: str, http: httpx2.Client) -> None:
    answer = define(http, name)
    assert (answer.status_code, code(answer)) == (400, "invalid_use_case_name")


def test_a_longest_name_with_every_character(http: httpx2.Client) -> None:
    assert define(http, "Chat-Bot_1.0" + "x" * 52).status_code in {200, 201}


def test_instances_keep_the_version_they_began_with(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("versions")
    first = http.post(f"{INSTANCES}/{name}").json()
    http.post(f"{DEFINITIONS}/{name}/increment_version")
    second = http.post(f"{INSTANCES}/{name}").json()
    assert (first["type_version"], second["type_version"]) == (1, 2)
    assert http.get(f"{INSTANCES}/{name}/{first['use_case_id']}").json()["type_version"] == 1
    headers = {"xProxy-UseCase-Name": name, "xProxy-UseCase-Version": "1"}
    http.post("/api/v1/ingest", json=event(), headers=headers)
    assert [kept["use_case_version"] for kept in stored(http, name)] == [1]


def test_a_wrong_version_is_named(http: httpx2.Client) -> None:
    headers = {"xProxy-UseCase-Name": "any", "xProxy-UseCase-Version": "latest"}
    answer = http.post("/api/v1/ingest", json=event(), headers=headers)
    assert answer.status_code == 400
    assert "latest" in answer.json()["message"]


@pytest.mark.parametrize("use_case_id", ["plain", "a/b c?d#e%2F", "kpi", "ü😀", ".."])
def test_any_id_is_an_id(use_case_id: str, http: httpx2.Client, fresh: Fresh) -> None:
    name, segment = fresh("ids"), quote(use_case_id, safe="").replace("..", "%2E%2E")
    made = http.post(f"{INSTANCES}/{name}", params={"use_case_id": use_case_id})
    assert made.status_code in {200, 201}
    read = http.get(f"{INSTANCES}/{name}/{segment}").json()
    assert (read["use_case_name"], read["use_case_id"]) == (name, use_case_id)
    assert http.delete(f"{INSTANCES}/{name}/{segment}").status_code == 200
    gone = http.get(f"{INSTANCES}/{name}/{segment}")
    assert (gone.status_code, code(gone)) == (404, "use_case_instance_not_found")


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("named", [True, False])
def test_properties_of_both_generations(method: str, named: bool, http: httpx2.Client, fresh: Fresh) -> None:
    if named and method == "POST":
        method = "PUT"
    name, use_case_id = fresh("properties"), fresh("id")
    http.post(f"{INSTANCES}/{name}", params={"use_case_id": use_case_id})
    path = f"{INSTANCES}/{name}/{use_case_id}" if named else f"{INSTANCES}/{use_case_id}"
    answer = http.request(method, f"{path}/properties", json={"properties": {"a": "1", "b": None}})
    assert answer.status_code == 200
    assert answer.json()["use_case_id"] == use_case_id
    unknown = http.request(method, f"{INSTANCES}/nobody/properties", json={"properties": {}})
    assert (unknown.status_code, code(unknown)) == (404, "use_case_instance_not_found")


def test_the_older_paths_find_an_instance_by_id_alone(http: httpx2.Client, fresh: Fresh) -> None:
    name, use_case_id = fresh("older"), fresh("id")
    http.post(f"{INSTANCES}/{name}", params={"use_case_id": use_case_id})
    assert http.get(f"{INSTANCES}/{use_case_id}").json()["use_case_name"] == name
    assert http.delete(f"{INSTANCES}/{use_case_id}").status_code == 200
    assert code(http.get(f"{INSTANCES}/{use_case_id}")) == "use_case_instance_not_found"


def test_experiences(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("experience")
    types, instances = "/api/v1/experiences/types", "/api/v1/experiences/instances"
    made = http.post(types, json={"name": name, "description": "d"})
    assert made.status_code in {200, 201}
    assert (made.json()["name"], made.json()["description"]) == (name, "d")
    for method in ("PATCH", "PUT"):
        assert http.request(method, f"{types}/{name}", json={"description": method}).status_code in {200, 204}
        assert http.get(f"{types}/{name}").json()["description"] == method
    experience_id = http.post(f"{instances}/{name}").json()["experience_id"]
    assert http.get(f"{instances}/{experience_id}").json()["experience_id"] == experience_id
    properties = http.post(f"{instances}/{experience_id}/properties", json={"properties": {"a": "1"}})
    assert properties.status_code == 200
    assert http.get(f"{DEFINITIONS}/{name}").status_code == 200
    assert http.delete(f"{instances}/{experience_id}").status_code == 200
    assert code(http.get(f"{instances}/{experience_id}")) == "experience_instance_not_found"
    assert http.delete(f"{types}/{name}").status_code == 200
    assert code(http.get(f"{types}/{name}")) == "experience_type_not_found"


def test_requests_by_both_ids(http: httpx2.Client, fresh: Fresh) -> None:
    name, response_id = fresh("requests"), fresh("resp/1")
    body = event(provider_response_id=response_id, properties={"keep": "1", "change": "1"})
    made = http.post("/api/v1/ingest", json=body, headers={"xProxy-UseCase-Name": name}).json()
    by_id = f"/api/v1/requests/{made['request_id']}"
    by_response = f"/api/v1/requests/provider/system.openai/{quote(response_id, safe='')}"
    for path in (by_id, by_response):
        result = http.get(f"{path}/result").json()["xproxy_result"]
        assert result["request_id"] == made["request_id"]
        assert result["cost"] == made["xproxy_result"]["cost"]
    for path, changes in ((by_id, {"change": "2"}), (by_response, {"change": None, "new": "3"})):
        assert http.put(f"{path}/properties", json={"properties": changes}).status_code == 200
    (kept,) = stored(http, name)
    assert kept["properties"].get("keep") == "1"
    assert kept["properties"].get("change") is None
    assert kept["properties"].get("new") == "3"


@pytest.mark.parametrize("path", ["nobody", "provider/system.openai/nobody"])
def test_unknown_requests(path: str, http: httpx2.Client) -> None:
    for answer in (
        http.get(f"/api/v1/requests/{path}/result"),
        http.put(f"/api/v1/requests/{path}/properties", json={"properties": {}}),
    ):
        assert answer.status_code == 404
        assert code(answer)


def test_pages(http: httpx2.Client, fresh: Fresh) -> None:
    use_case = fresh("pages")
    names = [f"k{index}" for index in range(5)]
    path = f"{DEFINITIONS}/{use_case}/kpis"
    for name in names:
        body = {"name": name, "description": "d", "kpi_type": "number", "goal": 1}
        assert http.post(path, json=body).status_code in {200, 201}

    def walk(**params: Any) -> list[list[str]]:
        pages: list[list[str]] = []
        cursor: str | None = None
        while True:
            page = http.get(path, params={**params, **({"cursor": cursor} if cursor else {})}).json()
            assert page["request_id"]
            pages.append([item["name"] for item in page["items"]])
            cursor = page.get("cursor")
            if cursor is None:
                return pages

    up = walk(limit=2, sort_ascending="true")
    down = walk(limit=2, sort_ascending="false")
    assert [len(page) for page in up] == [2, 2, 1]
    assert [name for page in up for name in page] == names
    assert [name for page in down for name in page] == names[::-1]
    assert walk(limit=5) in ([names], [names[::-1]])
    for wrong in ({"cursor": "nonsense"}, {"limit": "0"}, {"limit": "many"}):
        answer = http.get(path, params=wrong)
        assert answer.status_code == 400
        assert next(iter(wrong.values())) in answer.json()["message"]
