"""The ingest transaction: attribute, price and store events, each once, and count them.

Every transaction takes its locks in this order, and within a step in one order everywhere, so that no two block
each other: use cases, instances, new requests, known requests, properties of instances, limits, roll-ups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, update

from payi_otel.server.pricing import UnitCount
from payi_otel.server.store import (
    instance_sums,
    instances,
    limit_counts,
    limits,
    owners,
    resources,
    rollups,
)
from payi_otel.server.store import requests as stored
from payi_otel.server.store.bulk import insert_missing
from payi_otel.server.store.costing import price_key, priced
from payi_otel.server.store.engine import Overtaken
from payi_otel.server.store.ids import new_id, new_ids
from payi_otel.server.store.instances import Identity, Instance, Properties
from payi_otel.server.store.limit_counts import Change, States
from payi_otel.server.store.owners import Owner
from payi_otel.server.store.requests import StoredRequest
from payi_otel.server.store.schema import request_bodies, requests

_UNIQUE = ("application_id", "provider_response_id")
_EMPTY: Mapping[str, Any] = {
    "resource": None,
    "resource_scope": None,
    "price_as_category": None,
    "price_as_resource": None,
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


_NONE: Mapping[str, Any] = MappingProxyType({})
_NOBODY = Owner()


class Event(NamedTuple):
    """A checked event. `columns` are the columns of `requests` that the sender gave, under their names there.

    `bodies` are columns of `request_bodies`; they are stored only where the use case's logging is enabled.
    `limit_states` are those a proxy has decided before.
    """

    provider_response_id: str | None
    columns: Mapping[str, Any]
    units: Mapping[str, UnitCount]
    use_case_name: str | None = None
    use_case_id: str | None = None
    use_case_version: int | None = None
    properties: Properties = _NONE
    use_case_properties: Properties = _NONE
    bodies: Mapping[str, Any] = _NONE
    limit_states: States = _NONE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event. A duplicate was stored before; `request` is then what is stored now."""

    request: StoredRequest
    duplicate: bool
    limits: States


def store_events(
    connection: Connection, application_id: int, events: Sequence[Event], now: datetime, *, upsert: bool
) -> list[Outcome]:
    """Store events in one transaction. A known `provider_response_id` is not counted again.

    With `upsert` what such an event gives replaces what is stored, properties are merged, and it is priced anew;
    without, the stored request stays as it is. Raises `Overtaken` when another transaction has stored one of the
    events meanwhile: begin anew then, as `Store.transact` does.
    """
    return _Ingest(connection, application_id, now, events, upsert).run().outcomes()


def store_bulk(
    connection: Connection, application_id: int, events: Sequence[Event], now: datetime, *, upsert: bool
) -> None:
    """`store_events` for who does not ask what became of each event."""
    _Ingest(connection, application_id, now, events, upsert).run()


@dataclass(slots=True)
class _Item:
    """An event on its way. `values` are the columns of its request, once they are known."""

    event: Event
    # The first event of this id in the batch: it is the same request.
    first: _Item | None
    identity: Identity | None = None
    warnings: tuple[str, ...] = ()
    values: Mapping[str, Any] | None = None
    is_known: bool = False
    skipped: bool = False
    owner: Owner = _NOBODY


