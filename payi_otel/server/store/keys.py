"""Applications and their API keys. A key itself is never stored: only its hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy import Connection, select

from payi_otel.server.store.engine import insert_new
from payi_otel.server.store.schema import api_keys, applications

DEFAULT_APPLICATION = "default"


def new_key() -> str:
    """A fresh API key with 256 random bits."""
    return f"sk-payi-app-{secrets.token_urlsafe(32)}"


def key_hash(key: str) -> str:
    """What is stored of a key. Keys are random, so a fast hash without salt cannot be guessed back."""
    return hashlib.sha256(key.encode()).hexdigest()


def find_application(connection: Connection, key: str) -> int | None:
    """The application a key belongs to."""
    hashed = key_hash(key)
    row = connection.execute(
        select(api_keys.c.application_id, api_keys.c.key_hash).where(api_keys.c.key_hash == hashed)
    ).first()
    if row is None or not hmac.compare_digest(row.key_hash, hashed):
        return None
    return row.application_id


def any_key(connection: Connection) -> bool:
    """Whether there is a key at all."""
    return connection.execute(select(api_keys.c.id).limit(1)).first() is not None


def allow_key(connection: Connection, key: str, now: datetime) -> None:
    """Make `key` valid for the default application; a known key stays where it is."""
    insert_new(connection, applications, {"name": DEFAULT_APPLICATION, "created_at": now}, ["name"])
    application_id = connection.execute(
        select(applications.c.id).where(applications.c.name == DEFAULT_APPLICATION)
    ).scalar_one()
    values = {"application_id": application_id, "key_hash": key_hash(key), "created_at": now}
    insert_new(connection, api_keys, values, ["key_hash"])
