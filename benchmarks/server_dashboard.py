"""How long the portal's queries take after many events, on SQLite and on PostgreSQL.

    python benchmarks/server_dashboard.py [--events 1000000] [--keep FILE] [--postgresql URL]

Events come in the order of time over 90 days, of 20 use cases with 2 versions, 3 models and 500 users; five make an
instance. Those of two days are written to the tables as ingest writes them, only without its checks; the database
then copies them 44 times. `--keep` keeps the SQLite file, to be measured again without being filled, and to
look at the portal with: `payi-otel serve --database FILE`.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from databases import add_arguments, databases
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    func,
    insert,
    literal,
    select,
    text,
    type_coerce,
)

from payi_otel.server.store import insights, instance_sums, owners, reports, rollups
from payi_otel.server.store import schema_rollups as rollup_tables
from payi_otel.server.store.engine import Store
from payi_otel.server.store.insights import Scope
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.reports import Report
from payi_otel.server.store.rollups import Delta
from payi_otel.server.store.schema import instances, requests
from payi_otel.server.store.schema_facets import facets
from payi_otel.server.store.summary import summarize
from payi_otel.server.store.types import RowId

DAYS, SPANS = 90, 45
SPAN = timedelta(days=DAYS // SPANS)
END = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
START = END - timedelta(days=DAYS)
AT_ONCE, ROUNDS, OF_INSTANCE = 10_000, 5, 5
BY_DAY = Report("by_day", ["Day", "Use Case"], ["Spend", "Requests", "Average Latency"])


def events(number: int, application: int) -> Iterator[dict[str, Any]]:
    """Columns of the requests of the first span."""
    chance = random.Random(7)
    for place in range(number):
        at = START + SPAN * (place / number)
        tokens, use_case = chance.randrange(100, 4000), chance.randrange(20)
        failed = chance.random() < 0.02
        yield {
            "application_id": application,
            "request_id": str(uuid.UUID(int=place)),
            "provider_response_id": f"chatcmpl-{place}",
            "event_timestamp": at,
            "ingest_timestamp": at,
            "use_case_name": f"case_{use_case}",
            "use_case_id": f"instance-{place // (OF_INSTANCE * 20)}",
            "use_case_version": 1,
            "use_case_step": chance.choice(["plan", "search", "answer"]),
            "category": "system.openai",
            "resource": chance.choice(["gpt-4o-mini", "gpt-4o", "gpt-5"]),
            "user_id": f"user-{chance.randrange(500)}",
            "account_name": f"account-{chance.randrange(10)}",
            "http_status_code": 500 if failed else 200,
            "properties": {},
            "unknown_units": {},
            "input_tokens": tokens,
            "output_tokens": 200,
            "end_to_end_latency_ms": round(chance.lognormvariate(7, 0.6)),
            "time_to_first_token_ms": round(chance.lognormvariate(5.5, 0.5)),
            "input_cost": tokens * Decimal("0.00000015"),
            "output_cost": 200 * Decimal("0.0000006"),
            "units": {"text": {"input": tokens, "output": 200}},
            "limit_ids": [],
            "request_tags": [],
            "function_calls": [],
            "warnings": [],
        }


def fill(store: Store, number: int, application: int) -> None:
    """Store events."""
    first_span = number // SPANS
    made = events(first_span, application)
    for first in range(0, first_span, AT_ONCE):
        batch = [next(made) for _ in range(min(AT_ONCE, first_span - first))]
        deltas = [Delta(one) for one in batch]
        with store.write() as connection:
            identities = {
                (one["use_case_name"], one["use_case_id"]): one["use_case_version"] for one in batch
            }
            owners.ensure(connection, application, identities, batch[0]["event_timestamp"])
            connection.execute(insert(requests), batch)
            instance_sums.apply(connection, application, deltas)
            rollups.apply(connection, application, deltas)
    with store.read() as connection:
        counts = [
            connection.execute(select(func.max(table.c.id))).scalar_one() for table in (requests, instances)
        ]
    for span in range(1, SPANS):
        with store.write() as connection:
            if store.is_sqlite:
                # Indexes are written in random places: in memory rather than in the file.
                connection.exec_driver_sql("PRAGMA cache_size = -4000000")
            copy_span(connection, span, *counts)
    if store.is_sqlite:
        with store.write() as connection:
            connection.exec_driver_sql("ANALYZE")


def copy_span(connection: Connection, span: int, last_request: int, last_instance: int) -> None:
    """Copy what the first span has to a later one; in the later half it is of version 2."""
    days = (SPAN * span).days
    version = literal(1 if span < SPANS / 2 else 2)

    def later(column: Any) -> ColumnElement[Any]:
        if connection.dialect.name == "sqlite":
            return func.strftime("%Y-%m-%d %H:%M:%S.000000", column, f"+{days} days")
        return column + text(f"interval '{days} days'")

    def other(column: Any) -> ColumnElement[Any]:
        # In front: at the end it would put each copy's entries between those of all others, in every index.
        return literal(f"{span:02}-", Text()).op("||")(column)

    def key(column: Any) -> ColumnElement[Any]:
        # No hash has an x in it.
        return literal(f"x{span:02}", Text()).op("||")(func.substr(column, 4))

    seconds = literal(days * 86_400, RowId)
    first: tuple[tuple[Table, dict[str, Any], ColumnElement[bool]], ...] = (
        (
            requests,
            {
                "id": requests.c.id + last_request * span,
                "request_id": literal(f"{span:02}", Text()).op("||")(func.substr(requests.c.request_id, 3)),
                "provider_response_id": other(requests.c.provider_response_id),
                "event_timestamp": later(requests.c.event_timestamp),
                "ingest_timestamp": later(requests.c.ingest_timestamp),
                "use_case_id": other(requests.c.use_case_id),
                "use_case_version": version,
            },
            requests.c.id <= last_request,
        ),
        (
            instances,
            {
                "id": instances.c.id + last_instance * span,
                "use_case_id": other(instances.c.use_case_id),
                "type_version": version,
                "created_at": later(instances.c.created_at),
            },
            instances.c.id <= last_instance,
        ),
        (
            instance_sums.instance_sums,
            {
                "instance": instance_sums.instance_sums.c.instance + last_instance * span,
                "version": version,
                "began_at": type_coerce(instance_sums.instance_sums.c.began_at, RowId) + seconds,
                "ended_at": type_coerce(instance_sums.instance_sums.c.ended_at, RowId) + seconds,
            },
            instance_sums.instance_sums.c.instance <= last_instance,
        ),
        (
            rollup_tables.rollups,
            {
                "key": key(rollup_tables.rollups.c.key),
                "hour": later(rollup_tables.rollups.c.hour),
                "use_case_version": version,
            },
            rollup_tables.rollups.c.key.not_like("x%"),
        ),
        (
            rollup_tables.rollup_units,
            {"key": key(rollup_tables.rollup_units.c.key)},
            rollup_tables.rollup_units.c.key.not_like("x%"),
        ),
        (
            facets,
            {
                "key": key(facets.c.key),
                "at": type_coerce(facets.c.at, RowId) + seconds,
                "use_case_version": facets.c.use_case_version * version,
            },
            facets.c.key.not_like("x%"),
        ),
    )
    for table, changes, where in first:
        columns = [changes.get(column.name, column) for column in table.columns]
        copied = select(*columns).where(where)
        connection.execute(insert(table).from_select([column.name for column in table.columns], copied))


def queries(application: int) -> dict[str, Callable[[Connection], Any]]:
    """What the portal's pages ask, by name."""
    month = Scope(END - timedelta(days=30), END)
    quarter = Scope(START, END)
    mine = Scope(START, END, "case_3")
    days = [START + timedelta(days=day) for day in range(DAYS)]
    hours = [END - timedelta(days=2) + timedelta(hours=hour) for hour in range(48)]
    # A viewer's day begins at another hour: what the days do not cover comes from hours.
    shifted = Scope(START + timedelta(hours=5), END - timedelta(hours=4))
    found: dict[str, Callable[[Connection], Any]] = {
        "summary of all time": lambda it: summarize(it, application),
        "report: 30 days by day and use case": lambda it: list(
            reports.lines(it, application, BY_DAY, month.start.replace(hour=0), END.replace(hour=0))
        ),
        "2 days by hour, p50 and p95": lambda it: insights.series(
            it, application, Scope(hours[0], END), hours
        ),
        "90 days by day, p50 and p95": lambda it: insights.series(it, application, quarter, days),
        "one use case, 90 days by day": lambda it: insights.series(it, application, mine, days),
        "one use case by version, by day": lambda it: insights.series_by(
            it, application, mine, "version", days
        ),
        "one use case, models with p95": lambda it: insights.breakdown(
            it, application, mine, "resource", latencies=True
        ),
        "use cases, 90 days": lambda it: insights.breakdown(it, application, quarter, "use_case"),
        "use cases, 90 days, with p95": lambda it: insights.breakdown(
            it, application, quarter, "use_case", latencies=True
        ),
        "models, 90 days": lambda it: insights.breakdown(it, application, quarter, "resource"),
        "users, 90 days": lambda it: insights.breakdown(it, application, quarter, "user"),
        "users, 90 days of another zone": lambda it: insights.breakdown(it, application, shifted, "user"),
        "one use case's users, 90 days": lambda it: insights.breakdown(it, application, mine, "user"),
        "one use case's steps, 90 days": lambda it: insights.breakdown(it, application, mine, "step"),
        "statuses, 90 days": lambda it: insights.breakdown(it, application, quarter, "status"),
    }
    return found


def measure(name: str, database: str, number: int) -> None:
    """Print a line for each query on a database, filled before unless it has events already."""
    store = Store(database)
    with store.read() as connection:
        kept = connection.execute(select(func.count()).select_from(requests)).scalar_one()
    with store.write() as connection:
        application = ensure_application(connection, "default", START).id
    if not kept:
        fill(store, number, application)
    print(f"{name}, {kept or number:,} events", flush=True)
    for title, query in queries(application).items():
        took: list[float] = []
        busy: list[float] = []
        for _ in range(ROUNDS):
            with store.read() as connection:
                began, began_busy = time.perf_counter(), time.process_time()
                query(connection)
                took.append(time.perf_counter() - began)
                busy.append(time.process_time() - began_busy)
        wall, cpu = (statistics.median(one) * 1000 for one in (took, busy))
        print(f"  {title:<38}{wall:>8.0f} ms, of which its own process was busy {cpu:>6.0f} ms", flush=True)
    store.close()


def main() -> None:
    """Measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    add_arguments(parser)
    arguments = parser.parse_args()
    for name, address in databases(arguments):
        measure(name, address, arguments.events)


if __name__ == "__main__":
    main()
