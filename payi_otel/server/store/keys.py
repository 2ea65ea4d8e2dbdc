"""Applications and their API keys, two each. A key itself is never stored: only its hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from payi_otel.server.store.engine import insert_new
from payi_otel.server.store.schema import api_keys, applications

DEFAULT_APPLICATION = "default"
SLOTS = (1, 2)
# Made once, as it is executed for each request to the API.
_BY_HASH = select(api_keys.c.application_id, api_keys.c.key_hash).where(
    api_keys.c.key_hash == bindparam("hashed")
)


@dataclass(frozen=True, slots=True)
class Application:
    """An application, and since when each of its keys is valid, by slot."""

    id: int
    name: str
    created_at: datetime
    keys: Sequence[tuple[int, datetime]] = ()


def new_key() -> str:
    """A fresh API key with 256 random bits."""
    return f"sk-payi-app-{secrets.token_urlsafe(32)}"


def key_hash(key: str) -> str:
    """What is stored of a key. Keys are random, so a fast hash without salt cannot be guessed back."""
    return hashlib.sha256(key.encode()).hexdigest()


def find_application(connection: Connection, key: str) -> int | None:
    """The application a key belongs to."""
    hashed = key_hash(key)
    row = connection.execute(_BY_HASH, {"hashed": hashed}).first()
    if row is None or not hmac.compare_digest(row.key_hash, hashed):
        return None
    return row.application_id


def any_key(connection: Connection) -> bool:
    """Whether there is a key at all."""
    return connection.execute(select(api_keys.c.id).limit(1)).first() is not None


def ensure_application(connection: Connection, name: str, now: datetime) -> Application:
    """The application of a name, made if it is new."""
    lock_application(connection, name, now)
    return next(one for one in list_applications(connection) if one.name == name)


def lock_application(connection: Connection, name: str, now: datetime) -> None:
    """Keep others from changing an application's keys until the transaction ends; it is made if it is new."""
    insert_new(connection, applications, {"name": name, "created_at": now}, ["name"])
    connection.execute(select(applications.c.id).where(applications.c.name == name).with_for_update())


def list_applications(connection: Connection) -> list[Application]:
    """All applications by name."""
    keys: dict[int, list[tuple[int, datetime]]] = {}
    for row in connection.execute(select(api_keys).order_by(api_keys.c.slot)):
        keys.setdefault(row.application_id, []).append((row.slot, row.created_at))
    rows = connection.execute(select(applications).order_by(applications.c.name))
    return [Application(row.id, row.name, row.created_at, keys.get(row.id, ())) for row in rows]


def allow_key(connection: Connection, key: str, now: datetime, name: str = DEFAULT_APPLICATION) -> None:
    """Make `key` valid for an application; a known key stays where it is.

    It takes the free slot, or where both are taken that of the older key, which is valid no more.
    """
    hashed = key_hash(key)
    if connection.execute(select(api_keys.c.id).where(api_keys.c.key_hash == hashed)).first() is not None:
        return
    application = ensure_application(connection, name, now)
    taken = dict(application.keys)
    slot = next((one for one in SLOTS if one not in taken), None) or min(taken, key=lambda one: taken[one])
    set_key(connection, application.id, slot, key, now)


def set_key(connection: Connection, application_id: int, slot: int, key: str, now: datetime) -> None:
    """Put `key` in a slot; the one there is valid no more."""
    values = {"key_hash": key_hash(key), "created_at": now}
    here = (api_keys.c.application_id == application_id) & (api_keys.c.slot == slot)
    if connection.execute(update(api_keys).where(here).values(**values)).rowcount == 0:
        connection.execute(insert(api_keys).values(application_id=application_id, slot=slot, **values))


def revoke_key(connection: Connection, application_id: int, slot: int) -> bool:
    """Empty a slot; says whether there was a key in it."""
    here = (api_keys.c.application_id == application_id) & (api_keys.c.slot == slot)
    return connection.execute(delete(api_keys).where(here)).rowcount > 0
