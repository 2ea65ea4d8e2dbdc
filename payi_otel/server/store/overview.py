"""What needs a look, on the portal's first page: limits nearly spent, and what the server warned about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Float, Text, cast, func, select

from payi_otel.server.store.limits import Limit, read_limit, select_current
from payi_otel.server.store.schema import requests
from payi_otel.server.store.schema_limits import limit_periods, limits

_RECENT = 10_000
_CANDIDATES = 100
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Repeated:
    """Something the server said about `calls` of the newest requests, of which `last` is the latest."""

    text: str
    calls: int
    last: datetime


def warnings(connection: Connection, application_id: int, *, most: int = 5) -> Sequence[Repeated]:
    """What the server said most recently, among the newest ten thousand requests of all applications."""
    newest = connection.execute(select(func.max(requests.c.id))).scalar() or 0
    c = requests.c
    # Without the application, whose index SQLite would walk along in place of these few rows.
    statement = select(c.application_id, c.event_timestamp, c.warnings).where(
        c.id > newest - _RECENT, cast(c.warnings, Text) != "[]"
    )
    found: dict[str, Repeated] = {}
    for row in connection.execute(statement):
        for text in row.warnings if row.application_id == application_id else ():
            known = found.get(text, Repeated(text, 0, row.event_timestamp))
            found[text] = Repeated(text, known.calls + 1, max(known.last, row.event_timestamp))
    return sorted(found.values(), key=lambda one: (one.last, one.text), reverse=True)[:most]


def nearly_spent(
    connection: Connection, application_id: int, *, share: float = 0.75, most: int = 5
) -> Sequence[Limit]:
    """Limits of which at least `share` is spent, the fullest first."""
    spent = cast(limit_periods.c.input_whole + limit_periods.c.output_whole, Float)
    full = cast(limits.c.max, Float) * _MICRO
    # Divided in Python only: a limit of 0 is full from its first cent on.
    statement = select_current(application_id).where(spent >= full * share, spent > 0)
    rows = connection.execute(statement.order_by((spent - full).desc()).limit(_CANDIDATES))
    return sorted(map(read_limit, rows), key=lambda one: one.share or 0, reverse=True)[:most]
