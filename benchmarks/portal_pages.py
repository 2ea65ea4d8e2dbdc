"""How soon the portal's pages are there, in a real Chromium, after many events.

    python benchmarks/server_dashboard.py --events 10000000 --keep payi.db
    python benchmarks/portal_pages.py payi.db

For each page of the menu, over its last 30 days: the answer's size and time, the first contentful paint, and when every
chart is drawn, which is also when every part that comes later is there. Medians of a few visits with a warm cache, and
the first visit with a cold one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import func, select

from payi_otel.server.main import background_server
from payi_otel.server.store.engine import Store
from payi_otel.server.store.keys import new_key
from payi_otel.server.store.schema import requests

ROUNDS = 5
TIMEOUT_MS = 120_000
DRAWN = """() => !document.querySelector('[aria-busy]')
    && [...document.querySelectorAll('[data-figure]')].every(one => one.querySelector('.main-svg'))"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def last_days(database: str) -> str:
    """The query for the 30 days that end with the newest event."""
    store = Store(database)
    with store.read() as connection:
        newest = connection.execute(
            select(requests.c.event_timestamp).where(
                requests.c.id == select(func.max(requests.c.id)).scalar_subquery()
            )
        ).scalar() or datetime.now(timezone.utc)
    store.close()
    return f"?from={(newest - timedelta(days=29)).date()}&to={newest.date()}"


def visit(page: Page, path: str) -> tuple[float, float, float]:
    """Milliseconds until the answer, the first contentful paint, and the last chart."""
    began = time.perf_counter()
    answer = page.goto(path, wait_until="commit")
    answered = (time.perf_counter() - began) * 1000
    assert answer is not None
    assert answer.ok, f"{path}: {answer.status}"
    page.wait_for_function(DRAWN)
    drawn = (time.perf_counter() - began) * 1000
    page.wait_for_function(PAINT.replace("?? null", "?? 0"))
    return answered, float(page.evaluate(PAINT)), drawn


def measure(browser: Browser, url: str, key: str, query: str, extra: Sequence[str]) -> None:
    """Print a line for each page."""
    context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto("/portal/sign-in")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in with the key").click()
    page.wait_for_url("**/portal/")
    state = context.storage_state()
    links = page.locator("#menu a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    print(f"{'page':<40}{'answer':>9}{'paint':>9}{'charts':>9}{'cold':>9}   ms")
    for link in [*links, *extra]:
        path = link + (query if "?" not in link else "&" + query[1:])
        fresh = browser.new_context(base_url=url, storage_state=state)
        fresh.set_default_timeout(TIMEOUT_MS)
        cold = visit(fresh.new_page(), path)[2]
        fresh.close()
        rounds = [visit(page, path) for _ in range(ROUNDS)]
        answer, paint, drawn = (statistics.median(values) for values in zip(*rounds, strict=True))
        print(f"{link:<40}{answer:>9.0f}{paint:>9.0f}{drawn:>9.0f}{cold:>9.0f}", flush=True)


def main() -> None:
    """Measure the pages on a database."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", help="what `server_dashboard.py --keep` made; it gets a key more")
    parser.add_argument("--page", action="append", default=[], help="a page more, /portal/limits for example")
    arguments = parser.parse_args()
    if not Path(arguments.database).exists():
        parser.error(f"database: no file {arguments.database}; make it with server_dashboard.py --keep")
    chromium = os.environ.get("PAYI_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    query, key = last_days(arguments.database), new_key()
    with background_server(arguments.database, api_key=key) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        measure(browser, server.url, key, query, arguments.page)
        browser.close()


if __name__ == "__main__":
    main()
