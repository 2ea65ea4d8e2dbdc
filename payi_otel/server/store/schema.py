"""The tables. Every row belongs to an application; requests keep the names they were sent under.

A request holds its use case's name and id as text: deleting a use case never loses what it cost.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from payi_otel.server.store.types import Instant, Money, RowId, Second

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_column() -> Column[int]:
    """A row's own number."""
    return Column("id", RowId, primary_key=True, autoincrement=True)


def parent_column(name: str, target: str) -> Column[int]:
    """The number of the row that this one goes with."""
    return Column(name, RowId, ForeignKey(f"{target}.id", ondelete="CASCADE"), nullable=False)


applications = Table(
    "applications",
    metadata,
    id_column(),
    Column("name", String(200), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    id_column(),
    parent_column("application_id", "applications"),
    # 1 or 2: an application has two keys, so that one can be replaced while the other still works.
    Column("slot", Integer, nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("application_id", "slot"),
)

use_cases = Table(
    "use_cases",
    metadata,
    id_column(),
    parent_column("application_id", "applications"),
    Column("name", String(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("logging_enabled", Boolean, nullable=False),
    Column("limit_config", JSON(none_as_null=True)),
    Column("type_version", Integer, nullable=False),
    # False until somebody defines it: until then it was only made by its first use.
    Column("defined", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("application_id", "name"),
)

instances = Table(
    "instances",
    metadata,
    id_column(),
    parent_column("application_id", "applications"),
    parent_column("use_case", "use_cases"),
    Column("use_case_id", Text, nullable=False),
    Column("type_version", Integer, nullable=False),
    Column("properties", JSON, nullable=False),
    # The limit that its use case gives each instance.
    Column("limit_id", Text),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("use_case", "use_case_id"),
    # The older API finds an instance without its use case's name.
    Index(None, "application_id", "use_case_id"),
)

kpis = Table(
    "kpis",
    metadata,
    id_column(),
    parent_column("use_case", "use_cases"),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("kpi_type", String(16), nullable=False),
    Column("goal", Float, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("use_case", "name"),
)

kpi_scores = Table(
    "kpi_scores",
    metadata,
    id_column(),
    parent_column("kpi", "kpis"),
    parent_column("instance", "instances"),
    Column("score", Float),
    # When its instance began, if that is known: a score may come weeks after what it is about.
    Column("at", Second, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("kpi", "instance"),
    Index(None, "instance"),
    # All that dashboards ask of scores, so that they need not look at the rows.
    Index(None, "kpi", "at", "version", "score", "instance"),
)

requests = Table(
    "requests",
    metadata,
    id_column(),
    parent_column("application_id", "applications"),
    Column("request_id", String(36), nullable=False, unique=True),
    Column("provider_response_id", Text),
    Column("category", Text, nullable=False),
    Column("resource", Text),
    Column("resource_scope", Text),
    Column("price_as_category", Text),
    Column("price_as_resource", Text),
    Column("units", JSON, nullable=False),
    Column("event_timestamp", Instant, nullable=False),
    Column("ingest_timestamp", Instant, nullable=False),
    Column("end_to_end_latency_ms", Integer),
    Column("time_to_first_token_ms", Integer),
    Column("time_to_first_completion_token_ms", Integer),
    Column("http_status_code", Integer),
    Column("provider_uri", Text),
    Column("use_case_name", String(64)),
    Column("use_case_id", Text),
    Column("use_case_version", Integer),
    Column("use_case_step", Text),
    Column("user_id", Text),
    Column("account_name", Text),
    Column("limit_ids", JSON, nullable=False),
    Column("request_tags", JSON, nullable=False),
    Column("properties", JSON, nullable=False),
    Column("function_calls", JSON, nullable=False),
    Column("input_cost", Money, nullable=False),
    Column("output_cost", Money, nullable=False),
    Column("input_tokens", RowId, nullable=False),
    Column("output_tokens", RowId, nullable=False),
    Column("resource_id", Text),
    Column("unknown_units", JSON, nullable=False),
    Column("warnings", JSON, nullable=False),
    # The identity of an event: sent twice, it is stored once.
    UniqueConstraint("application_id", "provider_response_id"),
    Index(None, "application_id", "use_case_name", "event_timestamp"),
    # The requests of an instance.
    Index(None, "application_id", "use_case_name", "use_case_id"),
    # What retention and re-pricing walk along.
    Index(None, "application_id", "event_timestamp"),
)

request_bodies = Table(
    "request_bodies",
    metadata,
    Column(
        "request", RowId, ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("provider_request_json", Text),
    Column("provider_request_reasoning_json", Text),
    Column("provider_response_json", JSON(none_as_null=True)),
    Column("function_calls", JSON(none_as_null=True)),
    Column("provider_request_headers", JSON(none_as_null=True)),
    Column("provider_response_headers", JSON(none_as_null=True)),
)
"""Prompts, answers and headers: only of use cases whose logging is enabled."""
