"""How long the dashboard's queries take after many events, on SQLite and on PostgreSQL.

    python benchmarks/server_dashboard.py [--events 1000000] [--postgresql URL]

They read the roll-ups alone, so only those are filled: events over 90 days, of 20 use cases, 3 models and 500 users.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from payi_otel.server.store import reports, rollups
from payi_otel.server.store.engine import Store
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.reports import Report
from payi_otel.server.store.rollups import Delta
from payi_otel.server.store.summary import summarize

ROOT = Path(__file__).parents[1]
START = datetime(2026, 8, 1, tzinfo=timezone.utc)
AT_ONCE, ROUNDS = 10_000, 5
BY_DAY = Report("by_day", ["Day", "Use Case"], ["Spend", "Requests", "Average Latency"])


def events(number: int) -> Iterator[dict[str, Any]]:
    """Columns of requests as the roll-ups need them."""
    chance = random.Random(7)
    for _ in range(number):
        tokens = chance.randrange(100, 4000)
        yield {
            "event_timestamp": START + timedelta(seconds=chance.randrange(90 * 86_400)),
            "use_case_name": f"case_{chance.randrange(20)}",
            "use_case_version": 1,
            "use_case_step": None,
            "category": "system.openai",
            "resource": chance.choice(["gpt-4o-mini", "gpt-4o", "gpt-5"]),
            "user_id": f"user-{chance.randrange(500)}",
            "account_name": None,
            "http_status_code": 200,
            "properties": {},
            "unknown_units": {},
            "input_tokens": tokens,
            "output_tokens": 200,
            "end_to_end_latency_ms": 900,
            "input_cost": tokens * Decimal("0.00000015"),
            "output_cost": 200 * Decimal("0.0000006"),
            "units": {"text": {"input": tokens, "output": 200}},
        }


def measure(name: str, database: str, number: int) -> None:
    """Print one line for a database."""
    store = Store(database)
    with store.write() as connection:
        application = ensure_application(connection, "benchmark", START).id
    made = events(number)
    for first in range(0, number, AT_ONCE):
        deltas = [Delta(next(made)) for _ in range(min(AT_ONCE, number - first))]
        with store.write() as connection:
            rollups.apply(connection, application, deltas)

    def timed(query: Callable[[Any], Any]) -> float:
        took: list[float] = []
        for _ in range(ROUNDS):
            with store.read() as connection:
                began = time.perf_counter()
                query(connection)
                took.append(time.perf_counter() - began)
        return statistics.median(took) * 1000

    summary = timed(lambda connection: summarize(connection, application))
    month = (START + timedelta(days=30), START + timedelta(days=60))
    report = timed(lambda connection: list(reports.lines(connection, application, BY_DAY, *month)))
    store.close()
    print(
        f"{name:<11} {number:>12,} events   summary {summary:>8.0f} ms   30 days by day {report:>8.0f} ms",
        flush=True,
    )


def main() -> None:
    """Measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--postgresql", metavar="URL", help="an empty database; without it one is started")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite", str(Path(folder) / "payi.db"), arguments.events)
    if arguments.postgresql:
        measure("PostgreSQL", arguments.postgresql, arguments.events)
        return
    sys.path.insert(0, str(ROOT))
    from tests.support.postgresql import NoPostgreSQL, running_cluster

    try:
        with running_cluster() as cluster:
            measure("PostgreSQL", cluster.new_database(), arguments.events)
    except NoPostgreSQL as missing:
        print(f"PostgreSQL  {missing}")


if __name__ == "__main__":
    main()
