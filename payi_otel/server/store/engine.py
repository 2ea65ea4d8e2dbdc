"""Opens the database: connections that read, and transactions that write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import to_json
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from payi_otel.server.store.migrations.upgrade import upgrade

T = TypeVar("T")

_BUSY_TIMEOUT_S = 30
_WRITES = "payi_writes"
_POSTGRESQL = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
# One for each thread that answers requests, so that none waits for another's transaction to begin its own.
_POOL_SIZE, _POOL_OVERFLOW = 10, 30
# Serialization failure and deadlock: PostgreSQL has rolled back, and the same work may succeed now.
_TRANSIENT = frozenset({"40001", "40P01"})
_ATTEMPTS = 5
# A bulk of 500 events writes more than SQLite's 1000 pages: it would be copied at each commit.
_CHECKPOINT_PAGES = 4000
# Of each connection. SQLite's 2 MiB do not hold the ends of all indexes that a bulk writes to.
_CACHE_KIB = 8 * 1024


class Overtaken(Exception):
    """Another transaction has stored meanwhile what this one was about to store."""


class Store:
    """One database. `read`, `write` and `transact` are safe from any thread; a failed write leaves nothing behind.

    `database`: the path of a SQLite file, made if missing, or the URL of a PostgreSQL database. Its tables are
    made or brought up to date first. Raises `ValueError` for another kind of URL.

    >>> Store("postgresql://payi@localhost/payi")  # doctest: +SKIP
    """

    def __init__(self, database: str | Path) -> None:
        url = database_url(database)
        if url.get_backend_name() == "sqlite":
            if url.database:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = _sqlite_engine(url)
            # A connection loses what it has cached of the file when another one writes: all writing is done by one.
            in_a_file = url.database not in {None, "", ":memory:"}
            self._writer = _sqlite_engine(url, pool_size=1, max_overflow=0) if in_a_file else self.engine
        else:
            self.engine = create_engine(
                url,
                pool_size=_POOL_SIZE,
                max_overflow=_POOL_OVERFLOW,
                # A restarted database costs a reconnect, not an error.
                pool_pre_ping=True,
                hide_parameters=True,
                json_serializer=_to_json,
            )
            self._writer = self.engine
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        # SQLite lets one writer in at a time and makes the others poll; waiting here is fair and faster.
        self._writing = threading.Lock() if self.is_sqlite else nullcontext()
        with self.write() as connection:
            upgrade(connection)

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A consistent view of the data; nothing can be changed through it."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                yield connection
            else:
                yield connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )

    @contextmanager
    def write(self) -> Generator[Connection]:
        """A transaction, committed at the end of the block and rolled back when it raises."""
        with self._writing, self._writer.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def transact(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` in a transaction of its own, begun anew when another one came in between."""
        failures = 0
        while True:
            try:
                with self.write() as connection:
                    return work(connection)
            except Overtaken:
                # The other one is committed: each round has less left to be overtaken in.
                continue
            except DBAPIError as error:
                failures += 1
                if getattr(error.orig, "sqlstate", None) not in _TRANSIENT or failures == _ATTEMPTS:
                    raise

    def close(self) -> None:
        """Close all connections."""
        self._writer.dispose()
        self.engine.dispose()


def database_url(database: str | Path) -> URL:
    """What `database` names, with the driver to use; raises `ValueError`.

    >>> database_url("postgresql://payi@db/payi").drivername, database_url("payi.db").drivername
    ('postgresql+psycopg', 'sqlite')
    """
    text = str(database)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    if url is not None and url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url is not None and url.drivername == "sqlite":
        return url
    scheme = text.partition("://")[0]
    raise ValueError(
        f"database: cannot use {scheme!r}; give the path of a SQLite file or postgresql://user@host/name"
    )


def insert_new(
    connection: Connection, table: Table, values: Mapping[str, Any], unique: Sequence[str]
) -> int | None:
    """Insert a row unless one with the same `unique` columns exists; the new row's id, or None.

    With no columns named, none of the table's unique constraints may hold it back.
    """
    statement = upsert(connection, table).on_conflict_do_nothing(index_elements=list(unique) or None)
    # As parameters, not by values(): that would bind and hash every column anew for every row.
    return connection.execute(statement.returning(table.c.id), dict(values)).scalar_one_or_none()


def upsert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the words of either database."""
    return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)


def _to_json(value: Any) -> str:
    # Several columns of a request are JSON; the standard library takes four times as long.
    return to_json(value).decode()


def _sqlite_engine(url: URL, **pool: Any) -> Engine:
    engine = create_engine(
        url,
        **pool,
        connect_args={"timeout": _BUSY_TIMEOUT_S},
        # An error's text would quote what somebody sent.
        hide_parameters=True,
        json_serializer=_to_json,
    )

    def configure(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin late, and upgrade a read lock into a write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # An acknowledged event survives a power cut.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        cursor.execute(f"PRAGMA cache_size={-_CACHE_KIB}")
        # What a statement may have to undo: SQLite would write that to a file of its own, for each statement.
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine
