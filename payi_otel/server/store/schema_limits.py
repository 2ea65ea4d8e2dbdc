"""The tables of limits: what may be spent, what was, and which requests counted."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from payi_otel.server.store.schema import id_column, metadata, parent_column
from payi_otel.server.store.types import Exact, Instant, RowId

STATES = ("ok", "exceeded", "overrun", "blocked", "blocked_external", "failed")
"""What a limit said to a request, each counted in a column of its own."""

limits = Table(
    "limits",
    metadata,
    id_column(),
    parent_column("application_id", "applications"),
    Column("limit_id", Text, nullable=False),
    Column("limit_name", Text, nullable=False),
    Column("limit_type", String(5), nullable=False),
    Column("max", Exact, nullable=False),
    Column("threshold", Float),
    Column("properties", JSON, nullable=False),
    # Raised by each reset; what is counted goes to the row of this period.
    Column("period", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("application_id", "limit_id"),
    UniqueConstraint("application_id", "limit_name"),
)

limit_periods = Table(
    "limit_periods",
    metadata,
    id_column(),
    parent_column("limit", "limits"),
    Column("period", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("reset_at", Instant),
    Column("input_whole", RowId, nullable=False),
    Column("input_rest", RowId, nullable=False),
    Column("output_whole", RowId, nullable=False),
    Column("output_rest", RowId, nullable=False),
    *(Column(state, RowId, nullable=False) for state in STATES),
    UniqueConstraint("limit", "period"),
)

request_limits = Table(
    "request_limits",
    metadata,
    Column(
        "request", RowId, ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column(
        "limit", RowId, ForeignKey("limits.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("period", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Index(None, "limit"),
)
