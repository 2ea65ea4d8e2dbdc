"""Every method of the client: how to call it, and what must then be on the wire."""

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

USE_CASES = [
    Case(
        "use_cases.create",
        lambda c: c.use_cases.create(use_case_name="u"),
        "POST",
        f"{INSTANCES}/u",
        INSTANCE,
    ),
    Case(
        "use_cases.create",
        lambda c: c.use_cases.create("u", use_case_id="i"),
        "POST",
        f"{INSTANCES}/u",
        INSTANCE,
        {"use_case_id": "i"},
    ),
    Case(
        "use_cases.retrieve",
        lambda c: c.use_cases.retrieve("i", use_case_name="u"),
        "GET",
        f"{INSTANCES}/u/i",
        INSTANCE,
    ),
    Case("use_cases.retrieve", lambda c: c.use_cases.retrieve("i"), "GET", f"{INSTANCES}/i", INSTANCE),
    Case(
        "use_cases.delete",
        lambda c: c.use_cases.delete("a/b c", use_case_name="u"),
        "DELETE",
        f"{INSTANCES}/u/a%2Fb%20c",
        INSTANCE,
    ),
    Case(
        "use_cases.value",
        lambda c: c.use_cases.value("i", use_case_name="u"),
        "GET",
        f"{INSTANCES}/u/i/value",
        {"money": 2.5, "time": None},
    ),
    Case(
        "use_cases.properties.update",
        lambda c: c.use_cases.properties.update("i", use_case_name="u", properties={"a": 1, "b": None}),
        "PUT",
        f"{INSTANCES}/u/i/properties",
        INSTANCE,
        body={"properties": {"a": "1", "b": None}},
    ),
    Case(
        "use_cases.properties.create",
        lambda c: c.use_cases.properties.create(property_name="a", use_case_id="i", value="v"),
        "PUT",
        f"{INSTANCES}/i/properties",
        INSTANCE,
        body={"properties": {"a": "v"}},
    ),
    Case(
        "use_cases.properties.create",
        lambda c: c.use_cases.properties.create("i", properties={"a": "v"}, use_case_name="u"),
        "PUT",
        f"{INSTANCES}/u/i/properties",
        INSTANCE,
        body={"properties": {"a": "v"}},
    ),
    Case(
        "use_cases.kpis.update",
        lambda c: c.use_cases.kpis.update(
            "Conversion $ Value", use_case_name="u", use_case_id="i", score=10.14
        ),
        "PUT",
        f"{INSTANCES}/u/i/kpis/Conversion%20%24%20Value",
        b"",
        body={"score": 10.14},
    ),
    Case(
        "use_cases.kpis.create",
        lambda c: c.use_cases.kpis.create(kpi_name="k", use_case_id="i", score=True),
        "PUT",
        f"{INSTANCES}/i/kpis/k",
        b"",
        body={"score": True},
    ),
    Case(
        "use_cases.kpis.delete",
        lambda c: c.use_cases.kpis.delete("k", use_case_name="u", use_case_id="i"),
        "PUT",
        f"{INSTANCES}/u/i/kpis/k",
        b"",
        body={"score": None},
    ),
    Case(
        "use_cases.kpis.list",
        lambda c: c.use_cases.kpis.list("i", use_case_name="u", kpi_name="k", **PAGING),
        "GET",
        f"{INSTANCES}/u/i/kpis",
        page({"kpi_name": "k", "score": 1.0}),
        {"kpi_name": "k", **PAGING_QUERY},
    ),
    Case("use_cases.kpis.list", lambda c: c.use_cases.kpis.list("i"), "GET", f"{INSTANCES}/i/kpis", page()),
]

