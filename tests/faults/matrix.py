"""Runs a row of the fault matrix: a real application, the proxy with the fault, the real server."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.app import FAULTY_HOST
from tests.faults.application import Application, running_application, warnings_in
from tests.faults.scenarios import Scenario
from tests.faults.world import World, wait_until
from tests.support.fault_proxy import FaultProxy, healthy, refuse, running_proxy
from tests.support.ingest_sink import running_sink

CALLS_BEFORE, CALLS_DURING, CALLS_AFTER = 6, 24, 6
_SETTINGS = {"PAYI_TIMEOUT": "1", "PAYI_EXIT_TIMEOUT": "1"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a row.

    `made` events; `stored` at the server; `twice` stored more often than made; `sent_again` deliveries of an event
    beyond its first; `seconds` from the end of the fault (from the last call where it stays on) until all were in.
    `during` is the ledger while the fault was on, `stored_during` what the server had just after that, and `ledger` the
    last one. `log` is what the application wrote, `strayed` how many requests reached the other host.
    """

    made: int
    stored: int
    twice: int
    sent_again: int
    seconds: float
    during: Mapping[str, Any]
    stored_during: int
    ledger: Mapping[str, Any]
    log: list[str]
    strayed: int
    exit_code: int


def run(scenario: Scenario, world: World, folder: Path) -> Outcome:
    """Run one row; TimeoutError where something never happens."""
    use_case_name = f"faults-{time.time_ns()}"
    with (
        running_sink() as other_host,
        running_proxy(*world.server_address) as proxy,
        running_application(
            folder,
            base_url=proxy.url if scenario.resolver is None else f"http://{FAULTY_HOST}:{proxy.port}",
            provider_url=world.provider_url,
            use_case_name=use_case_name,
            **{**_SETTINGS, **scenario.variables},
        ) as application,
    ):
        application.call(CALLS_BEFORE)
        _wait_for(world, use_case_name, application.ids, "the events before the fault are stored")
        _begin(scenario, proxy, application, other_host.url)
        # That these return while the fault is on is what shows that no caller waits for its end.
        application.call(CALLS_DURING)
        marked = _marked_calls(scenario, application)
        wait_until(lambda: _hits(scenario, proxy, application) >= scenario.hits, "the fault is met")
        during = application.status()
        stored_during = len(world.stored(use_case_name))
        began = time.monotonic()
        if not scenario.passes:
            _end(scenario, proxy, application)
            application.call(CALLS_AFTER)
        lost = marked if scenario.rejected or scenario.kept else []
        expected = [call for call in application.ids if call not in lost]
        _wait_for(world, use_case_name, expected, "all events are stored")
        seconds = time.monotonic() - began
        wait_until(lambda: _is_settled(scenario, application), "the ledger knows that all were delivered")
        ledger = application.status()
        exit_code = application.end()
        stored = world.stored(use_case_name)
        return Outcome(
            made=len(application.ids),
            stored=len(stored),
            twice=max(world.billed_calls(use_case_name), stored.total()) - len(stored),
            sent_again=sum(count - 1 for count in proxy.sent.values()),
            seconds=seconds,
            during=during,
            stored_during=stored_during,
            ledger=ledger,
            log=application.log(),
            strayed=len(other_host.posts),
            exit_code=exit_code,
        )


def _begin(scenario: Scenario, proxy: FaultProxy, application: Application, other_host: str) -> None:
    if scenario.resolver is not None:
        application.resolve(scenario.resolver)
        # Or the open connection would need no name.
        proxy.switch(refuse)
    proxy.switch(scenario.fault(other_host))


def _end(scenario: Scenario, proxy: FaultProxy, application: Application) -> None:
    proxy.switch(healthy)
    if scenario.resolver is not None:
        application.resolve("works")


def _marked_calls(scenario: Scenario, application: Application) -> list[str]:
    if scenario.user_id is None:
        return []
    before = len(application.ids)
    application.call(1, scenario.user_id)
    application.call(CALLS_DURING)
    return application.ids[before : before + 1]


def _hits(scenario: Scenario, proxy: FaultProxy, application: Application) -> int:
    if scenario.resolver is not None:
        return application.lookups()
    if proxy.is_refusing:
        # Nobody is there to count; the application says when it notices.
        return scenario.hits if warnings_in(application.log()) else 0
    return proxy.hits


def _wait_for(world: World, use_case_name: str, ids: list[str], what: str) -> None:
    # Each look is work for the server.
    wait_until(lambda: world.stored(use_case_name).keys() >= set(ids), what, every_s=0.25)


def _is_settled(scenario: Scenario, application: Application) -> bool:
    ledger = application.status()
    return (ledger["queued"], ledger["rejected"]) == (scenario.kept, scenario.rejected)
