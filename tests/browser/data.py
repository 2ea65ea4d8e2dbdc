"""A month of a company's GenAI features, sent through the server's real API: what the portal's tests look at.

The features are the demo's, with one more so that there is a KPI of each type. Everything follows from one seed and
the present, so that the last thirty days always have it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import httpx2

DAYS = 30
UNPRICED = "house-llm-2"
NEARLY_SPENT, OVERRUN, BLOCKING = "Gold customers", "Trial accounts", "Research budget"
REPORT = "Monthly spend by use case"
VERSION_2_DAY = 18
"""How many days ago `support_chat` turned to its second version."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Kpi:
    """A KPI: its type, its goal, and the scores that instances get."""

    name: str
    kpi_type: str
    goal: float
    description: str


@dataclass(frozen=True, slots=True)
class Feature:
    """A use case: what its calls are like."""

    name: str
    description: str
    category: str
    models: Sequence[str]
    steps: Sequence[str]
    a_day: int
    tokens: int
    kpis: Sequence[Kpi]


FEATURES = (
    Feature(
        "support_chat",
        "Answers customers before a human does",
        "system.openai",
        ("gpt-4o-mini", "gpt-4.1"),
        ("understand", "answer"),
        12,
        1800,
        (
            Kpi("solved", "boolean", 0.6, "Solved without a human"),
            Kpi("satisfaction", "likert5", 4.0, "Stars the customer gave"),
        ),
    ),
    Feature(
        "research_brief",
        "Two pages on any topic, with sources",
        "system.anthropic",
        ("claude-haiku-4-5", "claude-sonnet-4-5"),
        ("search", "read", "write"),
        4,
        14000,
        (Kpi("quality", "likert10", 8.0, "The editor's rating"),),
    ),
    Feature(
        "claims_agent",
        "Reads claims and proposes what to pay",
        "system.openai",
        ("gpt-4.1",),
        ("read", "decide"),
        5,
        6000,
        (Kpi("minutes_saved", "number", 20.0, "Work a clerk did not have to do"),),
    ),
    Feature(
        "document_index",
        "Makes manuals searchable",
        "system.openai",
        ("text-embedding-3-small",),
        ("embed",),
        3,
        9000,
        (Kpi("coverage", "percentage", 95.0, "Documents that can be found"),),
    ),
    Feature(
        "autocomplete",
        "Finishes the author's sentence",
        "system.openai",
        ("gpt-4o-mini",),
        ("complete",),
        10,
        300,
        (Kpi("accepted", "boolean", 0.3, "Completions the author kept"),),
    ),
    Feature(
        "translation",
        "Product texts in nine languages",
        "system.anthropic",
        ("claude-haiku-4-5",),
        ("translate",),
        4,
        2500,
        (Kpi("fluency", "likert7", 5.5, "The reviewer's rating"),),
    ),
)
USERS = tuple(
    f"{name}@example.com" for name in ("ada", "ben", "chiara", "dmitri", "eun-ji", "farid", "grace")
)
ACCOUNTS = ("Northwind", "Contoso", "Fabrikam", "Tailspin Toys")


@dataclass(frozen=True, slots=True)
class Month:
    """What was sent: its end, how many calls, the limits' ids by name, and an instance's id of each use case."""

    now: datetime
    calls: int
    limits: dict[str, str]
    instances: dict[str, str]


def fill(url: str, api_key: str) -> Month:
    """Send the month to a server."""
    chance = random.Random(6)
    now = datetime.now(timezone.utc).replace(microsecond=0)
    with httpx2.Client(base_url=url, headers={"xProxy-api-key": api_key}, timeout=120) as http:
        for feature in FEATURES:
            _define(http, feature)
        limits = _limits(http)
        events: list[dict[str, Any]] = []
        instances: dict[str, str] = {}
        scores: list[tuple[Feature, str, Kpi, float]] = []
        for ago in range(DAYS - 1, -1, -1):
            for feature in FEATURES:
                for number in range(_a_day(feature, ago, now, chance)):
                    instance = f"{feature.name}-{ago:02d}-{number}"
                    at = _earlier_that_day(now - timedelta(days=ago), chance.randrange(0, 600))
                    events += _calls(chance, feature, instance, at, ago, limits)
                    instances[feature.name] = instance
                    if chance.random() < 0.6:
                        scores += [(feature, instance, kpi, _score(chance, kpi, ago)) for kpi in feature.kpis]
        for first in range(0, len(events), _AT_ONCE):
            _sent(http.post("/api/v1/ingest/bulk", json=events[first : first + _AT_ONCE]))
        for feature, instance, kpi, score in scores:
            path = f"/api/v1/use_cases/instances/{feature.name}/{instance}/kpis/{quote(kpi.name, safe='')}"
            _sent(http.put(path, json={"score": score}))
        _rest(http, limits)
    return Month(now, len(events), limits, instances)


def _define(http: httpx2.Client, feature: Feature) -> None:
    _sent(
        http.post(
            "/api/v1/use_cases/definitions",
            json={"name": feature.name, "description": feature.description, "logging_enabled": True},
        )
    )
    for kpi in feature.kpis:
        body = {"name": kpi.name, "kpi_type": kpi.kpi_type, "goal": kpi.goal, "description": kpi.description}
        _sent(http.post(f"/api/v1/use_cases/definitions/{feature.name}/kpis", json=body))


