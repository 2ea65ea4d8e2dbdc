"""Every method of the client: how to call it, and what must then be on the wire."""

from __future__ import annotations

from tests.client.cases import (
    BULK,
    EVENT,
    INGESTED,
    LIMIT,
    LIMIT_RESPONSE,
    PAGING,
    PAGING_QUERY,
    RESULT,
    VERSION,
    WHEN,
    Case,
    page,
)
from tests.client.use_case_endpoints import DEFINED, EXPERIENCES, USE_CASES

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

CASES = [*USE_CASES, *DEFINED, *LIMITS, *CATEGORIES, *REQUESTS, *INGEST, *EXPERIENCES]
