"""A long outage: everything waits on disk, memory stays flat, all arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.outage import EVENTS, run
from tests.faults.world import World

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read memory from")

MOST_GROWTH = 20 * 1024 * 1024


def test_ten_minutes_without_pay_i_cost_no_memory_and_no_event(world: World, tmp_path: Path) -> None:
    outage = run(world, tmp_path)
    assert outage.waiting == EVENTS
    assert (outage.stored, outage.twice, outage.dropped) == (EVENTS, 0, 0)
    assert outage.growth < MOST_GROWTH