def _limits(http: httpx2.Client) -> dict[str, str]:
    wanted = {
        NEARLY_SPENT: {"max": 1000, "threshold": 0.8},
        OVERRUN: {"max": 1},
        BLOCKING: {"max": 250, "limit_type": "block", "threshold": 0.9},
    }
    found: dict[str, str] = {}
    for name, body in wanted.items():
        answer = _sent(http.post("/api/v1/limits", json={"limit_name": name, **body})).json()
        found[name] = answer["limit"]["limit_id"]
    return found


def _rest(http: httpx2.Client, limits: dict[str, str]) -> None:
    path = f"/api/v1/limits/{limits[NEARLY_SPENT]}"
    spent = _sent(http.get(path)).json()["limit"]["totals"]["cost"]["total"]["base"]
    _sent(http.put(path, json={"max": round(spent / 0.86, 2)}))
    policy = {
        "money": 'kpis["solved"] * wage - cost',
        "time": '12 if kpis["solved"] else 0',
        "constants": {"wage": 4.5},
    }
    _sent(http.put("/api/v1/local/use_cases/support_chat/value_policy", json=policy))
    report = {"pivots": ["Month", "Use Case"], "values": ["Spend", "Requests"]}
    _sent(http.put(f"/api/v1/local/reports/{quote(REPORT)}", json=report))
    price = {
        "units": {"text": {"input_price": 1.2e-7, "output_price": 4.8e-7}},
        "start_timestamp": "2026-01-01T00:00:00Z",
    }
    _sent(http.post("/api/v1/categories/example.inhouse/resources/house-llm-1", json=price))


def _earlier_that_day(at: datetime, minutes: int) -> datetime:
    """So many minutes before, but not the day before, which a portal of the last thirty days does not show."""
    return max(at - timedelta(minutes=minutes), at.replace(hour=0, minute=0, second=0))


def _a_day(feature: Feature, ago: int, now: datetime, chance: random.Random) -> int:
    weekend = (now - timedelta(days=ago)).weekday() >= 5
    growth = 1 + (DAYS - ago) / DAYS
    return max(1, round(feature.a_day * growth * (0.3 if weekend else 1) * chance.uniform(0.6, 1.1) / 1.6))


def _calls(
    chance: random.Random,
    feature: Feature,
    instance: str,
    at: datetime,
    ago: int,
    limits: dict[str, str],
) -> list[dict[str, Any]]:
    is_second = feature.name == "support_chat" and ago < VERSION_2_DAY
    user, account = chance.choice(USERS), chance.choice(ACCOUNTS)
    properties = {"tier": chance.choice(("gold", "gold", "silver")), "region": chance.choice(("EU", "US"))}
    found: list[dict[str, Any]] = []
    for number, step in enumerate(feature.steps):
        model = chance.choice(feature.models)
        tokens = int(feature.tokens * chance.uniform(0.3, 1.9) * (0.7 if is_second else 1))
        latency = int(chance.lognormvariate(6.9, 0.5))
        failed = chance.random() < 0.03
        unpriced = feature.name == "document_index" and chance.random() < 0.2
        event: dict[str, Any] = {
            "category": feature.category,
            "resource": UNPRICED if unpriced else model,
            "units": {"text": {"input": tokens, "output": 0 if failed or step == "embed" else tokens // 6}},
            "event_timestamp": (at + timedelta(seconds=number * 4)).isoformat(),
            "end_to_end_latency_ms": latency,
            "time_to_first_token_ms": latency // 4,
            "http_status_code": 429 if failed else 200,
            "use_case_name": feature.name,
            "use_case_id": instance,
            "use_case_version": 2 if is_second else 1,
            "use_case_step": step,
            "user_id": user,
            "account_name": account,
            "provider_response_id": f"{instance}-{number}",
            "use_case_properties": properties,
            "properties": {"system.usage_source": "estimated"} if chance.random() < 0.01 else {},
        }
        if ago < 2:
            event |= _said(feature, step)
        event["limit_ids"] = [limits[name] for name in _limits_of(properties, account)]
        found.append(event)
    return found


def _limits_of(properties: dict[str, str], account: str) -> list[str]:
    gold = [NEARLY_SPENT] if properties["tier"] == "gold" else []
    return gold + ([OVERRUN] if account == ACCOUNTS[-1] else [])


def _said(feature: Feature, step: str) -> dict[str, Any]:
    prompt = {"messages": [{"role": "user", "content": f"{step}, please: {feature.description.lower()}"}]}
    answer = {
        "choices": [{"message": {"role": "assistant", "content": "Here it is. <b>Not bold</b> & done."}}]
    }
    headers = [{"name": "x-request-id", "value": "req_8f21"}, {"name": "set-cookie", "value": "session=abc"}]
    return {
        "provider_request_json": json.dumps(prompt),
        "provider_response_json": json.dumps(answer),
        "provider_response_headers": headers,
    }


def _score(chance: random.Random, kpi: Kpi, ago: int) -> float:
    """Scores that get better with time."""
    better = (DAYS - ago) / DAYS
    if kpi.kpi_type == "boolean":
        return float(chance.random() < kpi.goal - 0.1 + 0.25 * better)
    if kpi.kpi_type == "percentage":
        return round(min(100.0, chance.gauss(kpi.goal - 3 + 4 * better, 3)), 1)
    if kpi.kpi_type == "number":
        return round(max(0.0, chance.lognormvariate(2.6 + 0.5 * better, 0.5)), 1)
    top = int(kpi.kpi_type.removeprefix("likert"))
    return float(min(top, max(1, round(chance.gauss(kpi.goal - 0.5 + 0.7 * better, top / 7)))))


def _sent(answer: httpx2.Response) -> httpx2.Response:
    assert answer.status_code < 300, f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
    return answer
