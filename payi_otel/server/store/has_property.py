"""Whether a JSON column holds a property, in the words of either database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Boolean, ColumnElement, String, and_, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _HasProperty(FunctionElement[bool]):
    inherit_cache = True
    type = Boolean()


def has_properties(column: ColumnElement[Any], properties: Mapping[str, str]) -> ColumnElement[bool]:
    """Whether a JSON column of names and texts holds all of these.

    >>> from payi_otel.server.store.schema import instances
    >>> has_properties(instances.c.properties, {"model": "gpt-5"}) is not None
    True
    """
    return and_(
        *(
            _HasProperty(column, literal(name, String), literal(value, String))
            for name, value in properties.items()
        )
    )


@compiles(_HasProperty, "postgresql")
def _in_postgresql(element: _HasProperty, compiler: SQLCompiler, **options: Any) -> str:
    column, name, value = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} ->> {name}) = {value}"


@compiles(_HasProperty, "sqlite")
def _in_sqlite(element: _HasProperty, compiler: SQLCompiler, **options: Any) -> str:
    column, name, value = (compiler.process(clause, **options) for clause in element.clauses)
    # Not json_extract: it compares names as they are escaped, and finds none with quotes or accents.
    return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE key = {name} AND value = {value})"
