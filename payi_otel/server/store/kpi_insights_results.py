"""What can be said of a KPI, and how it follows from sums of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from payi_otel.server.store.kpi_insights_trend import Trend
from payi_otel.server.store.kpis import Kpi

HOUR_S, DAY_S = 3600, 86_400
# 1970 began on a Thursday, weeks begin on Mondays.
WEEK_S, MONDAY_S = 7 * DAY_S, 4 * DAY_S


@dataclass(frozen=True, slots=True)
class KpiFilter:
    """Which instances count: those that began from `start` (inclusive) to `end` (exclusive), of a version, with
    these properties. None and nothing leave it open.
    """

    start: datetime | None = None
    end: datetime | None = None
    version: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class KpiResult:
    """What came of a KPI.

    `successes` are the instances with true, or whose score reached the goal. `instances` have requests, and of these
    `reviewed` have a score; `spend` is what the reviewed ones cost, in US dollars.
    """

    scores: int
    total: float
    successes: int
    instances: int
    reviewed: int
    spend: Decimal
    goal: float

    @property
    def average(self) -> float | None:
        """The average score; of a boolean the share of true."""
        return self.total / self.scores if self.scores else None

    @property
    def attainment(self) -> float | None:
        """The average as a part of the goal, 1.0 for just reached; None without scores and for a goal of 0."""
        average = self.average
        return None if average is None or not self.goal else average / self.goal

    @property
    def is_met(self) -> bool | None:
        """Whether the average reaches the goal."""
        return None if self.average is None else self.average >= self.goal

    @property
    def reviewed_share(self) -> float | None:
        """Use cases reviewed: the part of the instances with requests that have a score."""
        return self.reviewed / self.instances if self.instances else None

    @property
    def cost_per_success(self) -> Decimal | None:
        """What was spent on reviewed instances for each success."""
        return self.spend / self.successes if self.successes else None


@dataclass(frozen=True, slots=True)
class Slot:
    """The scores of an hour, day or week that begins at `start`."""

    start: datetime
    scores: int
    average: float


@dataclass(frozen=True, slots=True)
class VersionResult:
    """The scores of one version."""

    version: int
    scores: int
    average: float
    successes: int


@dataclass(frozen=True, slots=True)
class KpiDetail:
    """All about one KPI. `step_s` is the length of a slot; `distribution` has labels of ranges and counts."""

    result: KpiResult
    step_s: int
    slots: Sequence[Slot]
    trend: Trend | None
    distribution: Sequence[tuple[str, int]]
    versions: Sequence[VersionResult]


@dataclass(frozen=True, slots=True)
class KpiOverview:
    """One KPI in the list of all, with its average over days."""

    use_case_name: str
    kpi: Kpi
    result: KpiResult
    slots: Sequence[Slot]
    trend: Trend | None


def previous(wanted: KpiFilter) -> KpiFilter | None:
    """The same over the time of the same length just before; None where `wanted` has no beginning or no end.

    >>> at = datetime(2026, 1, 8, tzinfo=timezone.utc)
    >>> previous(KpiFilter(at, at + timedelta(days=7))).start.day
    1
    """
    if wanted.start is None or wanted.end is None:
        return None
    length = wanted.end - wanted.start
    return KpiFilter(wanted.start - length, wanted.start, wanted.version, wanted.properties)


def step_for(start: datetime | None, end: datetime | None) -> int:
    """How long, in seconds, a slot of a time series is over a time: an hour, a day or a week.

    >>> at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    >>> [step_for(at, at + timedelta(days=days)) // HOUR_S for days in (2, 30, 365)]
    [1, 24, 168]
    """
    if start is None or end is None:
        return DAY_S
    length = end - start
    return HOUR_S if length <= timedelta(days=2) else DAY_S if length <= timedelta(days=120) else WEEK_S


def shift_of(step_s: int) -> int:
    """How many seconds after 1970 began the first slot of a length begins."""
    return MONDAY_S if step_s == WEEK_S else 0


def slots_of(sums: Mapping[int, tuple[int, float]], step_s: int) -> list[Slot]:
    """The slots in order, from number and total of the scores by a slot's place (see `shift_of`)."""
    shift = shift_of(step_s)
    return [
        Slot(datetime.fromtimestamp(slot * step_s + shift, timezone.utc), scores, total / scores)
        for slot, (scores, total) in sorted(sums.items())
    ]


def points_of(slots: Sequence[Slot]) -> list[tuple[float, float, int]]:
    """What `trend_of` takes: days since the first slot, average, number of scores."""
    return [
        ((slot.start - slots[0].start).total_seconds() / DAY_S, slot.average, slot.scores) for slot in slots
    ]
