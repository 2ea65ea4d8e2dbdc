"""OTLP/HTTP at the server itself: `/v1/traces` and `/v1/logs` with one of its keys, where the gateway is installed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI

from payi_otel.delivery.scores import KpiScore
from payi_otel.gateway.budget import Budget
from payi_otel.gateway.http import OtlpHttp, mount
from payi_otel.gateway.keys import given_key
from payi_otel.gateway.known import KnownCalls
from payi_otel.gateway.protobuf import SlowProtobuf, require_fast_protobuf
from payi_otel.gateway.receiver import Receiver, Sink
from payi_otel.server.api.context import now
from payi_otel.server.api.events import checked_fields, to_event
from payi_otel.server.errors import ApiError
from payi_otel.server.store import instances, kpis, use_cases
from payi_otel.server.store.engine import Store
from payi_otel.server.store.ingest import Event, store_bulk
from payi_otel.server.store.keys import find_application
from payi_otel.spans.event import IngestEvent

logger = logging.getLogger("payi_otel.server")

_THREADS = 4
_HELD_AT_ONCE = 8


class ApplicationSink:
    """Stores what the senders of one application tell, as the Ingest and the KPI endpoints would."""

    def __init__(self, store: Store, application_id: int) -> None:
        self.known = KnownCalls()
        self._store = store
        self._application_id = application_id

    def store(self, items: Sequence[IngestEvent | KpiScore]) -> Sequence[str]:
        """Store events and scores; why some of them are refused."""
        refused: list[str] = []
        events: list[Event] = []
        arrived = now()
        for item in items:
            if isinstance(item, IngestEvent):
                try:
                    events.append(to_event(checked_fields(item.body), arrived, log=True))
                except (ApiError, ValueError) as error:
                    refused.append(f"event: {error}")
        self._store.transact(
            lambda connection: store_bulk(connection, self._application_id, events, arrived, upsert=True)
        )
        for item in items:
            if isinstance(item, KpiScore):
                try:
                    self._score(item)
                except ApiError as error:
                    refused.append(f"score: {error}")
        return refused

    def _score(self, item: KpiScore) -> None:
        with self._store.write() as connection:
            use_case = use_cases.get(connection, self._application_id, item.use_case_name)
            kpi = kpis.get(connection, use_case.id, item.kpi_name)
            score = kpis.checked_score(kpi, item.score)
            instance = instances.ensure(connection, self._application_id, use_case, item.use_case_id, now())
            kpis.set_score(connection, kpi, instance, score, now())


def mount_otlp(app: FastAPI, store: Store, max_body_bytes: int) -> None:
    """Serve OTLP/HTTP beside the API; without it where protobuf is too slow here, which the log says.

    >>> mount_otlp(app, store, 2**25)  # doctest: +SKIP
    """
    try:
        require_fast_protobuf()
    except SlowProtobuf as error:
        logger.warning("OTLP is not served: %s", error)
        return
    sinks: dict[int, ApplicationSink] = {}

    def door(authorization: str | None, api_key: str | None) -> Sink | None:
        key = given_key(authorization=authorization, api_key=api_key)
        if key is None:
            return None
        with store.read() as connection:
            application_id = find_application(connection, key)
        if application_id is None:
            return None
        return sinks.setdefault(application_id, ApplicationSink(store, application_id))

    threads = ThreadPoolExecutor(_THREADS, "payi-otlp")
    budget = Budget(_HELD_AT_ONCE * max_body_bytes)
    mount(app, OtlpHttp(Receiver(), door, threads, max_body_bytes, budget))
