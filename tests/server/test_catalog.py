"""Own prices, what events are priced as, value policies and reports."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from payi_otel.server.value import Facts, evaluate, problem_of
from tests.server.conftest import code, event

Fresh = Callable[[str], str]
CATEGORIES = "/api/v1/categories"


def cost(http: httpx2.Client, **changes: Any) -> dict[str, Any]:
    headers = changes.pop("headers", {})
    return http.post("/api/v1/ingest", json=event(**changes), headers=headers).json()["xproxy_result"]


def test_the_version_at_the_time_of_the_event_counts(http: httpx2.Client, fresh: Fresh) -> None:
    category, resource = fresh("acme"), "org/model:1"
    path = f"{CATEGORIES}/{category}/resources/{quote(resource, safe='')}"
    for price, start in ((1e-6, "2026-01-01"), (2e-6, "2026-02-01"), (3e-6, "2026-02-01")):
        body = {"units": {"text": {"input_price": price}}, "start_timestamp": f"{start}T00:00:00Z"}
        assert http.post(path, json=body).json()["resource"] == resource
    used = {"category": category, "resource": resource, "units": {"text": {"input": 1_000_000}}}
    by_time = {
        at: cost(http, **used, event_timestamp=at)["cost"]["total"]["base"]
        for at in (
            "2025-12-31T23:59:59Z",
            "2026-01-01T00:00:00Z",
            "2026-02-01T00:00:00Z",
            "2026-03-01T00:00:00Z",
        )
    }
    # Before the first version there is no price; of two with one start the later made counts.
    assert [*by_time.values()] == [0, 1, 3, 3]
    unpriced = cost(http, **used, event_timestamp="2025-01-01T00:00:00Z")
    assert unpriced["unknown_units"] == {"text": {"input": 1_000_000, "output": 0}}
    versions = http.get(path).json()["items"]
    assert [version["active"] for version in versions] == [True, False, False]
    assert [
        version["resource_id"] for version in http.get(path, params={"Active": "true"}).json()["items"]
    ] == [cost(http, **used)["resource_id"]]
    assert http.get(f"{path}/{versions[0]['resource_id']}").json() == versions[0]
    assert (
        http.delete(f"{path}/{versions[0]['resource_id']}").json()["resource_id"]
        == versions[0]["resource_id"]
    )
    assert cost(http, **used)["cost"]["total"]["base"] == 2
    assert {"category": category} in http.get(CATEGORIES, params={"limit": 1000}).json()["items"]
    assert len(http.delete(path).json()) == 2
    assert code(http.get(path)) == "category_resource_not_found"
    assert code(http.delete(f"{CATEGORIES}/{category}")) == "category_not_found"


def test_units_without_an_own_price_are_told(http: httpx2.Client, fresh: Fresh) -> None:
    category = fresh("acme")
    http.post(f"{CATEGORIES}/{category}/resources/m", json={"units": {"text": {"input_price": 1e-7}}})
    result = cost(
        http, category=category, resource="m", units={"text": {"input": 3, "output": 1}, "other": 5}
    )
    assert result["cost"]["total"]["base"] == 3e-7
    assert result["unknown_units"] == {"text": {"input": 0, "output": 1}, "other": {"input": 5, "output": 0}}
    assert [warning.split(":")[0] for warning in result["warnings"]] == ["unknown_unit", "unknown_unit"]


def test_an_event_is_priced_as_something_else(http: httpx2.Client, fresh: Fresh) -> None:
    category = fresh("negotiated")
    http.post(
        f"{CATEGORIES}/{category}/resources/cheap",
        json={"units": {"text": {"input_price": 1, "output_price": 0}}},
    )
    headers = {"xProxy-PriceAs-Category": category, "xProxy-PriceAs-Resource": "cheap"}
    assert cost(http, headers=headers)["cost"]["total"]["base"] == 1000


def test_managed_prices_are_listed_and_stay(http: httpx2.Client) -> None:
    listed = http.get(f"{CATEGORIES}/system.openai/resources", params={"limit": 1000}).json()["items"]
    (mini,) = [version for version in listed if version["resource"] == "gpt-4o-mini"]
    assert mini["units"]["text"] == {"input_price": 1.5e-7, "output_price": 6e-7}
    path = f"{CATEGORIES}/system.openai/resources/gpt-4o-mini"
    version = f"{path}/{quote(mini['resource_id'], safe='')}"
    assert http.get(version).json() == mini
    for refused in (http.delete(version), http.delete(path), http.delete(f"{CATEGORIES}/system.openai")):
        assert refused.status_code == 403
        assert "managed" in refused.json()["message"]


@pytest.mark.parametrize(
    "body", [{"units": {}}, {"units": {"text": {"input_price": -1}}}, {"units": {"text": {"price": 1}}}, {}]
)
def test_prices_are_checked(body: dict[str, Any], http: httpx2.Client) -> None:
    assert http.post(f"{CATEGORIES}/c/resources/r", json=body).status_code == 400


def test_copilot_is_refused_clearly(http: httpx2.Client) -> None:
    for kind in ("transcripts", "licensing"):
        answer = http.post(f"/api/v1/ingest/copilot/{kind}", json={})
        assert (answer.status_code, answer.headers["x-should-retry"]) == (501, "false")
        assert "/api/v1/ingest" in answer.json()["message"]


def test_value_and_return_of_a_use_case(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("valued")
    instance = f"/api/v1/use_cases/instances/{name}"
    kpi = {"name": "Solved It", "description": "d", "kpi_type": "boolean", "goal": 1}
    http.post(f"/api/v1/use_cases/definitions/{name}/kpis", json=kpi)
    for use_case_id in ("a", "b"):
        headers = {"xProxy-UseCase-Name": name, "xProxy-UseCase-ID": use_case_id}
        http.post("/api/v1/ingest", json=event(), headers=headers)
    assert http.get(f"{instance}/a/value").json() == {"money": None, "time": None}
    policy = {
        "money": "kpis['Solved It'] * wage",
        "time": "12 if requests > 0 else 0",
        "constants": {"wage": 0.0045},
    }
    path = f"/api/v1/local/use_cases/{name}/value_policy"
    assert http.put(path, json=policy).json()["money"] == policy["money"]
    assert http.get(f"{instance}/a/value").json() == {"money": None, "time": 12}
    http.put(f"{instance}/a/kpis/{quote('Solved It')}", json={"score": True})
    assert http.get(f"{instance}/a/value").json() == {"money": 0.0045, "time": 12}
    total = http.get(f"/api/v1/local/use_cases/{name}/value").json()
    assert (total["instances"], total["valued"], total["money"], total["cost"]) == (2, 1, 0.0045, 0.0009)
    assert total["roi"] == pytest.approx(4)
    assert code(http.get(f"{instance}/nobody/value")) == "use_case_instance_not_found"
    http.delete(path)
    assert http.get(path).json()["money"] is None


@pytest.mark.parametrize(
    "attack",
    [
        "__import__('os')", "().__class__", "kpis.get", "(lambda: 1)()", "[1 for _ in (1,)]", "'a' * 9", "open",
        "f'{cost}'", "cost if", "nobody", "max(cost, key=min)", "kpis[0]", "1 << 9", "(" * 999, "{}", "cost := 1",
        "-" * 999 + "1", "1" + "+1" * 999, "max(kpis) % 9", "min", "kpis",
    ],
)  # fmt: skip
def test_an_expression_reaches_nothing_else(attack: str, http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("attacked")
    http.post(f"/api/v1/use_cases/instances/{name}")
    assert problem_of(attack, {})
    answer = http.put(f"/api/v1/local/use_cases/{name}/value_policy", json={"money": attack})
    assert (answer.status_code, code(answer)) == (400, "invalid_value_policy")


@pytest.mark.parametrize(
    "endless", ["9**9**9**9", "1 / 0", "max(1)", "(-cost) ** 0.5", "1e308 * 10", "max()"]
)
def test_what_has_no_value_is_none(endless: str) -> None:
    assert problem_of(endless, {}) is None
    assert evaluate(endless, {}, Facts({}, {"cost": 2.0})) is None


@pytest.mark.parametrize(
    ("bomb", "value"),
    [
        ("3999999**3999999", None),
        ("3999999**3999999 * 0", None),
        ("round(5, -10**12)", 0),
        ("round(2.345, 2)", 2.35),
        ("round(cost)", 2),
        ("round(cost, 10**12)", 2),
        ("2**10 - 7 % 4", 1021),
    ],
)
def test_no_expression_takes_long(bomb: str, value: float | None) -> None:
    """Whole numbers of millions of digits would keep the whole server busy."""
    assert problem_of(bomb, {}) is None
    began = time.perf_counter()
    assert evaluate(bomb, {}, Facts({}, {"cost": 2.0})) == pytest.approx(value)
    assert time.perf_counter() - began < 1


def test_an_expression_that_is_accepted_has_a_value(http: httpx2.Client, fresh: Fresh) -> None:
    """However deep: it is evaluated far down the stack of a server."""
    name = fresh("deep")
    http.post(f"/api/v1/use_cases/instances/{name}", params={"use_case_id": "one"})
    depth = next(depth for depth in range(999, 0, -1) if problem_of("-" * depth + "1", {}) is None)
    deepest = "-" * (2 * (depth // 2)) + "1"
    assert (
        http.put(f"/api/v1/local/use_cases/{name}/value_policy", json={"money": deepest}).status_code == 200
    )
    assert http.get(f"/api/v1/use_cases/instances/{name}/one/value").json()["money"] == 1


def test_a_report_over_hours_and_over_requests(http: httpx2.Client, fresh: Fresh) -> None:
    name, report = fresh("reported"), fresh("report")
    for at, user in (
        ("2026-10-01T10:59:59Z", "=jane"),
        ("2026-10-01T11:00:00Z", "bob"),
        ("2026-10-02T00:00:00Z", "bob"),
    ):
        headers = {"xProxy-UseCase-Name": name, "xProxy-User-ID": user}
        http.post(
            "/api/v1/ingest", json=event(event_timestamp=at, end_to_end_latency_ms=100), headers=headers
        )

    def run(body: dict[str, Any], **period: str) -> list[dict[str, str]]:
        assert http.put(f"/api/v1/local/reports/{report}", json=body).status_code == 200
        answer = http.get(f"/api/v1/reports/{report}", params=period)
        assert answer.headers["content-type"].startswith("text/csv")
        lines = list(csv.DictReader(io.StringIO(answer.text)))
        return [line for line in lines if line.pop("UseCase") == name]

    by_day = {"pivots": ["Day", "Use Case"], "values": ["Spend", "Requests", "Average Latency"]}
    first = {"DateDay": "2026-10-01", "Spend": "0.0009", "Requests": "2", "AverageLatency": "100.0"}
    assert run(by_day)[0] == first
    assert len(run(by_day)) == 2
    # Not on the hour, so from the requests themselves: `from` is inclusive, `to` is not.
    period = {"from": "2026-10-01T10:59:59Z", "to": "2026-10-01T11:00:00Z"}
    assert [line["Requests"] for line in run(by_day, **period)] == ["1"]
    assert run(by_day, **{"from": "2026-10-01T00:00:00Z", "to": "2026-10-02T00:00:00Z"}) == [first]
    http.post(
        "/api/v1/ingest",
        json=event(event_timestamp="2026-10-03T00:00:00Z", units={"text": {"input": 1, "output": 0}}),
        headers={"xProxy-UseCase-Name": name},
    )
    small = run(by_day, **{"from": "2026-10-03T00:00:00Z", "to": "2026-10-04T00:00:00Z"})
    assert [line["Spend"] for line in small] == ["0.00000015"]
    each = run({"pivots": ["Use Case", "User"], "values": ["Request: Latency", "Spend"]})
    assert [line["RequestLatency"] for line in each] == ["100", "100", "100", ""]
    assert [line["User"] for line in each] == ["'=jane", "bob", "bob", ""]
    wrong = http.put(f"/api/v1/local/reports/{report}", json={"pivots": ["Colour"], "values": ["Spend"]})
    assert "Colour" in wrong.json()["message"]
    http.delete(f"/api/v1/local/reports/{report}")
    assert code(http.get(f"/api/v1/reports/{report}")) == "report_not_found"