DEFINED = [
    Case(
        "use_cases.definitions.create",
        lambda c: c.use_cases.definitions.create(
            name="u",
            description="d",
            logging_enabled=False,
            limit_config={"max": 5, "limit_type": "block", "threshold": 0.8, "properties": {"a": "b"}},
        ),
        "POST",
        DEFINITIONS,
        DEFINITION,
        body={
            "name": "u",
            "description": "d",
            "logging_enabled": False,
            "limit_config": {"max": 5, "limit_type": "block", "threshold": 0.8, "properties": {"a": "b"}},
        },
    ),
    Case(
        "use_cases.definitions.retrieve",
        lambda c: c.use_cases.definitions.retrieve("u"),
        "GET",
        f"{DEFINITIONS}/u",
        DEFINITION,
    ),
    Case(
        "use_cases.definitions.update",
        lambda c: c.use_cases.definitions.update("u", description="e", logging_enabled=True),
        "PUT",
        f"{DEFINITIONS}/u",
        DEFINITION,
        body={"description": "e", "logging_enabled": True},
    ),
    Case(
        "use_cases.definitions.delete",
        lambda c: c.use_cases.definitions.delete("u"),
        "DELETE",
        f"{DEFINITIONS}/u",
        DEFINITION,
    ),
    Case(
        "use_cases.definitions.list",
        lambda c: c.use_cases.definitions.list(use_case_name="u", **PAGING),
        "GET",
        DEFINITIONS,
        page(DEFINITION),
        {"use_case_name": "u", **PAGING_QUERY},
    ),
    Case(
        "use_cases.definitions.increment_version",
        lambda c: c.use_cases.definitions.increment_version("u"),
        "POST",
        f"{DEFINITIONS}/u/increment_version",
        DEFINITION,
    ),
    Case(
        "use_cases.definitions.version.increment",
        lambda c: c.use_cases.definitions.version.increment("u"),
        "POST",
        f"{DEFINITIONS}/u/increment_version",
        DEFINITION,
    ),
    Case(
        "use_cases.definitions.limit_config.create",
        lambda c: c.use_cases.definitions.limit_config.create(
            "u", max=5, limit_type="allow", threshold=0.75, properties={"a": None}
        ),
        "POST",
        f"{DEFINITIONS}/u/limit_config",
        DEFINITION,
        body={"max": 5, "limit_type": "allow", "threshold": 0.75, "properties": {"a": None}},
    ),
    Case(
        "use_cases.definitions.limit_config.delete",
        lambda c: c.use_cases.definitions.limit_config.delete("u"),
        "DELETE",
        f"{DEFINITIONS}/u/limit_config",
        DEFINITION,
    ),
    Case(
        "use_cases.definitions.kpis.create",
        lambda c: c.use_cases.definitions.kpis.create(
            use_case_name="u", kpi_name="k", description="d", kpi_type="boolean", goal=0.25
        ),
        "POST",
        f"{DEFINITIONS}/u/kpis",
        KPI,
        body={"name": "k", "description": "d", "kpi_type": "boolean", "goal": 0.25},
    ),
    Case(
        "use_cases.definitions.kpis.create",
        lambda c: c.use_cases.definitions.kpis.create(
            "u", name="k", description="d", kpi_type="likert5", goal=4
        ),
        "POST",
        f"{DEFINITIONS}/u/kpis",
        KPI,
        body={"name": "k", "description": "d", "kpi_type": "likert5", "goal": 4},
    ),
    Case(
        "use_cases.definitions.kpis.retrieve",
        lambda c: c.use_cases.definitions.kpis.retrieve("100 %", use_case_name="u"),
        "GET",
        f"{DEFINITIONS}/u/kpis/100%20%25",
        KPI,
    ),
    Case(
        "use_cases.definitions.kpis.update",
        lambda c: c.use_cases.definitions.kpis.update("k", use_case_name="u", description="e", goal=0),
        "PUT",
        f"{DEFINITIONS}/u/kpis/k",
        KPI,
        body={"description": "e", "goal": 0},
    ),
    Case(
        "use_cases.definitions.kpis.delete",
        lambda c: c.use_cases.definitions.kpis.delete("k", use_case_name="u"),
        "DELETE",
        f"{DEFINITIONS}/u/kpis/k",
        KPI,
    ),
    Case(
        "use_cases.definitions.kpis.list",
        lambda c: c.use_cases.definitions.kpis.list("u", kpi_name="k", **PAGING),
        "GET",
        f"{DEFINITIONS}/u/kpis",
        page(KPI),
        {"kpi_name": "k", **PAGING_QUERY},
    ),
]

LIMITS = [
    Case(
        "limits.create",
        lambda c: c.limits.create(
            limit_name="n", max=10, limit_id="l", limit_type="allow", threshold=0.99, properties={"a": "b"}
        ),
        "POST",
        "/api/v1/limits",
        LIMIT_RESPONSE,
        body={
            "limit_name": "n",
            "max": 10,
            "limit_id": "l",
            "limit_type": "allow",
            "threshold": 0.99,
            "properties": {"a": "b"},
        },
    ),
    Case("limits.retrieve", lambda c: c.limits.retrieve("l"), "GET", "/api/v1/limits/l", LIMIT_RESPONSE),
    Case(
        "limits.update",
        lambda c: c.limits.update("l", limit_name="m", max=20),
        "PUT",
        "/api/v1/limits/l",
        LIMIT_RESPONSE,
        body={"limit_name": "m", "max": 20},
    ),
    Case("limits.delete", lambda c: c.limits.delete("l"), "DELETE", "/api/v1/limits/l", {"request_id": "q"}),
    Case(
        "limits.list",
        lambda c: c.limits.list(limit_name="n", **PAGING),
        "GET",
        "/api/v1/limits",
        page(LIMIT),
        {"limit_name": "n", **PAGING_QUERY},
    ),
    Case(
        "limits.reset",
        lambda c: c.limits.reset("l", reset_date=WHEN),
        "POST",
        "/api/v1/limits/l/reset",
        {"limit_history": {"limit_id": "l", "totals": LIMIT["totals"]}, "request_id": "q"},
        {"resetDate": "2026-01-02T00:00:00+00:00"},
    ),
    Case(
        "limits.properties.update",
        lambda c: c.limits.properties.update("l", properties={"a": "b"}),
        "PUT",
        "/api/v1/limits/l/properties",
        [LIMIT_RESPONSE],
        body={"properties": {"a": "b"}},
    ),
]

