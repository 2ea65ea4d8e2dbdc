"""The tables of the portal: local users, who is signed in, and links that sign in once."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from payi_otel.server.store.schema import id_column, metadata
from payi_otel.server.store.types import Instant, RowId

users = Table(
    "users",
    metadata,
    id_column(),
    Column("name", String(100), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", String(16), nullable=False),
    # Null for those who see every application.
    Column("application_id", RowId, ForeignKey("applications.id", ondelete="CASCADE")),
    Column("created_at", Instant, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    id_column(),
    # The browser has the token; here is only its hash.
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("user", RowId, ForeignKey("users.id", ondelete="CASCADE")),
    # Of a session that an API key began: it ends when the key does.
    Column("key_hash", String(64)),
    # What is shown now; who sees every application may change it.
    Column("application_id", RowId, ForeignKey("applications.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index(None, "expires_at"),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    id_column(),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)
"""Links that a server on loopback, or `payi-otel users link`, has printed and nobody has followed yet."""
