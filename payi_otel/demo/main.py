"""Runs the demo and checks it: the exit code is 1 if anything that was expected did not arrive."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import payi_otel
from payi_otel.delivery.ledger import Status
from payi_otel.demo import app
from payi_otel.demo.provider import FakeProvider, running_provider
from payi_otel.demo.report import UseCaseResult, ledger_line, read_summary, use_case_table

_FLUSH_TIMEOUT_S = 20.0
# The author in `autocomplete` drops one stream before the provider tells its usage.
_EXPECTED_ESTIMATES = 1


def run_demo(live: bool = False) -> int:
    """Run the application against the self-hosted server; print what it cost. Returns the exit code.

    With `live` it talks to the vendors whose keys are set, otherwise to fake providers on loopback.

    >>> run_demo()  # doctest: +SKIP
    0
    """
    # The server needs the extra of its own name, which the rest of the demo does not.
    from payi_otel.server.main import background_server

    began = time.monotonic()
    with background_server() as server, _providers(live) as provider:
        payi_otel.payi_instrument(base_url=server.url, api_key=server.api_key)
        names = _run(provider)
        flushed = payi_otel.force_flush(_FLUSH_TIMEOUT_S)
        results = [result for result in read_summary(server.url, server.api_key) if result.name in names]
        status = payi_otel.status()
        payi_otel.uninstrument()
    print(use_case_table(results))
    print(f"\nledger: {ledger_line(status)}")
    problems = problems_of(names, results, status, flushed, provider)
    for problem in problems:
        print(f"problem: {problem}")
    if not problems:
        print(f"Everything arrived, in {time.monotonic() - began:.1f} s.")
    return 1 if problems else 0


@contextmanager
def _providers(live: bool) -> Generator[FakeProvider | None, None, None]:
    if live:
        yield None
        return
    keys = {"OPENAI_API_KEY": "demo", "ANTHROPIC_API_KEY": "demo"}
    before = {name: os.environ.get(name) for name in keys}
    os.environ.update(keys)
    try:
        with running_provider(pause_s=0.001) as provider:
            yield provider
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _run(provider: FakeProvider | None) -> list[str]:
    application = app.Application(
        provider and provider.openai_base_url, provider and provider.anthropic_base_url
    )
    having = {sdk for sdk in ("openai", "anthropic") if os.environ.get(f"{sdk.upper()}_API_KEY")}
    chosen = [scenario for scenario in app.scenarios(application) if scenario.needs <= having]
    names = [scenario.use_case_name for scenario in chosen]
    app.define_kpis(names)
    for scenario in chosen:
        print(f"running {scenario.use_case_name} ...", flush=True)
        scenario.run()
    print()
    return names


def problems_of(
    names: Sequence[str],
    results: Sequence[UseCaseResult],
    status: Status,
    flushed: bool,
    provider: FakeProvider | None,
) -> list[str]:
    """What is not as it should be, one line each; `provider` is None where the vendors answered."""
    problems = [] if flushed else ["the server did not accept everything in time"]
    if not 0 < status.seen == status.delivered:
        problems.append(f"{status.seen} calls were seen and {status.delivered} delivered")
    if status.rejected or status.dropped or status.scores_rejected or status.scores_dropped:
        problems.append(f"lost: {status.last_rejection or status.last_drop}")
    if status.failures:
        problems.append(f"failures of the instrumentation: {dict(status.failures)}")
    arrived = {result.name: result for result in results}
    for name in names:
        result = arrived.get(name)
        if result is None:
            problems.append(f"use case {name} never arrived")
        elif not result.cost > 0:
            problems.append(f"use case {name} cost nothing")
    for kpi in app.KPIS:
        if kpi.use_case_name in arrived and not _scored(arrived[kpi.use_case_name], kpi):
            problems.append(f"KPI {kpi.name} of {kpi.use_case_name} has no score or another goal")
    if provider is not None:
        problems += _differences(results, status, provider)
    return problems


def _scored(result: UseCaseResult, kpi: app.Kpi) -> bool:
    return any(
        known.name == kpi.name and known.average is not None and known.goal == kpi.goal
        for known in result.kpis
    )


def _differences(results: Sequence[UseCaseResult], status: Status, provider: FakeProvider) -> list[str]:
    """Where the server's count differs from what the fake provider itself would bill."""
    problems: list[str] = []
    calls = sum(result.calls for result in results)
    if not calls == status.seen == len(provider.requests):
        problems.append(f"{len(provider.requests)} requests, {status.seen} seen, {calls} at the server")
    if status.estimated != _EXPECTED_ESTIMATES:
        problems.append(f"{status.estimated} estimated, not {_EXPECTED_ESTIMATES}")
    return problems
