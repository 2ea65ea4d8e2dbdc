"""Whether a column holds one of many texts: one parameter, however many there are, in the words of either database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Boolean, ColumnElement, Text, bindparam
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Texts(TypeDecorator[Sequence[str]]):
    """An array, or where there are none, JSON."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind = postgresql.ARRAY(Text()) if dialect.name == "postgresql" else Text()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return to_json(value).decode()


class _OneOf(FunctionElement[bool]):
    inherit_cache = True
    type = Boolean()

    def self_group(self, against: Any = None) -> Any:
        # A condition as it is. Compared with 1, as SQLAlchemy would have it, SQLite finds no index for it.
        return self


def one_of(column: ColumnElement[Any], texts: Iterable[str]) -> ColumnElement[bool]:
    """Whether a text column holds one of these.

    >>> from payi_otel.server.store.schema import instances
    >>> one_of(instances.c.use_case_id, ["a", "b"]) is not None
    True
    """
    return _OneOf(column, bindparam(None, list(texts), _Texts(), unique=True))


def one_of_given(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """`one_of` with the texts that are given under this name when the statement is executed.

    >>> from payi_otel.server.store.schema import instances
    >>> one_of_given(instances.c.use_case_id, "wanted") is not None
    True
    """
    return _OneOf(column, bindparam(name, type_=_Texts()))


@compiles(_OneOf, "postgresql")
def _in_postgresql(element: _OneOf, compiler: SQLCompiler, **options: Any) -> str:
    column, texts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY({texts})"


@compiles(_OneOf, "sqlite")
def _in_sqlite(element: _OneOf, compiler: SQLCompiler, **options: Any) -> str:
    column, texts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({texts}))"
