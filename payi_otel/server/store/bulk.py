"""Writes many rows in one statement, at a small part of what binding each value by its column's type costs.

SQLite is given many rows a statement. PostgreSQL is given all rows as one JSON document, which it takes apart itself:
one parameter and one round trip, where a statement for each row, or a parameter for each value, takes longer than the
writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from math import floor
from operator import itemgetter
from types import NoneType
from typing import Any, cast

from pydantic_core import to_json
from sqlalchemy import JSON, Column, Connection, Dialect, Table

from payi_otel.server.store.engine import Overtaken
from payi_otel.server.store.types import Instant, Money, Second, picos

Row = Sequence[Any]
"""The values of a row, in the order of the names of its columns."""

_Convert = Callable[[Sequence[Any]], Sequence[Any]]
# Rows in one statement of SQLite: between two statements a thread waits for the interpreter, which others hold on to.
_AT_ONCE = (100, 10, 1)
_EMPTY: Mapping[type, str | None] = {dict: "{}", list: "[]", NoneType: None}


def insert_all(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows of the columns called `names`."""
    _execute(connection, table, names, list(zip(*rows, strict=True)), "")


def insert_missing(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], unique: Sequence[str]
) -> set[int]:
    """Insert rows of all columns, and give each its `id`. Returns the ids of those that are there now.

    A row whose `unique` columns another transaction has stored meanwhile is left out; only on PostgreSQL, for SQLite
    lets no two write at once. Raises `Overtaken` where that has happened nevertheless.
    """
    for row, row_id in zip(rows, _new_ids(connection, table, len(rows)), strict=True):
        row["id"] = row_id
    columns = ", ".join(_quoted(connection.dialect, unique))
    rest = f" ON CONFLICT ({columns}) DO NOTHING"
    names = _names(table)
    values = list(zip(*map(_picking(names), rows), strict=True))
    if connection.dialect.name == "postgresql":
        inserted = _execute(connection, table, names, values, f"{rest} RETURNING id")
        return {row_id for (row_id,) in inserted}
    before = connection.exec_driver_sql("SELECT total_changes()").scalar_one()
    _execute(connection, table, names, values, rest)
    if connection.exec_driver_sql("SELECT total_changes()").scalar_one() - before != len(rows):
        raise Overtaken
    return {row["id"] for row in rows}


def add_all(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[Row],
    key: Sequence[str],
    sums: Sequence[str],
    others: Mapping[str, str] | None = None,
) -> None:
    """Insert rows of the columns called `names`; where there is one with the same `key`, add to its `sums`.

    `others` are more columns to change then, with SQL for their new values, in which `kept` is the row that is
    there and `excluded` the one that comes.
    """
    if not rows:
        return
    quoted = dict(zip(sums, _quoted(connection.dialect, sums), strict=True))
    changes = [f"{name} = kept.{name} + excluded.{name}" for name in quoted.values()]
    changes += [f"{name} = {value}" for name, value in (others or {}).items()]
    columns = ", ".join(_quoted(connection.dialect, key))
    rest = f" ON CONFLICT ({columns}) DO UPDATE SET {', '.join(changes)}"
    _execute(connection, table, names, list(zip(*rows, strict=True)), rest)


def update_all(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row], key: str
) -> None:
    """Set the columns called `names` of rows; the last value of each is that of `key`, which it is found by."""
    if not rows:
        return
    dialect = connection.dialect
    *changed, row_key = _quoted(dialect, (*names, key))
    values = _converted(dialect, table, (*names, key), list(zip(*rows, strict=True)))
    if dialect.name == "postgresql":
        changes = ", ".join(f"{name} = new.{name}" for name in changed)
        source = _recordset(dialect, table, (*names, key))
        statement = (
            f"UPDATE {table.name} AS kept SET {changes} FROM {source} WHERE kept.{row_key} = new.{row_key}"
        )
        connection.exec_driver_sql(statement, (_document((*names, key), values),))
    else:
        changes = ", ".join(f"{name} = ?" for name in changed)
        connection.exec_driver_sql(
            f"UPDATE {table.name} SET {changes} WHERE {row_key} = ?", list(zip(*values, strict=True))
        )


