"""Writes many rows in one statement, at a small part of what binding each value by its column's type costs.

SQLite is given tuples. PostgreSQL is given all rows as one JSON document, which it takes apart itself: one parameter
and one round trip, where a statement for each row, or a parameter for each value, takes longer than the writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache, partial
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any, cast

from pydantic_core import to_json
from sqlalchemy import JSON, Column, Connection, Dialect, Table

from payi_otel.server.store.engine import Overtaken
from payi_otel.server.store.types import Instant, Money, Second, picos

Row = Mapping[str, Any]
"""The values of a row by column; each row of a batch has the same columns, and may have more."""

_Convert = Callable[[Sequence[Any]], Sequence[Any]]
# Rows in one statement of SQLite: between two statements a thread waits for the interpreter, which others hold on to.
_AT_ONCE = 100
_EMPTY: Mapping[type, str | None] = {dict: "{}", list: "[]", NoneType: None}


def insert_all(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows, of each the columns called `names`."""
    _execute(connection, table, tuple(names), rows, "")


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
    if connection.dialect.name == "postgresql":
        inserted = _execute(connection, table, names, rows, f"{rest} RETURNING id")
        return {row_id for (row_id,) in inserted}
    before = connection.exec_driver_sql("SELECT total_changes()").scalar_one()
    _execute(connection, table, names, rows, rest)
    if connection.exec_driver_sql("SELECT total_changes()").scalar_one() - before != len(rows):
        raise Overtaken
    return {row["id"] for row in rows}


def add_all(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    key: Sequence[str],
    sums: Sequence[str],
    others: Mapping[str, str] | None = None,
) -> None:
    """Insert rows of all columns; where there is one with the same `key` already, add to its `sums`.

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
    _execute(connection, table, _names(table), rows, rest)


def update_all(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row], key: str
) -> None:
    """Set the columns called `names` of the rows with these values of `key`, which a row is found by."""
    if not rows:
        return
    dialect = connection.dialect
    *changed, row_key = _quoted(dialect, (*names, key))
    values = _columns(dialect, table, (*names, key), rows)
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
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Row], rest: str
) -> Any:
    dialect = connection.dialect
    # What no row has need not be bound for each: SQLite's driver takes longer over None than over a text.
    told = {
        name: column
        for name, column in zip(names, _columns(dialect, table, names, rows), strict=True)
        if column.count(None) < len(rows)
    }
    names, values = tuple(told), list(told.values())
    columns = ", ".join(_quoted(dialect, names))
    statement = f"INSERT INTO {table.name} AS kept ({columns})"
    if dialect.name == "postgresql":
        source = _recordset(dialect, table, names)
        # In the order of the rows, which is that in which they are locked.
        statement = f"{statement} SELECT {columns} FROM {source}{rest}"
        return connection.exec_driver_sql(statement, (_document(names, values),))
    marks = f"({', '.join('?' * len(names))})"
    left = list(zip(*values, strict=True))
    while len(left) >= _AT_ONCE:
        many, left = left[:_AT_ONCE], left[_AT_ONCE:]
        every = ", ".join([marks] * _AT_ONCE)
        connection.exec_driver_sql(f"{statement} VALUES {every}{rest}", tuple(chain.from_iterable(many)))
    if left:
        connection.exec_driver_sql(f"{statement} VALUES {marks}{rest}", left)
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


def _columns(
    dialect: Dialect, table: Table, names: tuple[str, ...], rows: Sequence[Row]
) -> list[Sequence[Any]]:
    """The rows by column, converted to what the driver or JSON takes."""
    pick = cast("Callable[[Row], tuple[Any, ...]]", itemgetter(*names))
    columns: list[Sequence[Any]] = list(zip(*map(pick, rows), strict=True))
    for place, name in enumerate(names):
        convert = _converter(dialect, table.columns[name])
        if convert is not None:
            columns[place] = convert(columns[place])
    return columns


@lru_cache(maxsize=1024)
def _converter(dialect: Dialect, column: Column[Any]) -> _Convert | None:
    kind = column.type
    if isinstance(kind, Money):
        return _amounts
    if isinstance(kind, Second):
        return partial(_times, partial(kind.process_bind_param, dialect=dialect))
    if dialect.name == "postgresql":
        return None
    if isinstance(kind, JSON):
        return _json_texts
    return partial(_times, partial(_sqlite_instant, kind, dialect)) if isinstance(kind, Instant) else None


def _amounts(column: Sequence[Decimal | None]) -> list[int | None]:
    return [None if amount is None else picos(amount) for amount in column]


def _times(convert: Callable[[Any], Any], column: Sequence[Any]) -> list[Any]:
    # By object: all rows of a batch have the same time of arrival, and to compare times takes as long as to convert.
    converted = {key: convert(at) for key, at in dict(zip(map(id, column), column, strict=True)).items()}
    return [converted[id(at)] for at in column]


def _json_texts(column: Sequence[Any]) -> list[str | None]:
    # Most have nothing in most of their columns.
    return [to_json(value).decode() if value else _EMPTY[value.__class__] for value in column]


def _sqlite_instant(kind: Instant, dialect: Dialect, value: Any) -> str | None:
    """As SQLAlchemy keeps it."""
    at = kind.process_bind_param(value, dialect)
    return None if at is None else at.isoformat(" ", "microseconds").removesuffix("+00:00")


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
