"""What a case of the endpoint tables is, and the answers the cases share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

INSTANCE = {"use_case_id": "i", "use_case_name": "u"}
DEFINITION = {"name": "u", "description": "d", "request_id": "q", "type_version": 2}
KPI = {"name": "k", "description": "d", "request_id": "q", "kpi_type": "boolean", "goal": 0.25}
COST = {"input": {"base": 0.1}, "output": {"base": 0.2}, "total": {"base": 0.3, "overrun_base": 0.0}}
COUNTS = dict.fromkeys(("ok", "exceeded", "overrun", "blocked", "blocked_external", "failed", "total"), 1)
LIMIT = {
    "limit_id": "l",
    "limit_name": "n",
    "limit_type": "allow",
    "max": 10.0,
    "limit_creation_timestamp": "2026-01-01T00:00:00.1234567Z",
    "limit_update_timestamp": "2026-01-01T00:00:00Z",
    "totals": {"cost": COST, "requests": COUNTS},
}
LIMIT_RESPONSE = {"limit": LIMIT, "request_id": "q"}
VERSION = {
    "active": True,
    "category": "c",
    "proxy_allowed": True,
    "resource": "r",
    "resource_id": "v",
    "start_timestamp": "2026-01-01T00:00:00Z",
    "units": {"text": {"input_price": 1e-6, "output_price": 2e-6}},
}
RESULT = {"xproxy_result": {"request_id": "q", "cost": COST}}
INGESTED = {
    "request_id": "q",
    "event_timestamp": "2026-01-01T00:00:00Z",
    "ingest_timestamp": "2026-01-01T00:00:01Z",
    "xproxy_result": {"use_case_id": "i"},
}
BULK = {"request_id": "q", "ingest_timestamp": "2026-01-01T00:00:01Z", "ingest_count": 1}
EVENT = {"category": "c", "units": {"text": {"input": 1, "output": 2}}, "provider_response_id": "p"}
WHEN = datetime(2026, 1, 2, tzinfo=timezone.utc)
PAGING = {"cursor": "x", "limit": 5, "sort_ascending": True}
PAGING_QUERY = {"cursor": "x", "limit": "5", "sort_ascending": "true"}


def page(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "cursor": None, "request_id": "q"}


@dataclass(frozen=True)
class Case:
    name: str
    call: Callable[[Any], Any]
    method: str
    path: str
    reply: Any
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


INSTANCES = "/api/v1/use_cases/instances"
DEFINITIONS = "/api/v1/use_cases/definitions"
