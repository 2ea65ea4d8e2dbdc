"""What the API answers about a stored request."""

from __future__ import annotations

from payi_otel.server.api.models import Base, CostOut, IngestOut, LimitState, UnitCountOut, XproxyResult
from payi_otel.server.store.ingest import Outcome
from payi_otel.server.store.limit_counts import States
from payi_otel.server.store.requests import StoredRequest


def xproxy_result(
    request: StoredRequest, limits: States, *, duplicate: bool = False, experience: bool = False
) -> XproxyResult:
    """The result of a request; `experience` adds its use case id under the older name.

    `limits` is what the limits said to it.
    """
    values = request.values
    unknown = {name: UnitCountOut(**count) for name, count in values["unknown_units"].items()}
    return XproxyResult(
        request_id=request.request_id,
        limits={name: LimitState.model_validate({"state": state}) for name, state in limits.items()} or None,
        blocked_limit_ids=[name for name, state in limits.items() if state == "blocked"] or None,
        request_tags=values["request_tags"] or None,
        use_case_name=values["use_case_name"],
        use_case_id=values["use_case_id"],
        use_case_step=values["use_case_step"],
        experience_id=values["use_case_id"] if experience else None,
        resource_id=values["resource_id"],
        user_id=values["user_id"],
        account_name=values["account_name"],
        cost=CostOut(
            input=Base(base=float(request.input_cost)),
            output=Base(base=float(request.output_cost)),
            total=Base(base=float(request.input_cost + request.output_cost)),
        ),
        unknown_units=unknown or None,
        duplicate_request=True if duplicate else None,
        warnings=values["warnings"] or None,
    )


def ingest_answer(outcome: Outcome, *, experience: bool = False) -> IngestOut:
    """The answer to a single ingest."""
    request = outcome.request
    return IngestOut(
        request_id=request.request_id,
        event_timestamp=request.event_timestamp,
        ingest_timestamp=request.ingest_timestamp,
        xproxy_result=xproxy_result(
            request, outcome.limits, duplicate=outcome.duplicate, experience=experience
        ),
    )