CATEGORIES = [
    Case(
        "categories.list",
        lambda c: c.categories.list(active=True, **PAGING),
        "GET",
        "/api/v1/categories",
        page({"category": "c"}),
        {"Active": "true", **PAGING_QUERY},
    ),
    Case(
        "categories.delete", lambda c: c.categories.delete("c"), "DELETE", "/api/v1/categories/c", [VERSION]
    ),
    Case(
        "categories.list_resources",
        lambda c: c.categories.list_resources("c", active=False),
        "GET",
        "/api/v1/categories/c/resources",
        page(VERSION),
        {"Active": "false"},
    ),
    Case(
        "categories.delete_resource",
        lambda c: c.categories.delete_resource("r", category="c"),
        "DELETE",
        "/api/v1/categories/c/resources/r",
        [VERSION],
    ),
    Case(
        "categories.resources.create",
        lambda c: c.categories.resources.create(
            "org/model:1",
            category="c",
            units={"text": {"input_price": 1e-6, "output_price": 2e-6}},
            max_input_units=1,
            max_output_units=2,
            max_total_units=3,
            start_timestamp=WHEN,
        ),
        "POST",
        "/api/v1/categories/c/resources/org%2Fmodel%3A1",
        VERSION,
        body={
            "units": {"text": {"input_price": 1e-6, "output_price": 2e-6}},
            "max_input_units": 1,
            "max_output_units": 2,
            "max_total_units": 3,
            "start_timestamp": "2026-01-02T00:00:00+00:00",
        },
    ),
    Case(
        "categories.resources.list",
        lambda c: c.categories.resources.list("r", category="c", active=True),
        "GET",
        "/api/v1/categories/c/resources/r",
        page(VERSION),
        {"Active": "true"},
    ),
    Case(
        "categories.resources.retrieve",
        lambda c: c.categories.resources.retrieve("v", category="c", resource="r"),
        "GET",
        "/api/v1/categories/c/resources/r/v",
        VERSION,
    ),
    Case(
        "categories.resources.delete",
        lambda c: c.categories.resources.delete("v", category="c", resource="r"),
        "DELETE",
        "/api/v1/categories/c/resources/r/v",
        VERSION,
    ),
]

REQUESTS = [
    Case(
        "requests.request_id.result.retrieve",
        lambda c: c.requests.request_id.result.retrieve("q"),
        "GET",
        "/api/v1/requests/q/result",
        RESULT,
    ),
    Case(
        "requests.request_id.properties.update",
        lambda c: c.requests.request_id.properties.update("q", properties={"a": "b"}),
        "PUT",
        "/api/v1/requests/q/properties",
        {"request_id": "q"},
        body={"properties": {"a": "b"}},
    ),
    Case(
        "requests.response_id.result.retrieve",
        lambda c: c.requests.response_id.result.retrieve("p", category="system.openai"),
        "GET",
        "/api/v1/requests/provider/system.openai/p/result",
        RESULT,
    ),
    Case(
        "requests.response_id.properties.update",
        lambda c: c.requests.response_id.properties.update("p", category="c", properties={"a": None}),
        "PUT",
        "/api/v1/requests/provider/c/p/properties",
        {"request_id": "q"},
        body={"properties": {"a": None}},
    ),
    Case(
        "reports.retrieve",
        lambda c: c.reports.retrieve("r", from_="2026-01-01", to=WHEN),
        "GET",
        "/api/v1/reports/r",
        b"user,cost\nJane,0.2\n",
        {"from": "2026-01-01", "to": "2026-01-02T00:00:00+00:00"},
    ),
]

