"""The Ingest contract: one event as the bulk Ingest API takes it (BulkIngestRequest)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from payi_otel.values import value


@value
class IngestEvent:
    """One billed request, ready for Pay-i.

    `provider_response_id` is the event's identity: sent twice, it is stored once.
    """

    provider_response_id: str
    category: str
    units: Mapping[str, Mapping[str, int]]
    event_timestamp: datetime
    resource: str | None = None
    scope: str | None = None
    end_to_end_latency_ms: int | None = None
    time_to_first_token_ms: int | None = None
    time_to_first_completion_token_ms: int | None = None
    http_status_code: int | None = None
    provider_uri: str | None = None
    provider_request_json: str | None = None
    provider_response_json: str | None = None
    provider_response_function_calls: tuple[Mapping[str, str | None], ...] = ()
    use_case_name: str | None = None
    use_case_id: str | None = None
    use_case_version: int | None = None
    use_case_step: str | None = None
    user_id: str | None = None
    account_name: str | None = None
    limit_ids: tuple[str, ...] = ()
    properties: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    use_case_properties: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    estimated: bool = False

    def to_body(self) -> dict[str, Any]:
        """The JSON object for `POST /api/v1/ingest/bulk-upsert`; unset fields are left out.

        `estimated` is no field of the API: it travels as the request property `system.usage_source`, which
        the reader puts into `properties`, and is kept here for the ledger.
        """
        body: dict[str, Any] = {
            "provider_response_id": self.provider_response_id,
            "category": self.category,
            "units": {name: dict(count) for name, count in self.units.items()},
            "event_timestamp": self.event_timestamp.isoformat(),
        }
        # Field by field: a loop over their names takes three times as long, for every event there is.
        if self.resource is not None:
            body["resource"] = self.resource
        if self.scope is not None:
            body["scope"] = self.scope
        if self.end_to_end_latency_ms is not None:
            body["end_to_end_latency_ms"] = self.end_to_end_latency_ms
        if self.time_to_first_token_ms is not None:
            body["time_to_first_token_ms"] = self.time_to_first_token_ms
        if self.time_to_first_completion_token_ms is not None:
            body["time_to_first_completion_token_ms"] = self.time_to_first_completion_token_ms
        if self.http_status_code is not None:
            body["http_status_code"] = self.http_status_code
        if self.provider_uri is not None:
            body["provider_uri"] = self.provider_uri
        if self.provider_request_json is not None:
            body["provider_request_json"] = self.provider_request_json
        if self.provider_response_json is not None:
            body["provider_response_json"] = self.provider_response_json
        if self.provider_response_function_calls:
            body["provider_response_function_calls"] = [
                dict(call) for call in self.provider_response_function_calls
            ]
        if self.properties:
            body["properties"] = dict(self.properties)
        if self.use_case_name is not None:
            body["use_case_name"] = self.use_case_name
        if self.use_case_id is not None:
            body["use_case_id"] = self.use_case_id
        if self.use_case_version is not None:
            body["use_case_version"] = self.use_case_version
        if self.use_case_step is not None:
            body["use_case_step"] = self.use_case_step
        if self.user_id is not None:
            body["user_id"] = self.user_id
        if self.account_name is not None:
            body["account_name"] = self.account_name
        if self.limit_ids:
            body["limit_ids"] = list(self.limit_ids)
        if self.use_case_properties:
            body["use_case_properties"] = dict(self.use_case_properties)
        return body


ATTRIBUTION = (
    "use_case_name",
    "use_case_id",
    "use_case_version",
    "use_case_step",
    "user_id",
    "account_name",
    "limit_ids",
    "use_case_properties",
)
"""The fields that say whose call it was."""
