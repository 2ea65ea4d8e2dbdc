"""The table of what is summed up of each instance, for questions about many of them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table

from payi_otel.server.store.schema import metadata
from payi_otel.server.store.types import RowId, Second

INSTANCE_SUMS = (
    "calls",
    "failures",
    "input_tokens",
    "output_tokens",
    "latency_ms",
    "cost_whole",
    "cost_rest",
)
"""What is summed up; money in the two parts of `types.split_money`."""

instance_sums = Table(
    "instance_sums",
    metadata,
    Column(
        "instance",
        RowId,
        ForeignKey("instances.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("use_case", RowId, nullable=False),
    Column("version", Integer, nullable=False),
    # Of all its requests: the earliest and the latest event.
    Column("began_at", Second, nullable=False),
    Column("ended_at", Second, nullable=False),
    *(Column(name, RowId, nullable=False) for name in INSTANCE_SUMS),
    # Holds nothing that changes with each request.
    Index(None, "use_case", "began_at", "version"),
)