INGEST = [
    Case(
        "ingest.units",
        lambda c: c.ingest.units(
            category="c",
            units={"text": {"input": 1}},
            resource="r",
            event_timestamp=WHEN,
            end_to_end_latency_ms=9,
            properties={"n": 1},
            provider_response_id="p",
            provider_response_function_calls=({"name": "f", "arguments": "{}"},),
        ),
        "POST",
        "/api/v1/ingest",
        INGESTED,
        {"id": "p"},
        {
            "category": "c",
            "units": {"text": {"input": 1}},
            "resource": "r",
            "event_timestamp": "2026-01-02T00:00:00+00:00",
            "end_to_end_latency_ms": 9,
            "properties": {"n": "1"},
            "provider_response_id": "p",
            "provider_response_function_calls": [{"name": "f", "arguments": "{}"}],
        },
    ),
    Case(
        "ingest.bulk",
        lambda c: c.ingest.bulk(events=[EVENT]),
        "POST",
        "/api/v1/ingest/bulk",
        BULK,
        body=[EVENT],
    ),
    Case(
        "ingest.bulk_upsert",
        lambda c: c.ingest.bulk_upsert(events=[{**EVENT, "event_timestamp": WHEN, "limit_ids": ("l", " ")}]),
        "POST",
        "/api/v1/ingest/bulk-upsert",
        BULK,
        body=[{**EVENT, "event_timestamp": "2026-01-02T00:00:00+00:00", "limit_ids": ["l"]}],
    ),
    Case(
        "ingest.copilot.transcripts",
        lambda c: c.ingest.copilot.transcripts(
            transcript={"conversation_id": "a", "transcript_id": "b", "created_on": WHEN}
        ),
        "POST",
        "/api/v1/ingest/copilot/transcripts",
        {"request_id": "q", "requests_created": 1},
        body={
            "transcript": {
                "conversation_id": "a",
                "transcript_id": "b",
                "created_on": "2026-01-02T00:00:00+00:00",
            }
        },
    ),
    Case(
        "ingest.copilot.licensing",
        lambda c: c.ingest.copilot.licensing(
            billing_date_utc="2026-01-02", resource={"resourceId": "a", "metadata": {"FeatureName": "f"}}
        ),
        "POST",
        "/api/v1/ingest/copilot/licensing",
        {"request_id": "q", "records_ingested": 1},
        body={
            "billing_date_utc": "2026-01-02",
            "resource": {"resourceId": "a", "metadata": {"FeatureName": "f"}},
        },
    ),
]

EXPERIENCES = [
    Case(
        "experiences.create",
        lambda c: c.experiences.create(experience_name="u"),
        "POST",
        f"{INSTANCES}/u",
        INSTANCE,
    ),
    Case("experiences.retrieve", lambda c: c.experiences.retrieve("i"), "GET", f"{INSTANCES}/i", INSTANCE),
    Case(
        "experiences.delete",
        lambda c: c.experiences.delete("i", experience_name="u"),
        "DELETE",
        f"{INSTANCES}/u/i",
        INSTANCE,
    ),
    Case(
        "experiences.properties.create",
        lambda c: c.experiences.properties.create("i", properties={"a": "b"}),
        "PUT",
        f"{INSTANCES}/i/properties",
        INSTANCE,
        body={"properties": {"a": "b"}},
    ),
    Case(
        "experiences.types.create",
        lambda c: c.experiences.types.create(name="u", description="d"),
        "POST",
        DEFINITIONS,
        DEFINITION,
        body={"name": "u", "description": "d"},
    ),
    Case(
        "experiences.types.retrieve",
        lambda c: c.experiences.types.retrieve("u"),
        "GET",
        f"{DEFINITIONS}/u",
        DEFINITION,
    ),
    Case(
        "experiences.types.update",
        lambda c: c.experiences.types.update("u", description="e"),
        "PUT",
        f"{DEFINITIONS}/u",
        DEFINITION,
        body={"description": "e"},
    ),
    Case(
        "experiences.types.delete",
        lambda c: c.experiences.types.delete("u"),
        "DELETE",
        f"{DEFINITIONS}/u",
        DEFINITION,
    ),
    Case(
        "experiences.types.list",
        lambda c: c.experiences.types.list(name="u"),
        "GET",
        DEFINITIONS,
        page(DEFINITION),
        {"use_case_name": "u"},
    ),
    Case(
        "experiences.types.limit_config.create",
        lambda c: c.experiences.types.limit_config.create("u", max=1),
        "POST",
        f"{DEFINITIONS}/u/limit_config",
        DEFINITION,
        body={"max": 1},
    ),
    Case(
        "experiences.types.limit_config.delete",
        lambda c: c.experiences.types.limit_config.delete("u"),
        "DELETE",
        f"{DEFINITIONS}/u/limit_config",
        DEFINITION,
    ),
]

CASES = [*USE_CASES, *DEFINED, *LIMITS, *CATEGORIES, *REQUESTS, *INGEST, *EXPERIENCES]
