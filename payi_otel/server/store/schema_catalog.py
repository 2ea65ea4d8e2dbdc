"""The tables of what operators define: prices of their own, value policies and reports."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, String, Table, Text, UniqueConstraint

from payi_otel.server.store.schema import id_column, metadata, parent_column
from payi_otel.server.store.types import Instant, RowId

resource_versions = Table(
    "resource_versions",
    metadata,
    id_column(),
    Column("resource_id", String(36), nullable=False, unique=True),
    Column("category", Text, nullable=False),
    Column("resource", Text, nullable=False),
    # Prices as decimal text: JSON numbers would be rounded.
    Column("units", JSON, nullable=False),
    Column("max_input_units", RowId),
    Column("max_output_units", RowId),
    Column("max_total_units", RowId),
    Column("start_timestamp", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "category", "resource"),
)
"""Prices belong to all applications, as they do at Pay-i."""

value_policies = Table(
    "value_policies",
    metadata,
    id_column(),
    parent_column("use_case", "use_cases"),
    Column("money", Text),
    Column("time", Text),
    Column("constants", JSON, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("use_case"),
)

reports = Table(
    "reports",
    metadata,
    id_column(),
    parent_column("application_id", "applications"),
    Column("report_id", Text, nullable=False),
    Column("pivots", JSON, nullable=False),
    Column("values", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("application_id", "report_id"),
)
