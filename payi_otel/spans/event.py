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
        for name in _OPTIONAL_FIELDS:
            told = getattr(self, name)
            if type(told) in _AS_THEY_ARE:
                body[name] = told
            elif told:
                body[name] = _plain(told)
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

# Most fields, and known by a look at their type.
_AS_THEY_ARE = frozenset({str, int})
_OPTIONAL_FIELDS = (
    "resource",
    "scope",
    "end_to_end_latency_ms",
    "time_to_first_token_ms",
    "time_to_first_completion_token_ms",
    "http_status_code",
    "provider_uri",
    "provider_request_json",
    "provider_response_json",
    "provider_response_function_calls",
    "properties",
    *ATTRIBUTION,
)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return value
