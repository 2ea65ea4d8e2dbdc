"""Pay-i: whether it can be reached, whether it knows the key, whether it takes an event."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timezone

from payi_otel.delivery.answers import Answer
from payi_otel.delivery.config import DeliveryConfig
from payi_otel.delivery.intake import plain_json
from payi_otel.delivery.transport import Transport
from payi_otel.doctor.findings import Finding
from payi_otel.settings import Settings
from payi_otel.spans.event import IngestBody

_TEST_USE_CASE = "payi_otel_doctor"


def look_at_service(settings: Settings, *, send: bool) -> Iterator[Finding]:
    """Ask Pay-i for a use case definition and, if `send`, give it one event of one token."""
    if settings.api_key is None:
        yield Finding("problem", "key", "none; set PAYI_API_KEY to an application's key")
    transport = Transport(DeliveryConfig(api_key=settings.api_key, base_url=settings.base_url))
    try:
        answer = transport.request("GET", "/api/v1/use_cases/definitions?limit=1", None, settings.timeout_s)
        yield from _read_look_up(answer, settings)
        reached = answer.status is not None and answer.status not in {401, 403}
        if send and reached and settings.api_key is not None:
            yield _send(transport, settings)
    finally:
        transport.close()


def _read_look_up(answer: Answer, settings: Settings) -> Iterator[Finding]:
    where = settings.base_url
    if answer.status is None:
        text = f"{where} does not answer ({answer.reason}); check PAYI_BASE_URL, proxy and firewall"
        yield Finding("problem", "reachability", text)
        return
    yield Finding("ok", "reachability", f"{where} answers")
    if settings.api_key is None:
        return
    if answer.status in {401, 403}:
        yield Finding("problem", "key", f"refused ({answer.reason}); check PAYI_API_KEY and PAYI_BASE_URL")
    elif answer.status < 300:
        yield Finding("ok", "key", "accepted")
    else:
        text = f"not decided: the answer to a look-up was {answer.reason}; is {where} Pay-i?"
        yield Finding("problem", "key", text)


def _send(transport: Transport, settings: Settings) -> Finding:
    event_id = f"payi_doctor-{uuid.uuid4()}"
    event: IngestBody = {
        "provider_response_id": event_id,
        "category": "system.openai",
        "resource": "gpt-4o-mini",
        "units": {"text": {"input": 1, "output": 0}},
        "event_timestamp": datetime.now(timezone.utc),
        "use_case_name": _TEST_USE_CASE,
    }
    answer = transport.post_events([plain_json(event)], settings.timeout_s)
    body = answer.json_object() or {}
    errors = body.get("error_count") or 0
    if answer.status is not None and answer.status < 300 and not errors:
        text = f"taken: {event_id}, one token, use case {_TEST_USE_CASE}"
        return Finding("ok", "test event", text)
    refused = f"{errors} error" if errors else answer.reason
    return Finding("problem", "test event", f"refused ({refused}); see the service's own log")
