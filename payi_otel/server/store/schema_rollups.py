"""The tables of roll-ups: sums of requests by hour and by whom and what they were for."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from payi_otel.server.store.schema import metadata, parent_column
from payi_otel.server.store.types import Instant, RowId

DIMENSIONS = (
    "hour",
    "use_case_name",
    "use_case_version",
    "use_case_step",
    "category",
    "resource",
    "user_id",
    "account_name",
    "http_status_code",
)
"""What requests of one detailed roll-up have in common."""

DETAILS = ("use_case_step", "user_id", "account_name")
"""What coarse roll-ups leave out: it may have as many values as there are requests."""

COARSE = tuple(name for name in DIMENSIONS if name not in DETAILS)
"""What requests of one coarse roll-up have in common."""

SUMS = (
    "calls",
    "failures",
    "estimated",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "latency_ms",
    "latency_calls",
    "input_whole",
    "input_rest",
    "output_whole",
    "output_rest",
)
"""What is summed up; money in the two parts of `types.split_money`."""

rollups = Table(
    "rollups",
    metadata,
    # A hash of application, detail and dimensions: nulls are equal in it, which they are in no unique index.
    Column("key", String(40), primary_key=True),
    parent_column("application_id", "applications"),
    # Each request is in a detailed roll-up and in a coarse one, which most queries are content with.
    Column("is_detailed", Boolean, nullable=False),
    Column("hour", Instant, nullable=False),
    Column("use_case_name", String(64)),
    Column("use_case_version", Integer),
    Column("use_case_step", Text),
    Column("category", Text, nullable=False),
    Column("resource", Text),
    Column("user_id", Text),
    Column("account_name", Text),
    Column("http_status_code", Integer),
    *(Column(name, RowId, nullable=False) for name in SUMS),
    Index(None, "application_id", "is_detailed", "hour"),
)

rollup_units = Table(
    "rollup_units",
    metadata,
    # Of coarse roll-ups only.
    Column("key", String(40), primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("input", RowId, nullable=False),
    Column("output", RowId, nullable=False),
)