def _execute(
    connection: Connection, table: Table, names: Sequence[str], values: Sequence[Sequence[Any]], rest: str
) -> Any:
    """Insert rows that are given by column."""
    dialect = connection.dialect
    count = len(values[0])
    # What no row has need not be bound for each: SQLite's driver takes longer over None than over a text.
    told = {
        name: column
        for name, column in zip(names, _converted(dialect, table, names, values), strict=True)
        if column[0] is not None or column.count(None) < count
    }
    names = tuple(told)
    columns = ", ".join(_quoted(dialect, names))
    statement = f"INSERT INTO {table.name} AS kept ({columns})"
    if dialect.name == "postgresql":
        source = _recordset(dialect, table, names)
        # In the order of the rows, which is that in which they are locked.
        statement = f"{statement} SELECT {columns} FROM {source}{rest}"
        return connection.exec_driver_sql(statement, (_document(names, list(told.values())),))
    width, start = len(names), 0
    marks = f"({', '.join('?' * width)})"
    flat: list[Any] = [None] * (count * width)
    for place, column in enumerate(told.values()):
        flat[place::width] = column
    for at_once in _AT_ONCE:
        text = f"{statement} VALUES {', '.join([marks] * at_once)}{rest}"
        while count - start >= at_once:
            connection.exec_driver_sql(text, tuple(flat[start * width : (start + at_once) * width]))
            start += at_once
    return None


def _new_ids(connection: Connection, table: Table, count: int) -> Iterable[int]:
    if connection.dialect.name == "postgresql":
        statement = (
            f"SELECT nextval(pg_get_serial_sequence('{table.name}', 'id')) FROM generate_series(1, %s)"
        )
        return connection.exec_driver_sql(statement, (count,)).scalars().all()
    # Nobody else writes before this transaction ends.
    last = connection.exec_driver_sql(f"SELECT coalesce(max(id), 0) FROM {table.name}").scalar_one()
    return range(last + 1, last + 1 + count)


def _converted(
    dialect: Dialect, table: Table, names: Sequence[str], columns: Sequence[Sequence[Any]]
) -> list[Sequence[Any]]:
    """The columns, converted to what the driver or JSON takes."""
    converters = [_converter(dialect, table.columns[name]) for name in names]
    return [
        column if convert is None else _each(convert, column)
        for column, convert in zip(columns, converters, strict=True)
    ]


def _each(convert: _Convert, column: Sequence[Any]) -> Sequence[Any]:
    # One object for all rows: the time of arrival, or what none of the events has said.
    is_shared = column[0] is column[-1] and len(set(map(id, column))) == 1
    return list(convert(column[:1])) * len(column) if is_shared else convert(column)


@lru_cache(maxsize=1024)
def _converter(dialect: Dialect, column: Column[Any]) -> _Convert | None:
    kind = column.type
    if isinstance(kind, Money):
        return _amounts
    if isinstance(kind, Second):
        return _seconds
    if dialect.name == "postgresql":
        return None
    if isinstance(kind, JSON):
        return _json_texts
    return _sqlite_instants if isinstance(kind, Instant) else None


def _amounts(column: Sequence[Decimal | None]) -> list[int | None]:
    return [None if amount is None else picos(amount) for amount in column]


def _seconds(column: Sequence[datetime | None]) -> list[int | None]:
    """As `Second` keeps them."""
    return [None if at is None else floor(at.timestamp()) for at in column]


def _json_texts(column: Sequence[Any]) -> list[str | None]:
    # Most have nothing in most of their columns.
    return [to_json(value).decode() if value else _EMPTY[value.__class__] for value in column]


def _sqlite_instants(column: Sequence[datetime | None]) -> list[str | None]:
    """As `Instant` keeps them, and SQLAlchemy texts of them: in UTC, without saying so."""
    return [
        None
        if at is None
        else at.astimezone(timezone.utc).isoformat(" ", "microseconds").removesuffix("+00:00")
        for at in column
    ]


@lru_cache(maxsize=64)
def _picking(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Row]:
    return cast("Callable[[Mapping[str, Any]], Row]", itemgetter(*names))


def _document(names: tuple[str, ...], columns: Sequence[Sequence[Any]]) -> str:
    return to_json([dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]).decode()


@lru_cache(maxsize=64)
def _recordset(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    kinds = [table.columns[name].type.compile(dialect) for name in names]
    columns = [f"{name} {kind}" for name, kind in zip(_quoted(dialect, names), kinds, strict=True)]
    return f"json_to_recordset(%s::json) AS new ({', '.join(columns)})"


@lru_cache(maxsize=64)
def _names(table: Table) -> tuple[str, ...]:
    # SQLAlchemy's own kind of text takes JSON thirty times as long as text.
    return tuple(str(column.name) for column in table.columns)


def _quoted(dialect: Dialect, names: Iterable[str]) -> list[str]:
    return [dialect.identifier_preparer.quote(name) for name in names]
