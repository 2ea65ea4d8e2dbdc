"""A process that ends while Pay-i is in trouble: it does end, and the next one delivers what it left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.app import FAULTY_HOST
from tests.faults.application import running_application
from tests.faults.world import World, wait_until
from tests.support import fault_proxy as faults
from tests.support.fault_proxy import Fault, running_proxy

CALLS = 9
# The exit alone is bounded; a request would go on for as long as its server likes.
SETTINGS = {"PAYI_TIMEOUT": "600", "PAYI_EXIT_TIMEOUT": "1"}


@pytest.mark.parametrize(
    ("fault", "resolver"),
    [
        pytest.param(faults.refuse, "works", id="refused"),
        pytest.param(faults.hang, "works", id="hung"),
        pytest.param(faults.drip, "works", id="dripping answer"),
        pytest.param(faults.endless_answer, "works", id="endless answer"),
        pytest.param(faults.healthy, "hangs", id="resolver hung"),
    ],
)
def test_the_next_process_delivers_what_one_that_ended_left(
    fault: Fault, resolver: str, world: World, tmp_path: Path
) -> None:
    use_case_name = f"exit-{time.time_ns()}"
    with running_proxy(*world.server_address) as proxy:
        place = {"provider_url": world.provider_url, "use_case_name": use_case_name, **SETTINGS}
        proxy.switch(fault)
        with running_application(tmp_path, base_url=f"http://{FAULTY_HOST}:{proxy.port}", **place) as first:
            first.resolve(resolver)
            first.call(CALLS)
            assert first.status()["delivered"] == 0
            assert first.end() == 0
        proxy.switch(faults.healthy)
        with running_application(tmp_path, base_url=proxy.url, **place) as following:
            following.call(1)
            made = {*first.ids, *following.ids}
            wait_until(
                lambda: world.stored(use_case_name).keys() >= made, "all events are stored", every_s=0.25
            )
            wait_until(lambda: following.status()["queued"] == 0, "the ledger knows it")
            assert following.status()["recovered"] == CALLS
            assert following.end() == 0
    assert sorted(world.stored(use_case_name).elements()) == sorted(made)
    assert world.billed_calls(use_case_name) == CALLS + 1
