"""The guide's use case of advertisements beside the month: its KPIs, and the numbers the guide shows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2

from payi_otel.server.main import RunningServer

IMAGE_AD = "image-ad"
CLICKS, VALUE, SATISFACTION = "Clickthrough Rate", "Conversion $ / Value", "Customer Satisfaction"
RUNS = 172


def send_guide(server: RunningServer, now: datetime) -> None:
    """172 advertisements, of which nine are clicked: 5.23 % of them, against a goal of 5 %."""
    headers = {"xProxy-api-key": server.api_key}
    with httpx2.Client(base_url=server.url, headers=headers, timeout=120) as http:
        path = f"/api/v1/use_cases/definitions/{IMAGE_AD}/kpis"
        for name, kpi_type, goal in (
            (CLICKS, "boolean", 0.05),
            (VALUE, "number", 10.0),
            (SATISFACTION, "likert5", 3.5),
        ):
            body = {"name": name, "kpi_type": kpi_type, "goal": goal, "description": ""}
            _sent(http.post(path, json=body))
        events: list[dict[str, Any]] = [
            {
                "category": "system.openai",
                "resource": "gpt-4o-mini",
                "units": {"text": {"input": 3000, "output": 900}},
                "event_timestamp": (now - timedelta(hours=number * 4)).isoformat(),
                "use_case_name": IMAGE_AD,
                "use_case_id": f"ad-{number}",
                "use_case_properties": {"model": "gpt-4o" if number % 3 else "gpt-5"},
                "provider_response_id": f"ad-{number}",
            }
            for number in range(RUNS)
        ]
        _sent(http.post("/api/v1/ingest/bulk", json=events))
        for number in range(RUNS):
            is_clicked = number % 19 == 0 and number < 9 * 19
            _score(http, number, CLICKS, is_clicked)
            if number < 60:
                # Nine values with an average of 12.47.
                _score(
                    http, number, VALUE, round(12.47 + 2.8 * (number % 9 - 4), 2) if number < 54 else 12.47
                )
                _score(http, number, SATISFACTION, (5, 4, 3, 4, 3.25)[number % 5])


def _score(http: httpx2.Client, number: int, name: str, score: Any) -> None:
    path = f"/api/v1/use_cases/instances/{IMAGE_AD}/ad-{number}/kpis/{quote(name, safe='')}"
    _sent(http.put(path, json={"score": score}))


def _sent(answer: httpx2.Response) -> httpx2.Response:
    assert answer.status_code < 300, f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
    return answer