class _Ingest:
    def __init__(
        self,
        connection: Connection,
        application_id: int,
        now: datetime,
        events: Sequence[Event],
        upsert: bool,
    ) -> None:
        self._connection = connection
        self._application_id = application_id
        self._now = now
        self._upsert = upsert
        self._items = _linked(events)
        self._deltas: dict[int, list[rollups.Delta]] = {}
        self._changes: dict[int, Change] = {}
        self._known: Mapping[str, StoredRequest] = {}
        self._said: Mapping[int, States] = {}
        self._made: dict[Identity, Instance] = {}
        self._start: Mapping[str, Any] = {
            **_EMPTY,
            "application_id": application_id,
            "event_timestamp": now,
            "ingest_timestamp": now,
        }

    def run(self) -> _Ingest:
        ids = {item.event.provider_response_id for item in self._items}
        response_ids = sorted(one for one in ids if one is not None)
        known = stored.find_by_responses(self._connection, self._application_id, response_ids)
        self._known = known
        for item in self._items:
            item.is_known = item.event.provider_response_id in known
            item.skipped = not self._upsert and (item.is_known or item.first is not None)
        self._attribute(known)
        self._insert([item for item in self._items if not item.is_known and item.first is None])
        self._update(known)
        self._keep_bodies()
        deltas = [delta for both in self._deltas.values() for delta in both]
        instance_sums.apply(self._connection, self._application_id, deltas, self._made)
        instances.merge_all_properties(self._connection, self._instance_properties())
        self._said = limit_counts.count(self._connection, self._application_id, list(self._changes.values()))
        rollups.apply(self._connection, self._application_id, deltas)
        return self

    def _attribute(self, known: Mapping[str, StoredRequest]) -> None:
        items = [item for item in self._items if not item.skipped]
        nameless = [item.event.use_case_id for item in items if item.event.use_case_name is None]
        names = owners.names_of(
            self._connection, self._application_id, (use_case_id for use_case_id in nameless if use_case_id)
        )
        wanted: dict[Identity, int | None] = {}
        for item in items:
            self._identify(item, known, names)
            if item.identity is not None and wanted.get(item.identity) is None:
                wanted[item.identity] = item.event.use_case_version
        found = owners.ensure(self._connection, self._application_id, wanted, self._now)
        for identity, owner in found.items():
            if owner.instance is not None and owner.instance.is_new:
                self._made[identity] = owner.instance
        for item in items:
            if item.identity is not None:
                item.owner = found[item.identity].at_version(item.event.use_case_version)
        self._load_prices(items, known)

    def _identify(self, item: _Item, known: Mapping[str, StoredRequest], names: Mapping[str, str]) -> None:
        event = item.event
        name, use_case_id = event.use_case_name, event.use_case_id
        before = self._identity_before(item, known)
        if before is not None:
            # Sent again with a name only, it belongs to the instance that the first time made.
            name = name or before[0]
            if name == before[0]:
                use_case_id = use_case_id or before[1]
        if name is None and use_case_id is not None:
            name = names.get(use_case_id)
            if name is None:
                item.warnings = (owners.NO_INSTANCE,)
                return
        if name is not None:
            item.identity = (name, use_case_id or new_id())

    def _identity_before(self, item: _Item, known: Mapping[str, StoredRequest]) -> Identity | None:
        if item.first is not None and item.first.identity is not None:
            return item.first.identity
        request = known.get(item.event.provider_response_id or "")
        if request is None or request.values["use_case_name"] is None:
            return None
        return request.values["use_case_name"], request.values["use_case_id"]

    def _load_prices(self, items: Sequence[_Item], known: Mapping[str, StoredRequest]) -> None:
        named = [*(item.event.columns.get("limit_ids", ()) for item in items)]
        self._limits = limits.types_of(
            self._connection, self._application_id, (one for limit_ids in named for one in limit_ids)
        )
        sent = [price_key(item.event.columns) for item in items]
        kept = [price_key(request.values) for request in known.values()] if self._upsert else []
        self._book = resources.price_book(self._connection, [*sent, *kept])

    def _insert(self, items: Sequence[_Item]) -> None:
        if not items:
            return
        # In one order everywhere; rows without an id are never in anybody's way.
        ordered = sorted(items, key=lambda item: item.event.provider_response_id or "")
        rows = [self._new_values(item, one) for item, one in zip(ordered, new_ids(len(items)), strict=True)]
        if len(insert_missing(self._connection, requests, rows, _UNIQUE)) < len(rows):
            raise Overtaken
        for item, row in zip(ordered, rows, strict=True):
            item.values = row
            self._counted(item, None, row)

    def _new_values(self, item: _Item, request_id: str) -> dict[str, Any]:
        values = {**self._start, **item.event.columns, **item.owner.columns}
        values["properties"] = dict(item.event.properties)
        values["request_id"] = request_id
        values["provider_response_id"] = item.event.provider_response_id
        return self._priced(item, values)

    def _update(self, known: Mapping[str, StoredRequest]) -> None:
        """Lock what is known and apply to it what later events of the same id say."""
        later = [
            item for item in self._items if not item.skipped and (item.is_known or item.first is not None)
        ]
        ids = sorted({item.event.provider_response_id or "" for item in later if item.is_known})
        current = {
            key: request.values
            for key, request in stored.find_for_update(self._connection, self._application_id, ids).items()
        }
        before = dict(current)
        for item in later:
            key = item.event.provider_response_id or ""
            if key not in current:
                if item.first is None or item.first.values is None:
                    # Deleted since it was looked for.
                    raise Overtaken
                current[key] = before[key] = item.first.values
            current[key] = item.values = self._merged(item, current[key])
        for key, values in current.items():
            self._save(before[key], values)
        for item in later:
            item.values = current[item.event.provider_response_id or ""]
            if item.first is not None:
                item.first.values = item.values
            self._counted(item, before[item.event.provider_response_id or ""], item.values)

    def _merged(self, item: _Item, before: Mapping[str, Any]) -> dict[str, Any]:
        values = {
            **before,
            **item.event.columns,
            **item.owner.columns,
            "properties": {**_lasting(before["properties"]), **item.event.properties},
        }
        return self._priced(item, values)

    def _save(self, before: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        changed = {name: value for name, value in values.items() if value != before[name]}
        if changed:
            self._connection.execute(update(requests).where(requests.c.id == values["id"]).values(**changed))

    def _priced(self, item: _Item, values: dict[str, Any]) -> dict[str, Any]:
        warnings = [
            f"limit_not_found: {one!r} is no limit; create it first"
            for one in item.event.columns.get("limit_ids", ())
            if one not in self._limits
        ]
        instance = item.owner.instance
        if instance is not None and instance.limit_id and instance.limit_id not in values["limit_ids"]:
            values["limit_ids"] = [*values["limit_ids"], instance.limit_id]
        values.update(priced(item.event.units, values, [*item.warnings, *warnings], self._book))
        return values

    def _counted(self, item: _Item, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
        """Note what limits and roll-ups must hear of a request, once for each request."""
        row_id = after["id"]
        earlier = self._deltas.get(row_id)
        if earlier is not None and len(earlier) == 1:
            # New in this batch and changed in it as well: only how it ends counts.
            before = None
        elif earlier is not None:
            return
        coming = rollups.Delta(after)
        self._deltas[row_id] = [coming] if before is None else [rollups.Delta(before, -1), coming]
        if before is None and not after["limit_ids"]:
            self._changes.pop(row_id, None)
            return
        self._changes[row_id] = Change(
            request=row_id,
            limit_ids=after["limit_ids"],
            cost=(after["input_cost"], after["output_cost"]),
            before=None if before is None else (before["input_cost"], before["output_cost"]),
            failed=rollups.is_failure(after),
            states=item.event.limit_states,
        )

    def _keep_bodies(self) -> None:
        kept: dict[int, Mapping[str, Any]] = {}
        for item in self._items:
            use_case = item.owner.use_case
            if use_case is not None and use_case.logging_enabled and item.event.bodies and item.values:
                kept[item.values["id"]] = item.event.bodies
        known = [item.values["id"] for item in self._items if item.is_known and item.values]
        replaced = sorted(kept.keys() & set(known))
        if replaced:
            self._connection.execute(delete(request_bodies).where(request_bodies.c.request.in_(replaced)))
        empty = dict.fromkeys(column.name for column in request_bodies.columns)
        rows = [{**empty, "request": row_id, **bodies} for row_id, bodies in sorted(kept.items())]
        if rows:
            self._connection.execute(insert(request_bodies), rows)

    def _instance_properties(self) -> dict[int, Properties]:
        merged: dict[int, Properties] = {}
        for item in self._items:
            instance = item.owner.instance
            if instance is not None and item.event.use_case_properties:
                merged[instance.id] = {**merged.get(instance.id, {}), **item.event.use_case_properties}
        return merged

    def outcomes(self) -> list[Outcome]:
        """What became of each event, after `run`."""
        known = self._known
        counted_before = limit_counts.states(self._connection, [request.id for request in known.values()])
        outcomes: list[Outcome] = []
        for item in self._items:
            if item.is_known and item.skipped:
                request = known[item.event.provider_response_id or ""]
                outcomes.append(Outcome(request, True, counted_before.get(request.id, {})))
                continue
            source = item.first if item.skipped and item.first is not None else item
            assert source.values is not None
            request = stored.read_request(source.values)
            is_duplicate = item.is_known or item.first is not None
            outcomes.append(Outcome(request, is_duplicate, self._said.get(request.id, {})))
        return outcomes


def _linked(events: Sequence[Event]) -> list[_Item]:
    first: dict[str, _Item] = {}
    items: list[_Item] = []
    for event in events:
        key = event.provider_response_id
        item = _Item(event, None if key is None else first.get(key))
        if key is not None:
            first.setdefault(key, item)
        items.append(item)
    return items


def _lasting(properties: Properties) -> Properties:
    """Without what was said of units that are now replaced."""
    return {name: value for name, value in properties.items() if name != "system.usage_source"}
