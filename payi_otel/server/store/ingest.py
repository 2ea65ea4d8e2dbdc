"""The ingest transaction: attribute, price and store events, each once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, update

from payi_otel.server.pricing import Consumption, UnitCount, price
from payi_otel.server.pricing_units import unit_prices
from payi_otel.server.store import instances, use_cases
from payi_otel.server.store import requests as stored
from payi_otel.server.store.engine import insert_new
from payi_otel.server.store.instances import Instance, Properties
from payi_otel.server.store.requests import StoredRequest
from payi_otel.server.store.schema import request_bodies, requests
from payi_otel.server.store.use_cases import UseCase

_UNIQUE = ("application_id", "provider_response_id")
_EMPTY: Mapping[str, Any] = {
    "resource": None,
    "resource_scope": None,
    "end_to_end_latency_ms": None,
    "time_to_first_token_ms": None,
    "time_to_first_completion_token_ms": None,
    "http_status_code": None,
    "provider_uri": None,
    "use_case_name": None,
    "use_case_id": None,
    "use_case_version": None,
    "use_case_step": None,
    "user_id": None,
    "account_name": None,
    "limit_ids": [],
    "request_tags": [],
    "function_calls": [],
    "properties": {},
}


@dataclass(frozen=True, slots=True)
class Event:
    """A checked event. `columns` are the columns of `requests` that the sender gave, under their names there.

    `bodies` are columns of `request_bodies`; they are stored only where the use case's logging is enabled.
    """

    provider_response_id: str | None
    columns: Mapping[str, Any]
    units: Mapping[str, UnitCount]
    use_case_name: str | None = None
    use_case_id: str | None = None
    use_case_version: int | None = None
    properties: Properties = field(default_factory=dict[str, "str | None"])
    use_case_properties: Properties = field(default_factory=dict[str, "str | None"])
    bodies: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event. A duplicate was stored before; `request` is then what is stored now."""

    request: StoredRequest
    duplicate: bool


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose request it is."""

    use_case: UseCase | None = None
    instance: Instance | None = None
    warnings: tuple[str, ...] = ()


def store_events(
    connection: Connection, application_id: int, events: Sequence[Event], now: datetime, *, upsert: bool
) -> list[Outcome]:
    """Store events in one transaction. A known `provider_response_id` is not counted again.

    With `upsert` what such an event gives replaces what is stored, properties are merged, and it is priced anew;
    without, the stored request stays as it is.
    """
    ingest = _Ingest(connection, application_id, now, upsert)
    ids = {event.provider_response_id for event in events if event.provider_response_id is not None}
    ingest.known.update(stored.find_for_update(connection, application_id, ids))
    outcomes: dict[int, Outcome] = {}
    # By id, so that two batches with the same new events wait for each other in one order.
    for index in sorted(range(len(events)), key=lambda index: events[index].provider_response_id or ""):
        outcomes[index] = ingest.take(events[index])
    return [outcomes[index] for index in range(len(events))]


class _Ingest:
    def __init__(self, connection: Connection, application_id: int, now: datetime, upsert: bool) -> None:
        self.known: dict[str, StoredRequest] = {}
        self._connection = connection
        self._application_id = application_id
        self._now = now
        self._upsert = upsert
        self._use_cases: dict[str, UseCase] = {}
        self._instances: dict[tuple[str, str], Instance] = {}

    def take(self, event: Event) -> Outcome:
        before = self.known.get(event.provider_response_id or "")
        if before is not None and not self._upsert:
            return Outcome(before, duplicate=True)
        owner = self._owner(event, before)
        if before is None:
            request = self._insert(event, owner)
            if request is None:
                return self._overtaken(event)
        else:
            request = self._update(event, before, owner)
        if event.provider_response_id is not None:
            self.known[event.provider_response_id] = request
        if owner.instance is not None:
            instances.merge_properties(self._connection, owner.instance, event.use_case_properties)
        if owner.use_case is not None and owner.use_case.logging_enabled and event.bodies:
            self._store_bodies(request, event.bodies)
        return Outcome(request, duplicate=before is not None)

    def _overtaken(self, event: Event) -> Outcome:
        """Another transaction has stored the same event since this one looked."""
        assert event.provider_response_id is not None
        self.known |= stored.find_for_update(
            self._connection, self._application_id, [event.provider_response_id]
        )
        return self.take(event)

    def _insert(self, event: Event, owner: _Owner) -> StoredRequest | None:
        values = {
            **_EMPTY,
            "event_timestamp": self._now,
            **event.columns,
            **_owner_columns(event, owner),
            "properties": dict(event.properties),
        }
        values |= _priced(event.units, values, owner.warnings)
        values |= {
            "application_id": self._application_id,
            "request_id": str(uuid.uuid4()),
            "provider_response_id": event.provider_response_id,
            "ingest_timestamp": self._now,
        }
        row_id = insert_new(self._connection, requests, values, _UNIQUE)
        return None if row_id is None else stored.read_request({"id": row_id, **values})

    def _update(self, event: Event, before: StoredRequest, owner: _Owner) -> StoredRequest:
        values = {
            **before.values,
            **event.columns,
            **_owner_columns(event, owner),
            "properties": {**_lasting(before.values["properties"]), **event.properties},
        }
        values |= _priced(event.units, values, owner.warnings)
        changed = {name: value for name, value in values.items() if value != before.values[name]}
        if changed:
            self._connection.execute(update(requests).where(requests.c.id == before.id).values(**changed))
        return stored.read_request(values)

    def _store_bodies(self, request: StoredRequest, bodies: Mapping[str, Any]) -> None:
        self._connection.execute(delete(request_bodies).where(request_bodies.c.request == request.id))
        self._connection.execute(insert(request_bodies).values(request=request.id, **bodies))

    def _owner(self, event: Event, before: StoredRequest | None) -> _Owner:
        name, use_case_id = event.use_case_name, event.use_case_id
        if before is not None:
            # Sent again with a name only, it belongs to the instance that the first time made.
            name = name or before.values["use_case_name"]
            if name == before.values["use_case_name"]:
                use_case_id = use_case_id or before.values["use_case_id"]
        if name is not None:
            return self._named(name, use_case_id, event.use_case_version)
        if use_case_id is None:
            return _Owner()
        found = instances.find_anywhere(self._connection, self._application_id, use_case_id)
        if not found:
            warning = "use_case_instance_not_found: a new use case id needs the use case's name"
            return _Owner(warnings=(warning,))
        return self._named(found[0].use_case_name, use_case_id, event.use_case_version)

    def _named(self, name: str, use_case_id: str | None, version: int | None) -> _Owner:
        use_case = self._use_cases.get(name)
        if use_case is None:
            use_case = use_cases.ensure(self._connection, self._application_id, name, self._now)
            self._use_cases[name] = use_case
        use_case_id = use_case_id or instances.new_id()
        instance = self._instances.get((name, use_case_id))
        if instance is None:
            instance = instances.ensure(
                self._connection, self._application_id, use_case, use_case_id, self._now, version
            )
            self._instances[name, use_case_id] = instance
        return _Owner(use_case, replace(instance, type_version=version or instance.type_version))


def _lasting(properties: Properties) -> Properties:
    """Without what was said of units that are now replaced."""
    return {name: value for name, value in properties.items() if name != "system.usage_source"}


def _owner_columns(event: Event, owner: _Owner) -> dict[str, Any]:
    if owner.instance is None:
        return {}
    return {
        "use_case_name": owner.instance.use_case_name,
        "use_case_id": owner.instance.use_case_id,
        "use_case_version": owner.instance.type_version,
    }


def _priced(
    units: Mapping[str, UnitCount], values: Mapping[str, Any], warnings: Sequence[str]
) -> dict[str, Any]:
    properties: Mapping[str, str | None] = values["properties"]
    cost = price(
        Consumption(
            category=values["category"],
            resource=values["resource"],
            units=units,
            at=values["event_timestamp"],
            scope=values["resource_scope"],
            tier=properties.get("system.service_tier"),
            speed=properties.get("system.speed"),
        )
    )
    tokens = [count for name, count in units.items() if unit_prices(name)[0].is_token]
    if values["limit_ids"]:
        warnings = [*warnings, "limits_not_counted: limit ids are stored, limits are not kept by this server"]
    return {
        "units": _as_json(units),
        "input_cost": cost.input,
        "output_cost": cost.output,
        "input_tokens": sum(count.input for count in tokens),
        "output_tokens": sum(count.output for count in tokens),
        "resource_id": cost.resource_id,
        "unknown_units": _as_json(cost.unknown_units),
        "warnings": [*warnings, *cost.warnings],
    }


def _as_json(units: Mapping[str, UnitCount]) -> dict[str, dict[str, int]]:
    return {name: {"input": count.input, "output": count.output} for name, count in units.items()}
