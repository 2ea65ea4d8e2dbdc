"""Deleting what is old: first what was said, later the requests; what they cost stays in the roll-ups."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from payi_otel.server.store.engine import Store
from payi_otel.server.store.schema import request_bodies, requests

_AT_ONCE = 1000


def delete_bodies(store: Store, before: datetime) -> int:
    """Delete what was said in requests before an instant, some in each transaction. The number deleted."""
    old = (
        select(request_bodies.c.request)
        .join_from(request_bodies, requests)
        .where(requests.c.event_timestamp < before)
        .limit(_AT_ONCE)
    )
    deleted = 0
    while True:
        with store.write() as connection:
            ids = list(connection.execute(old).scalars())
            connection.execute(delete(request_bodies).where(request_bodies.c.request.in_(ids)))
        deleted += len(ids)
        if len(ids) < _AT_ONCE:
            return deleted


def delete_requests(store: Store, before: datetime) -> int:
    """Delete requests before an instant, some in each transaction. The number deleted.

    Roll-ups and the totals of limits keep what they cost; one that is sent again later counts as new.
    """
    old = select(requests.c.id).where(requests.c.event_timestamp < before).order_by(requests.c.id)
    deleted = 0
    while True:
        with store.write() as connection:
            ids = list(connection.execute(old.limit(_AT_ONCE)).scalars())
            connection.execute(delete(requests).where(requests.c.id.in_(ids)))
        deleted += len(ids)
        if len(ids) < _AT_ONCE:
            return deleted
