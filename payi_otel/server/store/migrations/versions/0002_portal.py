"""What the portal asks: sums made beforehand, and who may look.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "facets",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("application_id", _ROW_ID, nullable=False),
        sa.Column("facet", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("use_case_name", sa.String(length=64), nullable=True),
        sa.Column("use_case_version", sa.Integer(), nullable=True),
        sa.Column("use_case_step", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("resource", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=True),
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
        sa.Column("latency", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("first_token", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name=op.f("fk_facets_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_facets")),
    )
    op.create_index(
        op.f("ix_facets_application_id_facet_at"),
        "facets",
        ["application_id", "facet", "at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_facets_application_id_facet_use_case_name_at"),
        "facets",
        ["application_id", "facet", "use_case_name", "at"],
        unique=False,
    )
    op.create_table(
        "users",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("application_id", _ROW_ID, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_users_application_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user", _ROW_ID, nullable=True),
        sa.Column("key_hash", sa.String(length=64), nullable=True),
        sa.Column("application_id", _ROW_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name=op.f("fk_sessions_application_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_sessions_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)
    op.create_table(
        "sign_in_links",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_in_links_token_hash")),
    )
    op.create_table(
        "instance_sums",
        sa.Column("instance", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("use_case", _ROW_ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("calls", _ROW_ID, nullable=False),
        sa.Column("failures", _ROW_ID, nullable=False),
        sa.Column("input_tokens", _ROW_ID, nullable=False),
        sa.Column("output_tokens", _ROW_ID, nullable=False),
        sa.Column("latency_ms", _ROW_ID, nullable=False),
        sa.Column("cost_whole", _ROW_ID, nullable=False),
        sa.Column("cost_rest", _ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["instance"], ["instances.id"], name=op.f("fk_instance_sums_instance"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instance", name=op.f("pk_instance_sums")),
    )
    op.create_index(
        op.f("ix_instance_sums_use_case_began_at_version"),
        "instance_sums",
        ["use_case", "began_at", "version"],
        unique=False,
    )
