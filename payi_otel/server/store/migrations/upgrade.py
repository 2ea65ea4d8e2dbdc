"""Brings a database up to date."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text

# Two servers that start at once on one PostgreSQL take turns; the number is this package's own.
_LOCK = 7_029_184_503


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing, in the transaction that is open.

    Raises `RuntimeError` for a database whose tables no migration has made.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    tables = set(inspect(connection).get_table_names())
    if "requests" in tables and "alembic_version" not in tables:
        raise RuntimeError(
            "the database was made before there were migrations; move it away and start with a new one"
        )
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
