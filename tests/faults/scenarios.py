"""The fault matrix: what goes wrong between an application and Pay-i, one row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support import fault_proxy as faults
from tests.support.fault_proxy import Fault

LOGIN_PAGE = b"<!doctype html><html><body>Please sign in</body></html>"
HTML = {"content-type": "text/html"}
JSON = {"content-type": "application/json"}
POISON = "poisonous-user"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row.

    `name` says it in the documentation. `fault` is made for a run; it is told the address of another host. `hits` of it
    are waited for. `resolver` is what becomes of the name in Pay-i's address meanwhile. `variables` are settings.
    `user_id` marks one more call made during the fault; `rejected` and `kept` of these are never stored, because Pay-i
    refuses them for good, or because they still wait. `passes`: the fault stays on, and the others get through.
    `told`: the log says that something is wrong.
    """

    name: str
    fault: Callable[[str], Fault]
    hits: int = 2
    resolver: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    user_id: str | None = None
    rejected: int = 0
    kept: int = 0
    passes: bool = False
    told: bool = True


def _row(name: str, fault: Fault, **fields: Any) -> Scenario:
    return Scenario(name, lambda _: fault, **fields)


def _statuses(*statuses: int) -> Fault:
    return faults.in_turn(*(faults.answering(status, b"{}", JSON) for status in statuses))


def _bodies(*bodies: bytes) -> Fault:
    return faults.in_turn(*(faults.answering(200, body, JSON) for body in bodies))


def _redirects(other_host: str) -> Fault:
    headers = {"location": f"{other_host}/api/v1/ingest/bulk-upsert"}
    return faults.in_turn(*(faults.answering(status, b"", headers) for status in (301, 302, 303, 307, 308)))


SCENARIOS = (
    _row("connection refused", faults.refuse),
    _row("connection accepted, never answered", faults.hang),
    _row(
        "never answered, with a time-out of ten minutes; then broken",
        faults.hang_until_switched,
        hits=1,
        variables={"PAYI_TIMEOUT": "600"},
    ),
    _row("half-open connections: the peer is silently gone", faults.half_open, hits=1, passes=True),
    _row("reset in the middle of the request", faults.reset_in_request),
    _row("reset in the middle of the answer", faults.reset_in_answer),
    _row("answer lost: events stored, connection closed", faults.lose_answer),
    _row("answer drips, a byte at a time", faults.drip),
    _row("answer never ends", faults.endless_answer),
    _row("answer is gzip, cut short", faults.truncated_gzip),
    _row(
        "200 with JSON that is not the API's", _bodies(b'{"status": "ok"}', b"[]", b"null", b'{"ingest_count')
    ),
    _row("200 with an HTML page", faults.answering(200, LOGIN_PAGE, HTML)),
    _row("404 with an HTML page", faults.answering(404, LOGIN_PAGE, HTML)),
    _row("502 with an HTML page", faults.answering(502, LOGIN_PAGE, HTML)),
    _row("500", _statuses(500)),
    _row("503", _statuses(503)),
    _row("503 with Retry-After", faults.answering(503, b"", {"retry-after": "1"})),
    _row("429 with Retry-After", faults.answering(429, b"{}", {**JSON, "retry-after": "1"})),
    _row(
        "429 with Retry-After as a date, clock 3 h ahead",
        faults.asking_to_wait(1, clock_ahead_s=3 * 3600),
    ),
    _row(
        "429 with Retry-After as a date, clock 3 h behind",
        faults.asking_to_wait(1, clock_ahead_s=-3 * 3600),
    ),
    _row("408, 409, 425 and 504 in turn", _statuses(408, 409, 425, 504), hits=3),
    Scenario("redirects to another host", _redirects),
    _row("401", _statuses(401), hits=1),
    _row("403", _statuses(403), hits=1),
    _row("413 above 8 kB", faults.too_large_above(8_000), passes=True, told=False),
    _row(
        "an event that is always refused with 400",
        faults.poisoned(POISON.encode(), 400),
        user_id=POISON,
        rejected=1,
        passes=True,
    ),
    _row(
        "an event that is always answered 500",
        faults.poisoned(POISON.encode(), 500),
        user_id=POISON,
        kept=1,
        passes=True,
    ),
    _row("name not resolved", faults.healthy, resolver="fails"),
    # Nothing fails, also where the machine has much else to do: with a second for a request it might.
    _row(
        "resolver never answers",
        faults.healthy,
        hits=1,
        resolver="hangs",
        told=False,
        variables={"PAYI_TIMEOUT": "60"},
    ),
)
