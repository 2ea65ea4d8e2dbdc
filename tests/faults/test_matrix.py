"""The fault matrix: whatever happens between the application and Pay-i, every event arrives, and once."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.faults.app import PROMPT
from tests.faults.application import warnings_in
from tests.faults.matrix import Outcome, run
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.world import API_KEY, World

# Rows mostly wait: for time-outs, and for the pauses between attempts.
AT_ONCE = 4
LOG_WINDOW_S = 60.0


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Outcome]]]:
    """The rows whose tests were selected, all under way."""
    here = [item for item in request.session.items if item.path == request.path]
    rows = {
        item.callspec.params["scenario"].name: item.callspec.params["scenario"]
        for item in here
        if hasattr(item, "callspec")
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            name: pool.submit(run, row, world, tmp_path_factory.mktemp("row")) for name, row in rows.items()
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_event_arrives_and_once(scenario: Scenario, outcomes: dict[str, Future[Outcome]]) -> None:
    outcome = outcomes[scenario.name].result()
    assert (outcome.stored, outcome.twice) == (outcome.made - scenario.rejected - scenario.kept, 0)
    assert outcome.exit_code == 0
    assert outcome.strayed == 0
    _check_ledger(scenario, outcome)
    _check_log(scenario, outcome.log)


def _check_ledger(scenario: Scenario, outcome: Outcome) -> None:
    during, ledger = outcome.during, outcome.ledger
    assert during["seen"] == during["delivered"] + during["queued"] + during["rejected"]
    # Nothing may be called delivered before the server has it.
    assert during["delivered"] <= outcome.stored_during
    assert (ledger["seen"], ledger["delivered"]) == (outcome.made, outcome.stored)
    assert (ledger["queued"], ledger["rejected"], ledger["dropped"]) == (scenario.kept, scenario.rejected, 0)
    assert ledger["failures"] == {}


def _check_log(scenario: Scenario, log: list[str]) -> None:
    assert [line for line in log if API_KEY in line or PROMPT in line] == []
    logged_at: dict[str, list[float]] = defaultdict(list)
    for warned in warnings_in(log):
        logged_at[warned.kind].append(warned.at_s)
    for kind, times in logged_at.items():
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert all(gap >= LOG_WINDOW_S for gap in gaps), kind
    assert bool(logged_at) == scenario.told
