"""Ten minutes without Pay-i at 200 calls a second, in less time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.application import running_application
from tests.faults.world import World, wait_until
from tests.support.fault_proxy import healthy, refuse, running_proxy

CALLS_PER_S = 200
EVENTS = 10 * 60 * CALLS_PER_S
PER_S = 4000.0
"""How fast they are made here."""
# Enough for a few full batches, so that the memory they need is not counted as growth.
_WARM_UP = 3000
_DELIVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class Outage:
    """`waiting` events when the outage ended; of all that were made, `stored` and `twice` by the server in the end.

    `growth` is the most memory the process ever held, less what it held before, in bytes. `seconds` from the end of
    the outage until all were in.
    """

    waiting: int
    stored: int
    twice: int
    dropped: int
    growth: int
    seconds: float


def run(world: World, folder: Path) -> Outage:
    """Let the server be away while `EVENTS` are made."""
    use_case_name = f"outage-{time.time_ns()}"
    with (
        running_proxy(*world.server_address) as proxy,
        running_application(
            folder, base_url=proxy.url, provider_url=world.provider_url, use_case_name=use_case_name
        ) as application,
    ):
        application.submit(_WARM_UP, PER_S)
        wait_until(lambda: application.status()["queued"] == 0, "the first events are delivered")
        before, _ = application.memory()
        proxy.switch(refuse)
        application.submit(EVENTS, PER_S)
        waiting = application.status()["queued"]
        proxy.switch(healthy)
        began = time.monotonic()
        wait_until(lambda: application.status()["queued"] == 0, "all are delivered", _DELIVERY_S)
        seconds = time.monotonic() - began
        _, most = application.memory()
        ledger = application.status()
        billed = world.billed_calls(use_case_name) - _WARM_UP
        return Outage(
            waiting=waiting,
            stored=min(billed, EVENTS),
            twice=max(0, billed - EVENTS),
            dropped=ledger["dropped"],
            growth=most - before,
            seconds=seconds,
        )
