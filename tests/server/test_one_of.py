"""One of many texts: the right rows, found by an index."""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import select

from payi_otel.server.store import instances, use_cases
from payi_otel.server.store.engine import Store
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.one_of import one_of
from payi_otel.server.store.schema import requests

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_finds_each_of_the_texts_however_they_are_written(store: Store) -> None:
    names = ["plain", 'quo"ted', "it's", "naïve ☃", "a,b{c}", "\\", "NULL", ""]
    with store.write() as connection:
        application = ensure_application(connection, "app", NOW).id
        use_case = use_cases.ensure(connection, application, "case", NOW)
        for name in [*names, "another"]:
            instances.ensure(connection, application, use_case, name, NOW)
    column = instances.table.c.use_case_id
    with store.read() as connection:
        for wanted in (names, names[:1], []):
            found = connection.execute(select(column).where(one_of(column, wanted))).scalars()
            assert sorted(found) == sorted(wanted)


def test_an_index_leads_sqlite_to_them(store: Store) -> None:
    condition = one_of(requests.c.provider_response_id, ["a", "b"])
    statement = select(requests).where(requests.c.application_id == 1, condition)
    if store.is_sqlite:
        with store.read() as connection:
            plan = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement.compile(store.engine)}", (1, "[]")
            )
            assert "(application_id=? AND provider_response_id=?)" in plan.all()[0][3]
