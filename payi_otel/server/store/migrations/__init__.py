"""The history of the tables, as alembic migrations; `upgrade` runs those that a database has not seen."""
