"""How long KPI dashboards take after many scores, on SQLite and on PostgreSQL.

    python benchmarks/server_kpis.py [--scores 1000000] [--postgresql URL]

The scores are of instances that began over 90 days. Half of them belong to one KPI, a number, which is the slowest
type; the others to eleven more KPIs of the same use case.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from databases import add_arguments, databases
from sqlalchemy import insert, text

from payi_otel.server.store import kpi_insights, kpis, use_cases
from payi_otel.server.store.engine import Store
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.kpi_insights_results import KpiFilter
from payi_otel.server.store.kpis import Kpi
from payi_otel.server.store.schema import instances, kpi_scores
from payi_otel.server.store.schema_instances import instance_sums

START = datetime(2026, 8, 1, tzinfo=timezone.utc)
DAYS, AT_ONCE, ROUNDS = 90, 20_000, 3
MONTH = KpiFilter(START + timedelta(days=60), START + timedelta(days=90))
ALL = KpiFilter(START, START + timedelta(days=DAYS))


def in_parts(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows, so many at once."""
    while part := list(itertools.islice(rows, AT_ONCE)):
        yield part


def fill(store: Store, number: int) -> tuple[int, int, Kpi]:
    """Store the scores; the application, the use case and the KPI with half of the scores."""
    chance = random.Random(7)
    with store.write() as connection:
        application = ensure_application(connection, "benchmark", START).id
        use_case = use_cases.ensure(connection, application, "chat", START)
        defined = [
            kpis.define(connection, use_case, f"k{n:02}", START, description="", kpi_type=kpi_type, goal=goal)
            for n, (kpi_type, goal) in enumerate(
                [("number", 20.0)] + [("boolean", 0.5), ("likert5", 3.5), ("percentage", 80.0)] * 4
            )
        ][:12]
    count = number // 2

    def at(row: int) -> datetime:
        return START + timedelta(seconds=row * DAYS * 86_400 // count)

    made = (
        {
            "id": row + 1,
            "application_id": application,
            "use_case": use_case.id,
            "use_case_id": f"instance-{row}",
            "type_version": 1 + 2 * row // count,
            "properties": {"model": chance.choice(["gpt-5", "gpt-4o"])},
            "created_at": at(row),
        }
        for row in range(count)
    )
    sums = (
        {
            "instance": row + 1,
            "use_case": use_case.id,
            "version": 1 + 2 * row // count,
            "began_at": at(row),
            "ended_at": at(row),
            "calls": 3,
            "failures": 0,
            "input_tokens": 900,
            "output_tokens": 300,
            "latency_ms": 2000,
            "cost_whole": chance.randrange(2000),
            "cost_rest": 500,
        }
        for row in range(count)
    )
    scored = itertools.chain(
        ((defined[0], row, max(0.0, chance.gauss(25, 9))) for row in range(count)),
        ((defined[1 + row % 11], row, float(chance.randrange(2))) for row in range(count)),
    )
    scores = (
        {
            "kpi": kpi.id,
            "instance": row + 1,
            "score": score,
            "at": at(row),
            "version": 1 + 2 * row // count,
            "created_at": at(row),
            "updated_at": at(row),
        }
        for kpi, row, score in scored
    )
    for table, rows in ((instances, made), (instance_sums, sums), (kpi_scores, scores)):
        for part in in_parts(rows):
            with store.write() as connection:
                connection.execute(insert(table), part)
    with store.engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    return application, use_case.id, defined[0]


def measure(name: str, database: str, number: int) -> None:
    """Print the lines of a database."""
    store = Store(database)
    application, use_case, kpi = fill(store, number)

    def timed(what: str, query: Callable[[Any], Any]) -> None:
        took: list[float] = []
        for _ in range(ROUNDS):
            with store.read() as connection:
                began = time.perf_counter()
                query(connection)
                took.append(time.perf_counter() - began)
        print(
            f"{name:<11} {number:>12,} scores   {what:<42} {statistics.median(took) * 1000:>7.0f} ms",
            flush=True,
        )

    of_model = KpiFilter(MONTH.start, MONTH.end, properties={"model": "gpt-5"})
    timed("all KPIs, 30 days", lambda connection: kpi_insights.overview(connection, application, MONTH))
    timed("all KPIs, 90 days", lambda connection: kpi_insights.overview(connection, application, ALL))
    timed("one KPI, 30 days", lambda connection: kpi_insights.detail(connection, kpi, use_case, MONTH))
    timed("one KPI, 30 days, of one property", lambda c: kpi_insights.detail(c, kpi, use_case, of_model))
    timed("one KPI with half of the scores, 90 days", lambda c: kpi_insights.detail(c, kpi, use_case, ALL))
    timed("one KPI, totals to compare, 30 days", lambda c: kpi_insights.result(c, kpi, use_case, MONTH))
    store.close()


def main() -> None:
    """Measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scores", type=int, default=1_000_000)
    add_arguments(parser)
    arguments = parser.parse_args()
    for name, address in databases(arguments):
        measure(name, address, arguments.scores)


if __name__ == "__main__":
    main()
