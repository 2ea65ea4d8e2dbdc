"""Web servers, stopped as process managers stop them."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import httpx2
import pytest

from tests.processes.world import APPS, Ended, Run, free_port, hanging_server, wait, wait_until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and forks as POSIX has them")

UVICORN = ("-m", "uvicorn")
GUNICORN = ("-m", "gunicorn", "--no-control-socket")


class Site:
    """A web server under test, and the bare one beside it."""

    def __init__(self, run: Run, *command: str, bare: bool = False) -> None:
        port = free_port()
        place = f"--port={port}" if "uvicorn" in command else f"--bind=127.0.0.1:{port}"
        self.url = f"http://127.0.0.1:{port}"
        self.process = run.start([sys.executable, *command, place], bare=bare)

    def wait_until_it_answers(self) -> None:
        wait_until(lambda: self.pid() is not None, self.process)

    def pid(self) -> int | None:
        try:
            return int(httpx2.get(self.url, timeout=60).text)
        except (httpx2.TransportError, ValueError):
            return None

    def ask(self, times: int) -> None:
        """So many requests; each makes two calls and leaves one of them streaming."""
        for _ in range(times):
            httpx2.get(f"{self.url}/ask", timeout=60).raise_for_status()

    def stop(self, number: int = signal.SIGTERM) -> Ended:
        self.process.send_signal(number)
        return wait(self.process)


def stops_as_bare(run: Run, *command: str, number: int = signal.SIGTERM) -> None:
    sites = Site(run, *command), Site(run, *command, bare=True)
    for site in sites:
        site.wait_until_it_answers()
        site.ask(2)
    ended, expected = (site.stop(number) for site in sites)
    assert ended.normalized == expected.normalized


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_uvicorn(run: Run, number: int) -> None:
    stops_as_bare(run, *UVICORN, "web_asgi:app", number=number)
    run.assert_stored(4)


def test_uvicorn_with_its_own_signal_handlers_in_place_when_payi_otel_comes(run: Run) -> None:
    run.variables["INSTRUMENT_IN"] = "lifespan"
    stops_as_bare(run, *UVICORN, "web_asgi:app")
    run.assert_stored(4)


def test_uvicorn_with_pay_i_hung(run: Run) -> None:
    run.variables |= {"PAYI_TIMEOUT": "600", "PAYI_EXIT_TIMEOUT": "1"}
    with hanging_server() as run.payi_url:
        site = Site(run, *UVICORN, "web_asgi:app")
        site.wait_until_it_answers()
        site.ask(1)
        assert site.stop().status == -signal.SIGTERM
    assert run.stored == []
    run.payi_url = ""
    run.start_next_process()
    run.assert_stored(2)


def test_uvicorn_with_workers(run: Run) -> None:
    stops_as_bare(run, *UVICORN, "--workers=2", "web_asgi:app")
    run.assert_stored(4)


def test_uvicorn_that_reloads(run: Run, tmp_path: Path) -> None:
    shutil.copytree(APPS, tmp_path / "apps")
    site = Site(
        run, *UVICORN, "--reload", f"--reload-dir={tmp_path}", f"--app-dir={tmp_path}/apps", "web_asgi:app"
    )
    site.wait_until_it_answers()
    site.ask(1)
    before = site.pid()
    os.utime(tmp_path / "apps" / "web_asgi.py", (2e9, 2e9))
    wait_until(lambda: site.pid() not in (before, None), site.process)
    run.assert_stored(2)
    site.ask(1)
    assert site.stop().status == 0
    run.assert_stored(4)


@pytest.mark.parametrize(
    ("options", "app"),
    [
        ("--worker-class=sync", "web_wsgi:app"),
        ("--worker-class=sync --preload", "web_wsgi:app"),
        ("--worker-class=gthread", "web_wsgi:app"),
        ("--worker-class=gthread --preload", "web_wsgi:app"),
        ("--worker-class=asgi", "web_asgi:app"),
        ("--worker-class=uvicorn_worker.UvicornWorker", "web_asgi:app"),
        ("--worker-class=uvicorn_worker.UvicornWorker --preload", "web_asgi:app"),
    ],
)
def test_gunicorn(run: Run, options: str, app: str) -> None:
    stops_as_bare(run, *GUNICORN, *options.split(), app)
    run.assert_stored(4)
