"""The charts of KPIs: their averages over time, and how their scores are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from payi_otel.server.portal import kpi_words
from payi_otel.server.portal.charts import Chart, Mark, Tone, bars, histogram, time_series
from payi_otel.server.portal.filters import Filters
from payi_otel.server.portal.formats import INSTANCES, PERCENT
from payi_otel.server.store.kpi_insights_results import KpiDetail, KpiOverview, Slot
from payi_otel.server.store.kpi_insights_trend import Trend
from payi_otel.server.store.kpis import Kpi

_DAY_S = 86_400


def over_time(kpi: Kpi, filters: Filters, detail: KpiDetail) -> Chart:
    """Averages with their trend, the goal, and where versions began."""
    times = filters.buckets()
    series: dict[str, list[float | None]] = {"Average": averages(detail.slots, times)}
    if detail.trend is not None:
        series["Trend"] = _line(detail.trend, detail.slots, times)
    return time_series(
        "Average over time",
        times,
        series,
        kpi_words.unit(kpi),
        step=filters.step,
        goal=kpi.goal,
        marks=[
            Mark(filters.bucket(after.first), f"v{before.version} → v{after.version}")
            for before, after in zip(detail.versions, detail.versions[1:], strict=False)
        ],
        tones={"Trend": "muted"},
    )


def distribution(kpi: Kpi, detail: KpiDetail, title: str = "Distribution") -> Chart:
    """How many scores fell into each range, with the average and the goal among them."""
    counts = dict(detail.distribution)
    first = detail.distribution[0][0]
    position: dict[str, float] = {}
    for name, value in (("average", detail.result.average), ("goal", kpi.goal)):
        place = None if value is None else detail.bins.position(value, first)
        if place is not None:
            position[name] = place
    tones: dict[str, Tone] | None = {"True": "good", "False": "muted"} if kpi.kpi_type == "boolean" else None
    return histogram(
        title,
        counts,
        of=kpi_words.scale(kpi),
        unit=INSTANCES,
        average=detail.result.average,
        goal=kpi.goal,
        position=position,
        tones=tones,
    )


def attainment(found: Sequence[KpiOverview]) -> Chart:
    """How much of its goal each KPI reaches."""
    with_scores = {f"{one.kpi.name} · {one.use_case_name}": one.result for one in found if one.result.scores}
    return bars(
        "Goal met",
        {name: result.attainment for name, result in with_scores.items()},
        PERCENT,
        of="KPI",
        tones={name: "good" if result.is_met else "bad" for name, result in with_scores.items()},
    )


def averages(slots: Sequence[Slot], times: Sequence[datetime]) -> list[float | None]:
    """The average at each time, None where nothing was scored."""
    known = {slot.start: slot.average for slot in slots}
    return [known.get(at) for at in times]


def _line(trend: Trend, slots: Sequence[Slot], times: Sequence[datetime]) -> list[float | None]:
    first, last = slots[0].start, slots[-1].start
    return [trend.at((at - first).total_seconds() / _DAY_S) if first <= at <= last else None for at in times]
