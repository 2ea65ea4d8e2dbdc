"""What the outbox says to SQLite. Each statement is one step, however many entries it is about.

Python lets go of its lock for every step, and an application that computes takes it for 5 ms each time: entries that
came one by one would wait for each other, and the application would pay for every change of hands.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast, get_args

from payi_otel.delivery.outbox import Entry, EntryKind, Lane, Stored
from payi_otel.values import value

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    key INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    payload BLOB NOT NULL,
    since_s REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS scores ON entries (key) WHERE kind <> 'event';
"""
LANES: dict[Lane, str] = {"events": "kind = 'event'", "scores": "kind <> 'event'"}
COLUMNS = "key, kind, id, payload, since_s"
# As `Entry.size` reckons it.
SIZE = "length(payload) + length(id) + 200"
_KINDS = frozenset(get_args(EntryKind))
# Few lengths, filled up with NULLs: Python keeps the last 128 statements, each with room for its parameters.
_ROWS_AT_ONCE = (1, 32, 256)
_NO_ROW = (None,) * 5
_REMOVED_AT_ONCE = 100
_THESE = f"WHERE key IN ({','.join('?' * _REMOVED_AT_ONCE)})"


def insertions(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, list[Any]]]:
    """Statements, and their parameters, that insert these rows: one, but for more than 256."""
    largest = _ROWS_AT_ONCE[-1]
    for start in range(0, len(rows), largest):
        some = rows[start : start + largest]
        count = next(count for count in _ROWS_AT_ONCE if count >= len(some))
        filled = [*some, *[_NO_ROW] * (count - len(some))]
        places = ", ".join(["(?, ?, ?, ?, ?)"] * count)
        # The names SQLite gives to the columns of VALUES.
        statement = (
            f"INSERT INTO entries ({COLUMNS}) SELECT * FROM (VALUES {places}) WHERE column1 IS NOT NULL"
        )
        yield statement, [value for row in filled for value in row]


def conditions(keys: Sequence[int]) -> Iterator[tuple[str, Sequence[int | None]]]:
    """Conditions, and their parameters, that hold for these keys together. There are two texts: see `_THESE`."""
    if keys and max(keys) - min(keys) + 1 == len(set(keys)):
        # As nearly always, a batch without a gap.
        yield "WHERE key BETWEEN ? AND ?", (min(keys), max(keys))
        return
    for start in range(0, len(keys), _REMOVED_AT_ONCE):
        some = keys[start : start + _REMOVED_AT_ONCE]
        yield _THESE, [*some, *[None] * (_REMOVED_AT_ONCE - len(some))]


@value
class Listed:
    """An entry without its payload, of which it has the size in bytes."""

    key: int
    kind: EntryKind
    id: str
    since_s: float
    payload_bytes: int


def listed(
    database: sqlite3.Connection,
    limit: int,
    *,
    lane: Lane | None = None,
    skip: Collection[str] = (),
    since_before_s: float = math.inf,
) -> list[Listed]:
    """The first entries in their order; raises ValueError for one that is none."""
    statement = f"""
        SELECT json_group_array(json_array(key, kind, id, since_s,
            CASE typeof(payload) WHEN 'blob' THEN length(payload) END))
        FROM (SELECT * FROM entries WHERE {LANES[lane] if lane else "true"} AND since_s < ?
            AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY key LIMIT ?)"""
    values = (since_before_s, json.dumps([*skip]), limit)
    rows = json.loads(database.execute(statement, values).fetchone()[0])
    for row in cast("list[list[Any]]", rows):
        if row[1] not in _KINDS or row[4] is None:
            raise ValueError(f"entry {row[0]}: kind={row[1]!r}: not an entry of an outbox")
    return [Listed(*row) for row in rows]


def with_payloads(database: sqlite3.Connection, entries: Sequence[Listed]) -> list[Stored]:
    """Entries as they are stored; they are in the order of their keys, as `listed` gives them."""
    if not entries:
        return []
    statement = """
        SELECT CAST(group_concat(CAST(payload AS TEXT), '') AS BLOB)
        FROM (SELECT payload FROM entries WHERE key IN (SELECT value FROM json_each(?)) ORDER BY key)"""
    keys = json.dumps([entry.key for entry in entries])
    payloads: bytes = database.execute(statement, (keys,)).fetchone()[0] or b""
    if len(payloads) != sum(entry.payload_bytes for entry in entries):
        raise ValueError("the outbox file does not give what it lists")
    found: list[Stored] = []
    start = 0
    for entry in entries:
        end = start + entry.payload_bytes
        found.append(Stored(entry.key, Entry(entry.kind, entry.id, payloads[start:end]), entry.since_s))
        start = end
    return found


def stored(row: tuple[Any, ...]) -> Stored:
    """The entry of a row of `COLUMNS`; raises ValueError where it is none."""
    key, kind, entry_id, payload, since_s = row
    if kind not in _KINDS or not isinstance(payload, bytes):
        raise ValueError(f"entry {key}: kind={kind!r}: not an entry of an outbox")
    return Stored(key, Entry(kind, entry_id, payload), since_s)
