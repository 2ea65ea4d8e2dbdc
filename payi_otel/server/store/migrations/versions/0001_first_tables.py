"""What applications send, and what they define: the first tables.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# SQLite numbers rows by itself only for a column that is exactly INTEGER.
_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "applications",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
        sa.UniqueConstraint("name", name=op.f("uq_applications_name")),
    )
    op.create_table(
        "resource_versions",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("units", sa.JSON(), nullable=False),
        sa.Column("max_input_units", _ROW_ID, nullable=True),
        sa.Column("max_output_units", _ROW_ID, nullable=True),
        sa.Column("max_total_units", _ROW_ID, nullable=True),
        sa.Column("start_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource_versions")),
        sa.UniqueConstraint("resource_id", name=op.f("uq_resource_versions_resource_id")),
    )
    op.create_index(
        op.f("ix_resource_versions_category_resource"),
        "resource_versions",
        ["category", "resource"],
        unique=False,
    )
    op.create_table(
        "rollup_units",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("input", _ROW_ID, nullable=False),
        sa.Column("output", _ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("key", "unit", name=op.f("pk_rollup_units")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("application_id", _ROW_ID, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name=op.f("fk_api_keys_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("application_id", "slot", name=op.f("uq_api_keys_application_id_slot")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_table(
        "limits",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("application_id", _ROW_ID, nullable=False),
        sa.Column("limit_id", sa.Text(), nullable=False),
        sa.Column("limit_name", sa.Text(), nullable=False),
        sa.Column("limit_type", sa.String(length=5), nullable=False),
        sa.Column("max", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_limits_application_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limits")),
        sa.UniqueConstraint("application_id", "limit_id", name=op.f("uq_limits_application_id_limit_id")),
        sa.UniqueConstraint("application_id", "limit_name", name=op.f("uq_limits_application_id_limit_name")),
    )
    op.create_table(
        "reports",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("application_id", _ROW_ID, nullable=False),
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("pivots", sa.JSON(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name=op.f("fk_reports_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.UniqueConstraint("application_id", "report_id", name=op.f("uq_reports_application_id_report_id")),
    )
    op.create_table(
        "requests",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("application_id", _ROW_ID, nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("provider_response_id", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=True),
        sa.Column("resource_scope", sa.Text(), nullable=True),
        sa.Column("price_as_category", sa.Text(), nullable=True),
        sa.Column("price_as_resource", sa.Text(), nullable=True),
        sa.Column("units", sa.JSON(), nullable=False),
        sa.Column("event_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ingest_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_to_end_latency_ms", sa.Integer(), nullable=True),
        sa.Column("time_to_first_token_ms", sa.Integer(), nullable=True),
        sa.Column("time_to_first_completion_token_ms", sa.Integer(), nullable=True),
        sa.Column("http_status_code", sa.Integer(), nullable=True),
        sa.Column("provider_uri", sa.Text(), nullable=True),
        sa.Column("use_case_name", sa.String(length=64), nullable=True),
        sa.Column("use_case_id", sa.Text(), nullable=True),
        sa.Column("use_case_version", sa.Integer(), nullable=True),
        sa.Column("use_case_step", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("limit_ids", sa.JSON(), nullable=False),
        sa.Column("request_tags", sa.JSON(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("function_calls", sa.JSON(), nullable=False),
        sa.Column("input_cost", sa.BigInteger(), nullable=False),
        sa.Column("output_cost", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", _ROW_ID, nullable=False),
        sa.Column("output_tokens", _ROW_ID, nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=True),
        sa.Column("unknown_units", sa.JSON(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name=op.f("fk_requests_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
        sa.UniqueConstraint(
            "application_id",
            "provider_response_id",
            name=op.f("uq_requests_application_id_provider_response_id"),
        ),
        sa.UniqueConstraint("request_id", name=op.f("uq_requests_request_id")),
    )
    op.create_index(
        op.f("ix_requests_application_id_event_timestamp"),
        "requests",
        ["application_id", "event_timestamp"],
        unique=False,
    )
    op.create_index(
        op.f("ix_requests_application_id_use_case_name_event_timestamp"),
        "requests",
        ["application_id", "use_case_name", "event_timestamp"],
        unique=False,
    )
    op.create_index(
        op.f("ix_requests_application_id_use_case_name_use_case_id"),
        "requests",
        ["application_id", "use_case_name", "use_case_id"],
        unique=False,
    )
    op.create_table(
        "rollups",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("application_id", _ROW_ID, nullable=False),
        sa.Column("is_detailed", sa.Boolean(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("use_case_name", sa.String(length=64), nullable=True),
        sa.Column("use_case_version", sa.Integer(), nullable=True),
        sa.Column("use_case_step", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("http_status_code", sa.Integer(), nullable=True),
        sa.Column("calls", _ROW_ID, nullable=False),
        sa.Column("failures", _ROW_ID, nullable=False),
        sa.Column("estimated", _ROW_ID, nullable=False),
        sa.Column("unpriced", _ROW_ID, nullable=False),
        sa.Column("input_tokens", _ROW_ID, nullable=False),
        sa.Column("output_tokens", _ROW_ID, nullable=False),
        sa.Column("latency_ms", _ROW_ID, nullable=False),
        sa.Column("latency_calls", _ROW_ID, nullable=False),
        sa.Column("input_whole", _ROW_ID, nullable=False),
        sa.Column("input_rest", _ROW_ID, nullable=False),
        sa.Column("output_whole", _ROW_ID, nullable=False),
        sa.Column("output_rest", _ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name=op.f("fk_rollups_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rollups")),
    )
    op.create_index(
        op.f("ix_rollups_application_id_is_detailed_hour"),
        "rollups",
        ["application_id", "is_detailed", "hour"],
        unique=False,
    )
    op.create_table(
        "use_cases",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("application_id", _ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("logging_enabled", sa.Boolean(), nullable=False),
        sa.Column("limit_config", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("type_version", sa.Integer(), nullable=False),
        sa.Column("defined", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name=op.f("fk_use_cases_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_use_cases")),
        sa.UniqueConstraint("application_id", "name", name=op.f("uq_use_cases_application_id_name")),
    )
    op.create_table(
        "instances",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("application_id", _ROW_ID, nullable=False),
        sa.Column("use_case", _ROW_ID, nullable=False),
        sa.Column("use_case_id", sa.Text(), nullable=False),
        sa.Column("type_version", sa.Integer(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("limit_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name=op.f("fk_instances_application_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["use_case"], ["use_cases.id"], name=op.f("fk_instances_use_case"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sa.UniqueConstraint("use_case", "use_case_id", name=op.f("uq_instances_use_case_use_case_id")),
    )
    op.create_index(
        op.f("ix_instances_application_id_use_case_id"),
        "instances",
        ["application_id", "use_case_id"],
        unique=False,
    )
    op.create_table(
        "kpis",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("use_case", _ROW_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("kpi_type", sa.String(length=16), nullable=False),
        sa.Column("goal", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["use_case"], ["use_cases.id"], name=op.f("fk_kpis_use_case"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kpis")),
        sa.UniqueConstraint("use_case", "name", name=op.f("uq_kpis_use_case_name")),
    )
    op.create_table(
        "limit_periods",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("limit", _ROW_ID, nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reset_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("input_whole", _ROW_ID, nullable=False),
        sa.Column("input_rest", _ROW_ID, nullable=False),
        sa.Column("output_whole", _ROW_ID, nullable=False),
        sa.Column("output_rest", _ROW_ID, nullable=False),
        sa.Column("ok", _ROW_ID, nullable=False),
        sa.Column("exceeded", _ROW_ID, nullable=False),
        sa.Column("overrun", _ROW_ID, nullable=False),
        sa.Column("blocked", _ROW_ID, nullable=False),
        sa.Column("blocked_external", _ROW_ID, nullable=False),
        sa.Column("failed", _ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["limit"], ["limits.id"], name=op.f("fk_limit_periods_limit"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_periods")),
        sa.UniqueConstraint("limit", "period", name=op.f("uq_limit_periods_limit_period")),
    )
    op.create_table(
        "request_bodies",
        sa.Column("request", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("provider_request_json", sa.Text(), nullable=True),
        sa.Column("provider_request_reasoning_json", sa.Text(), nullable=True),
        sa.Column("provider_response_json", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("function_calls", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("provider_request_headers", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("provider_response_headers", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["request"], ["requests.id"], name=op.f("fk_request_bodies_request"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request", name=op.f("pk_request_bodies")),
    )
    op.create_table(
        "request_limits",
        sa.Column("request", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("limit", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["limit"], ["limits.id"], name=op.f("fk_request_limits_limit"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["request"], ["requests.id"], name=op.f("fk_request_limits_request"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request", "limit", name=op.f("pk_request_limits")),
    )
    op.create_index(op.f("ix_request_limits_limit"), "request_limits", ["limit"], unique=False)
    op.create_table(
        "value_policies",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("use_case", _ROW_ID, nullable=False),
        sa.Column("money", sa.Text(), nullable=True),
        sa.Column("time", sa.Text(), nullable=True),
        sa.Column("constants", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["use_case"], ["use_cases.id"], name=op.f("fk_value_policies_use_case"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_value_policies")),
        sa.UniqueConstraint("use_case", name=op.f("uq_value_policies_use_case")),
    )
    op.create_table(
        "kpi_scores",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("kpi", _ROW_ID, nullable=False),
        sa.Column("instance", _ROW_ID, nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance"], ["instances.id"], name=op.f("fk_kpi_scores_instance"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["kpi"], ["kpis.id"], name=op.f("fk_kpi_scores_kpi"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kpi_scores")),
        sa.UniqueConstraint("kpi", "instance", name=op.f("uq_kpi_scores_kpi_instance")),
    )
    op.create_index(op.f("ix_kpi_scores_instance"), "kpi_scores", ["instance"], unique=False)
    op.create_index(
        op.f("ix_kpi_scores_kpi_at_version_score_instance"),
        "kpi_scores",
        ["kpi", "at", "version", "score", "instance"],
        unique=False,
    )
