"""What can be said of a KPI, and how it follows from sums of scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal

from payi_otel.server.store.kpi_insights_bins import Bins
from payi_otel.server.store.kpi_insights_trend import Trend, trend_of
from payi_otel.server.store.kpis import Kpi

HOUR_S = 3600
_DAY_S = 24 * HOUR_S

Bucket = Callable[[datetime], datetime]
"""What one point of a time series stands for: the beginning of it, by any instant within."""


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
    """The scores of the time that begins at `start`: of an hour, a day or a month."""

    start: datetime
    scores: int
    average: float


@dataclass(frozen=True, slots=True)
class VersionResult:
    """The scores of one version, the first of them in the hour that begins at `first`."""

    version: int
    first: datetime
    scores: int
    average: float
    successes: int


@dataclass(frozen=True, slots=True)
class KpiDetail:
    """All about one KPI. `distribution` has labels of ranges, which `bins` made, and counts."""

    result: KpiResult
    slots: Sequence[Slot]
    trend: Trend | None
    bins: Bins
    distribution: Sequence[tuple[str, int]]
    versions: Sequence[VersionResult]


@dataclass(frozen=True, slots=True)
class KpiOverview:
    """One KPI in the list of all, with its averages over time."""

    use_case_name: str
    kpi: Kpi
    result: KpiResult
    slots: Sequence[Slot]
    trend: Trend | None


def instant_of(hour: int) -> datetime:
    """When an hour since 1970 began.

    >>> instant_of(24).isoformat()
    '1970-01-02T00:00:00+00:00'
    """
    return datetime.fromtimestamp(hour * HOUR_S, timezone.utc)


def utc_day(at: datetime) -> datetime:
    """The beginning of the day, in UTC.

    >>> utc_day(datetime(2026, 1, 8, 13, 30, tzinfo=timezone.utc)).isoformat()
    '2026-01-08T00:00:00+00:00'
    """
    return at.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)


def slots_of(hours: Iterable[tuple[int, int, float]], bucket: Bucket) -> list[Slot]:
    """The slots in order, from hours since 1970 with the number and the total of their scores."""
    sums: dict[datetime, tuple[int, float]] = {}
    for hour, scores, total in hours:
        start = bucket(instant_of(hour))
        before = sums.get(start, (0, 0.0))
        sums[start] = (before[0] + scores, before[1] + total)
    return [Slot(start, scores, total / scores) for start, (scores, total) in sorted(sums.items())]


def trend_over(slots: Sequence[Slot]) -> Trend | None:
    """Where the averages of slots are going."""
    return trend_of(
        [
            ((slot.start - slots[0].start).total_seconds() / _DAY_S, slot.average, slot.scores)
            for slot in slots
        ]
    )
