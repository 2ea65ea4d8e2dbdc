"""Opens the database: connections that read, and transactions that write one after another."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL

from payi_otel.server.store.schema import metadata

_BUSY_TIMEOUT_S = 30
_WRITES = "payi_writes"


class Store:
    """One database. `read` and `write` are safe from any thread; a failed `write` leaves nothing behind."""

    def __init__(self, database_path: Path) -> None:
        database_path.parent.mkdir(parents=True, exist_ok=True)
        self.engine = _sqlite_engine(database_path)
        # SQLite lets one writer in at a time and makes the others poll; waiting here is fair and faster.
        self._writing = threading.Lock()
        metadata.create_all(self.engine)

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A consistent view of the data; nothing can be changed through it."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """A transaction, committed at the end of the block and rolled back when it raises."""
        with self._writing, self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def insert_new(
    connection: Connection, table: Table, values: Mapping[str, Any], unique: Sequence[str]
) -> int | None:
    """Insert a row unless one with the same `unique` columns exists; the new row's id, or None."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).on_conflict_do_nothing(index_elements=list(unique)).returning(table.c.id)
    # As parameters, not by values(): that would bind and hash every column anew for every row.
    return connection.execute(statement, dict(values)).scalar_one_or_none()


def _sqlite_engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _BUSY_TIMEOUT_S},
        # An error's text would quote what somebody sent.
        hide_parameters=True,
    )

    def configure(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin late, and upgrade a read lock into a write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # An acknowledged event survives a power cut.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine
