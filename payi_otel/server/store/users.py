"""Local users of the portal, their sessions, and links that sign in once. Only hashes of tokens are stored."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, insert, select, update

from payi_otel.server.store.engine import insert_new
from payi_otel.server.store.keys import key_hash
from payi_otel.server.store.schema import api_keys, applications
from payi_otel.server.store.schema_portal import sessions, sign_in_links, users

ADMIN = "admin"
READ_ONLY = "read-only"
ROLES = (ADMIN, READ_ONLY)

SESSION_LASTS = timedelta(days=14)
LINK_LASTS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a password. `application` is the only one they see; None for every one."""

    id: int
    name: str
    role: str
    application_id: int | None
    application: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in and what they may: `user` is None for an API key and for a sign-in link.

    `sees_all`: every application, rather than `application_id` alone.
    """

    application_id: int
    application: str
    role: str
    user: str | None
    by_key: bool
    sees_all: bool


def new_token() -> str:
    """A fresh token with 256 random bits."""
    return secrets.token_urlsafe(32)


def add_user(
    connection: Connection,
    name: str,
    password_hash: str,
    role: str,
    application_id: int | None,
    now: datetime,
) -> bool:
    """Add a user; False where the name is taken."""
    values = {
        "name": name,
        "password_hash": password_hash,
        "role": role,
        "application_id": application_id,
        "created_at": now,
    }
    return insert_new(connection, users, values, ["name"]) is not None


def remove_user(connection: Connection, name: str) -> bool:
    """Remove a user and end their sessions; says whether there was one."""
    return connection.execute(delete(users).where(users.c.name == name)).rowcount > 0


def list_users(connection: Connection) -> Sequence[User]:
    """All users by name."""
    statement = (
        select(users, applications.c.name.label("application"))
        .join_from(users, applications, isouter=True)
        .order_by(users.c.name)
    )
    return [
        User(row.id, row.name, row.role, row.application_id, row.application, row.created_at)
        for row in connection.execute(statement)
    ]


def password_hash_of(connection: Connection, name: str) -> str | None:
    """What is stored of a user's password; None for an unknown user."""
    return connection.execute(select(users.c.password_hash).where(users.c.name == name)).scalar_one_or_none()


def begin_user_session(connection: Connection, name: str, token: str, now: datetime) -> bool:
    """Sign a user in; False where there is none of that name, or no application to show."""
    row = connection.execute(select(users.c.id, users.c.application_id).where(users.c.name == name)).first()
    if row is None:
        return False
    shown = row.application_id if row.application_id is not None else first_application(connection)
    if shown is None:
        return False
    _begin(connection, token, now, shown, user=row.id)
    return True


def begin_key_session(connection: Connection, key: str, token: str, now: datetime) -> bool:
    """Sign in whoever has an API key; False for one that is not valid."""
    hashed = key_hash(key)
    statement = select(api_keys.c.application_id).where(api_keys.c.key_hash == hashed)
    application_id = connection.execute(statement).scalar_one_or_none()
    if application_id is None:
        return False
    _begin(connection, token, now, application_id, key=hashed)
    return True


def add_link(connection: Connection, token: str, now: datetime) -> None:
    """Let `token` sign in once, as an admin of every application."""
    connection.execute(delete(sign_in_links).where(sign_in_links.c.expires_at < now))
    values = {"token_hash": key_hash(token), "created_at": now, "expires_at": now + LINK_LASTS}
    connection.execute(insert(sign_in_links).values(**values))


def begin_link_session(connection: Connection, link: str, token: str, now: datetime) -> bool:
    """Sign in whoever follows a link, which is spent by it; False for one that is spent, old or unknown."""
    here = (sign_in_links.c.token_hash == key_hash(link)) & (sign_in_links.c.expires_at >= now)
    # The delete decides: of two that follow it at once only one gets in.
    if connection.execute(delete(sign_in_links).where(here)).rowcount == 0:
        return False
    shown = first_application(connection)
    if shown is None:
        return False
    _begin(connection, token, now, shown)
    return True


def find_session(connection: Connection, token: str, now: datetime) -> Session | None:
    """Who has this token; None where it is unknown, old, or its user or key is gone."""
    key_valid = exists().where(
        api_keys.c.key_hash == sessions.c.key_hash,
        api_keys.c.application_id == sessions.c.application_id,
    )
    statement = (
        select(
            sessions.c.application_id,
            sessions.c.user,
            sessions.c.key_hash,
            applications.c.name.label("application"),
            users.c.name,
            users.c.role,
            users.c.application_id.label("only"),
        )
        .select_from(sessions.join(applications, sessions.c.application_id == applications.c.id))
        .join(users, sessions.c.user == users.c.id, isouter=True)
        .where(sessions.c.token_hash == key_hash(token), sessions.c.expires_at >= now)
        .where(sessions.c.key_hash.is_(None) | key_valid)
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    by_key = row.key_hash is not None
    role = row.role if row.user is not None else ADMIN
    return Session(
        application_id=row.application_id,
        application=row.application,
        role=role,
        user=row.name,
        by_key=by_key,
        sees_all=not by_key and row.only is None,
    )


def show_application(connection: Connection, token: str, application_id: int) -> bool:
    """Turn a session to another application; False for one that does not exist. Who may, the caller checks."""
    if (
        connection.execute(select(applications.c.id).where(applications.c.id == application_id)).first()
        is None
    ):
        return False
    here = sessions.c.token_hash == key_hash(token)
    connection.execute(update(sessions).where(here).values(application_id=application_id))
    return True


def end_session(connection: Connection, token: str) -> None:
    """Sign out."""
    connection.execute(delete(sessions).where(sessions.c.token_hash == key_hash(token)))


def first_application(connection: Connection) -> int | None:
    """The application that is shown to who sees every one: the oldest."""
    return connection.execute(select(applications.c.id).order_by(applications.c.id).limit(1)).scalar()


def _begin(
    connection: Connection,
    token: str,
    now: datetime,
    application_id: int,
    *,
    user: int | None = None,
    key: str | None = None,
) -> None:
    connection.execute(delete(sessions).where(sessions.c.expires_at < now))
    values = {
        "token_hash": key_hash(token),
        "user": user,
        "key_hash": key,
        "application_id": application_id,
        "created_at": now,
        "expires_at": now + SESSION_LASTS,
    }
    connection.execute(insert(sessions).values(**values))
