"""What the proxy keeps of a call: events like those that are ingested, and what limits say before it."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from payi_otel.providers.catalog import price_key
from payi_otel.providers.content import redact_request, redact_response
from payi_otel.providers.model import Exchange, Reading
from payi_otel.providers.reading import read
from payi_otel.server.api.context import now
from payi_otel.server.api.events import accepted_fields, attribution, logging_disabled, price_as, to_event
from payi_otel.server.api.models import LONGEST_IDENTITY, storable
from payi_otel.server.errors import ApiError
from payi_otel.server.pricing import UnitCount
from payi_otel.server.store import instances, limits, use_cases
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ids import new_id
from payi_otel.server.store.ingest import Event, Outcome, store_events

_NO_READING = Reading(units={}, usage_source="none")


@dataclass(slots=True)
class Call:
    """One call through the proxy: whose it is, and how long it took."""

    application_id: int
    exchange: Exchange
    event: Event
    logs: bool
    began: float = field(default_factory=time.monotonic)
    first_at: float | None = None

    def saw_first(self) -> None:
        """The first part of the answer has arrived."""
        if self.first_at is None:
            self.first_at = time.monotonic()


def begin(application_id: int, exchange: Exchange, headers: Mapping[str, str], provider_uri: str) -> Call:
    """A call about to be made; raises `ApiError` for headers that are wrong."""
    key = price_key(
        exchange,
        None,
        host_mappings={},
        model_mappings=(),
        price_as_category=None,
        price_as_resource=None,
        resource_scope=None,
        reading_scope=None,
    )
    fields: dict[str, Any] = {
        **attribution(headers),
        "category": key.category,
        "resource": key.resource,
        "units": {},
        "provider_uri": provider_uri,
        "properties": _properties(headers, "xProxy-Request-Properties"),
        "use_case_properties": _properties(headers, "xProxy-UseCase-Properties"),
    }
    event = to_event(accepted_fields(fields), now())
    columns = {"resource_scope": key.scope, **event.columns, **price_as(headers), "event_timestamp": now()}
    if event.use_case_name and not event.use_case_id:
        event = event._replace(use_case_id=new_id())
    return Call(application_id, exchange, event._replace(columns=columns), not logging_disabled(headers))


def blocked_by(store: Store, call: Call) -> dict[str, str]:
    """What each limit says where one of them blocks the call, else nothing."""
    named = list(call.event.columns.get("limit_ids", ()))
    with store.read() as connection:
        name, use_case_id = call.event.use_case_name, call.event.use_case_id
        use_case = use_cases.find(connection, call.application_id, name) if name else None
        if use_case is not None and use_case_id:
            instance = instances.find(connection, use_case, use_case_id)
            if instance is not None and instance.limit_id:
                named.append(instance.limit_id)
        found = [limits.find(connection, call.application_id, limit_id) for limit_id in named]
    known = [limit for limit in found if limit is not None]
    full = {
        limit.limit_id for limit in known if limit.limit_type == "block" and limit.totals.total >= limit.max
    }
    if not full:
        return {}
    return {limit.limit_id: "blocked" if limit.limit_id in full else "blocked_external" for limit in known}


def record_blocked(store: Store, call: Call, states: Mapping[str, str]) -> Outcome:
    """Keep a call that a limit has refused."""
    event = call.event._replace(
        columns={**call.event.columns, "http_status_code": 400},
        properties={**call.event.properties, "system.failure": "limit_reached"},
        limit_states=states,
    )
    return _store(store, call, [event])[0]


def record(
    store: Store, call: Call, status: int, body: Mapping[str, Any] | None, *, complete: bool
) -> Outcome:
    """Keep a call that was made. `body` is the answer's JSON, None where none arrived."""
    failed = status >= 400
    readings = (_NO_READING,) if failed else read(call.exchange, body, complete=complete)
    events = [_event(call, reading, status) for reading in readings]
    if call.logs and body is not None:
        said = json.dumps(redact_response(body, keep_inline_data=False))
        asked = json.dumps(redact_request(call.exchange, keep_inline_data=False))
        bodies = {"provider_request_json": asked, "provider_response_json": said}
        events[0] = events[0]._replace(bodies=bodies)
    return _store(store, call, events)[0]


def _store(store: Store, call: Call, events: list[Event]) -> list[Outcome]:
    return store.transact(
        lambda connection: store_events(connection, call.application_id, events, now(), upsert=False)
    )


def _event(call: Call, reading: Reading, status: int) -> Event:
    ended = time.monotonic()
    columns = {
        **call.event.columns,
        "http_status_code": reading.error_status or status,
        "end_to_end_latency_ms": round((ended - call.began) * 1000),
        "function_calls": [{"name": storable(one.name)} for one in reading.function_calls],
    }
    if call.exchange.is_stream and call.first_at is not None:
        columns["time_to_first_token_ms"] = round((call.first_at - call.began) * 1000)
    if reading.suffix and reading.model:
        columns["resource"] = reading.model
    if reading.resource_scope and not columns.get("resource_scope"):
        columns["resource_scope"] = reading.resource_scope
    properties = {**reading.properties, **call.event.properties}
    if reading.usage_source == "estimated":
        properties["system.usage_source"] = "estimated"
    if reading.error_type is not None:
        properties["system.failure"] = reading.error_type
    response_id = reading.response_id
    if response_id is not None and reading.suffix:
        response_id = f"{response_id}#{reading.suffix}"
    return call.event._replace(
        provider_response_id=response_id and storable(response_id)[:LONGEST_IDENTITY],
        columns={name: storable(value) for name, value in columns.items()},
        units={name: UnitCount(count.input, count.output) for name, count in reading.units.items()},
        properties={storable(name): storable(value) for name, value in properties.items()},
    )


def _properties(headers: Mapping[str, str], name: str) -> dict[str, str | None]:
    text = headers.get(name)
    if not text:
        return {}
    try:
        found: Any = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        found = None
    if not isinstance(found, dict):
        raise ApiError(400, "invalid_json", f"{name}: {text[:40]!r} is none; send base64 of a JSON object")
    values = cast("dict[str, Any]", found)
    return {
        key: value if value is None or isinstance(value, str) else str(value) for key, value in values.items()
    }
