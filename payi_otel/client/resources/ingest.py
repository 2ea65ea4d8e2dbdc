"""Ingest: events of requests that already happened."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from typing_extensions import Unpack

from payi_otel.client import params
from payi_otel.client.call import Call, Options, given, path
from payi_otel.client.decode import one
from payi_otel.client.endpoint import Resource, S, endpoint
from payi_otel.client.results import BulkIngestResponse, CopilotIngestResponse, IngestResponse

T = TypeVar("T")


class Copilot(Resource[S]):
    """Microsoft Copilot Studio: conversations and licence consumption."""

    @endpoint
    def transcripts(
        self, *, transcript: Mapping[str, Any], **options: Unpack[Options]
    ) -> Call[CopilotIngestResponse]:
        """Ingest a conversation transcript; needs conversation_id, transcript_id and created_on."""
        for name in ("conversation_id", "transcript_id", "created_on"):
            if not params.mapping("transcript", transcript).get(name):
                raise params.reject(
                    f"transcript[{name!r}]", transcript.get(name), "give it, the API requires it"
                )
        return self._post("transcripts", {"transcript": transcript}, options)

    @endpoint
    def licensing(
        self,
        *,
        billing_date_utc: str | datetime,
        resource: Mapping[str, Any],
        fetched_at: str | datetime | None = None,
        **options: Unpack[Options],
    ) -> Call[CopilotIngestResponse]:
        """Ingest a licence consumption record; `resource` needs resourceId and metadata.FeatureName."""
        if not params.mapping("resource", resource).get("resourceId"):
            raise params.reject(
                "resource['resourceId']", resource.get("resourceId"), "give the resource's id"
            )
        if not params.mapping("resource['metadata']", resource.get("metadata")).get("FeatureName"):
            raise params.reject("resource['metadata']['FeatureName']", None, "give the feature's name")
        body = {
            "billing_date_utc": params.timestamp("billing_date_utc", billing_date_utc),
            "resource": resource,
            **given(fetched_at=None if fetched_at is None else params.timestamp("fetched_at", fetched_at)),
        }
        return self._post("licensing", body, options)

    def _post(self, what: str, body: Mapping[str, Any], options: Options) -> Call[CopilotIngestResponse]:
        target = path("ingest/copilot/" + what)
        return Call("POST", target, one(CopilotIngestResponse), repeatable=False, body=body, options=options)


class Ingest(Resource[S]):
    """Submits what was used, for Pay-i to price and attribute."""

    @property
    def copilot(self) -> Copilot[S]:
        """Microsoft Copilot Studio."""
        return Copilot(self.sender)

    @endpoint
    def units(
        self,
        *,
        category: str,
        units: Mapping[str, params.IngestUnits],
        resource: str | None = None,
        event_timestamp: str | datetime | None = None,
        end_to_end_latency_ms: int | None = None,
        time_to_first_token_ms: int | None = None,
        time_to_first_completion_token_ms: int | None = None,
        http_status_code: int | None = None,
        properties: params.Properties | None = None,
        provider_uri: str | None = None,
        provider_request_headers: Iterable[params.HeaderInfo] | None = None,
        provider_request_json: str | None = None,
        provider_request_reasoning_json: str | None = None,
        provider_response_headers: Iterable[params.HeaderInfo] | None = None,
        provider_response_json: str | Sequence[str] | None = None,
        provider_response_function_calls: Iterable[params.FunctionCall] | None = None,
        provider_response_id: str | None = None,
        use_case_name: str | None = None,
        use_case_id: str | None = None,
        use_case_version: int | None = None,
        use_case_step: str | None = None,
        use_case_properties: params.Properties | None = None,
        user_id: str | None = None,
        account_name: str | None = None,
        limit_ids: Iterable[str] | None = None,
        request_tags: Iterable[str] | None = None,
        resource_scope: str | None = None,
        disable_logging: bool | None = None,
        **options: Unpack[Options],
    ) -> Call[IngestResponse]:
        """Submit one event and get its cost. An event with a known `provider_response_id` is counted once.

        `units` maps unit names to counts. Latencies are in milliseconds; `event_timestamp` is when the request
        started, the moment of ingest if left out. `disable_logging=True` keeps the JSON bodies from being stored.

        >>> client.ingest.units(category="system.openai", resource="gpt-4o", use_case_name="chat",
        ...     units={"text": {"input": 120, "output": 40}}).xproxy_result.cost  # doctest: +SKIP
        """
        body = {
            "category": params.text("category", category),
            "units": params.units("units", units),
            **given(
                resource=resource,
                event_timestamp=_checked(params.timestamp, "event_timestamp", event_timestamp),
                end_to_end_latency_ms=end_to_end_latency_ms,
                time_to_first_token_ms=time_to_first_token_ms,
                time_to_first_completion_token_ms=time_to_first_completion_token_ms,
                http_status_code=http_status_code,
                properties=_checked(params.property_values, "properties", properties),
                provider_uri=provider_uri,
                provider_request_headers=_listed(provider_request_headers),
                provider_request_json=provider_request_json,
                provider_request_reasoning_json=provider_request_reasoning_json,
                provider_response_headers=_listed(provider_response_headers),
                provider_response_json=provider_response_json,
                provider_response_function_calls=_listed(provider_response_function_calls),
                provider_response_id=provider_response_id,
                use_case_properties=_checked(
                    params.property_values, "use_case_properties", use_case_properties
                ),
            ),
        }
        headers = {
            "xProxy-Limit-IDs": ",".join(params.names("limit_ids", limit_ids or ())) or None,
            "xProxy-Request-Tags": ",".join(params.names("request_tags", request_tags or ())) or None,
            "xProxy-UseCase-Name": use_case_name,
            "xProxy-UseCase-ID": use_case_id,
            "xProxy-UseCase-Version": None if use_case_version is None else str(use_case_version),
            "xProxy-UseCase-Step": use_case_step,
            "xProxy-User-ID": user_id,
            "xProxy-Account-Name": account_name,
            "xProxy-Resource-Scope": resource_scope,
            # Absent means "log": whether the service reads "False" as that is not documented.
            "xProxy-Logging-Disable": "True" if disable_logging else None,
        }
        return Call(
            "POST",
            path("ingest"),
            one(IngestResponse),
            # The id makes a retry, after an answer that got lost, count once.
            repeatable=True,
            query={"id": provider_response_id or f"payi_{uuid.uuid4()}"},
            headers={name: value for name, value in headers.items() if value is not None},
            body=body,
            options=options,
        )

    @endpoint
    def bulk(
        self, *, events: Iterable[params.BulkEvent | Mapping[str, Any]], **options: Unpack[Options]
    ) -> Call[BulkIngestResponse]:
        """Submit many events at once. Refused ones are listed in `errors`; the others are taken."""
        return _bulk("ingest/bulk", events, repeatable=False, options=options)

    @endpoint
    def bulk_upsert(
        self, *, events: Iterable[params.BulkEvent | Mapping[str, Any]], **options: Unpack[Options]
    ) -> Call[BulkIngestResponse]:
        """Submit many events, replacing those whose `provider_response_id` is already known.

        >>> client.ingest.bulk_upsert(events=[{"category": "system.openai", "resource": "gpt-4o",
        ...     "units": {"text": {"input": 9}}, "provider_response_id": "r1"}]).ingest_count  # doctest: +SKIP
        """
        return _bulk("ingest/bulk-upsert", events, repeatable=True, options=options)


def _bulk(
    target: str, events: Iterable[params.BulkEvent | Mapping[str, Any]], *, repeatable: bool, options: Options
) -> Call[BulkIngestResponse]:
    body = params.events(events)
    known = all(event.get("provider_response_id") for event in body)
    return Call(
        "POST",
        path(target),
        one(BulkIngestResponse),
        repeatable=repeatable and known,
        body=body,
        options=options,
    )


def _checked(check: Callable[[str, Any], T], field: str, value: Any) -> T | None:
    return None if value is None else check(field, value)


def _listed(value: Iterable[T] | None) -> list[T] | None:
    return None if value is None else list(value)
