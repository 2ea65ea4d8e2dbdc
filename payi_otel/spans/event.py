"""The Ingest contract: one event as the bulk Ingest API takes it (BulkIngestRequest)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict, cast

from payi_otel.values import value


class _Billed(TypedDict):
    """What every event tells."""

    provider_response_id: str
    category: str
    units: Mapping[str, Mapping[str, int]]
    event_timestamp: datetime


class IngestBody(_Billed, total=False):
    """The JSON object for `POST /api/v1/ingest/bulk-upsert`; what is not known, or empty, is left out.

    The time is JSON once it is text in ISO 8601, which is left to whoever writes the rest.
    """

    resource: str
    scope: str
    end_to_end_latency_ms: int
    time_to_first_token_ms: int
    time_to_first_completion_token_ms: int
    http_status_code: int
    provider_uri: str
    provider_request_json: str
    provider_response_json: str
    provider_response_function_calls: list[dict[str, str | None]]
    use_case_name: str
    use_case_id: str
    use_case_version: int
    use_case_step: str
    user_id: str
    account_name: str
    limit_ids: list[str]
    properties: Mapping[str, str | None]
    use_case_properties: Mapping[str, str | None]


ATTRIBUTION = frozenset(
    (
        "use_case_name",
        "use_case_id",
        "use_case_version",
        "use_case_step",
        "user_id",
        "account_name",
        "limit_ids",
        "use_case_properties",
    )
)
"""The fields that say whose call it was."""
_CONTENT = frozenset(("provider_request_json", "provider_response_json"))


@value
class IngestEvent:
    """One billed request, ready for Pay-i.

    The `provider_response_id` in its body is the event's identity: sent twice, it is stored once. `estimated` is no
    field of the API: it travels as the request property `system.usage_source`, and is kept here for the ledger.
    """

    body: IngestBody
    estimated: bool = False

    def renamed(self, event_id: str) -> IngestEvent:
        """The same event under another identity."""
        return IngestEvent({**self.body, "provider_response_id": event_id}, self.estimated)

    def without_content(self) -> IngestEvent:
        """The same event without what was said, to be kept for long."""
        if self.body.keys().isdisjoint(_CONTENT):
            return self
        kept = {name: told for name, told in self.body.items() if name not in _CONTENT}
        return IngestEvent(cast("IngestBody", kept), self.estimated)

    def owned_as(self, other: IngestEvent) -> IngestEvent:
        """The same event as the call of whoever made the other one."""
        own = {name: told for name, told in self.body.items() if name not in ATTRIBUTION}
        theirs = {name: told for name, told in other.body.items() if name in ATTRIBUTION}
        return IngestEvent(cast("IngestBody", {**own, **theirs}), self.estimated)
