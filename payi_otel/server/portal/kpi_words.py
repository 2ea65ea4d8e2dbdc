"""Scores, goals and trends of KPIs as people read them, by the KPI's type."""

from __future__ import annotations

from collections.abc import Mapping

from payi_otel.server.portal.formats import MONEY, NOTHING, PERCENT, Number, Unit, money, percent
from payi_otel.server.store.kpi_insights_bins import SCALES
from payi_otel.server.store.kpi_insights_trend import Trend
from payi_otel.server.store.kpis import Kpi

TYPE_NAMES: Mapping[str, str] = {
    "boolean": "Boolean",
    "number": "Number",
    "percentage": "Percentage",
    "likert5": "Likert (5)",
    "likert7": "Likert (7)",
    "likert10": "Likert (10)",
}
_ARROWS = {"up": "↗ rising", "down": "↘ falling", "steady": "→ steady"}


def currency(kpi: Kpi) -> str:
    """What stands before its numbers: "$" for one with a dollar sign in its name, such as "Conversion $ Value"."""
    return "$" if kpi.kpi_type == "number" and "$" in kpi.name else ""


def score(kpi: Kpi, value: Number | None) -> str:
    """A score or an average; of a boolean the share of true.

    >>> from datetime import datetime
    >>> at = datetime(2026, 1, 1)
    >>> kinds = {"boolean": 0.0523, "number": 12.4666, "percentage": 87.5, "likert5": 3.85}
    >>> [score(Kpi(1, "k", "", kpi_type, 1.0, at, at), value) for kpi_type, value in kinds.items()]
    ['5.23 %', '12.47', '87.5 %', '3.85 / 5']
    """
    if value is None:
        return NOTHING
    if kpi.kpi_type == "boolean":
        return percent(value)
    if kpi.kpi_type == "percentage":
        return f"{_number(value)} %"
    if kpi.kpi_type in SCALES:
        return f"{float(value):.2f} / {SCALES[kpi.kpi_type]}"
    return money(value) if currency(kpi) else _number(value)


def unit(kpi: Kpi) -> Unit:
    """What the axis of its averages shows."""

    def text(value: Number | None) -> str:
        return score(kpi, value)

    if kpi.kpi_type == "boolean":
        return Unit("share of true", text, ticks=PERCENT.ticks)
    if kpi.kpi_type == "percentage":
        return Unit("average, percent", text, suffix=" %")
    if kpi.kpi_type in SCALES:
        return Unit(f"average score, 1 to {SCALES[kpi.kpi_type]}", text)
    return Unit("average, US dollars", text, prefix=MONEY.prefix) if currency(kpi) else Unit("average", text)


def scale(kpi: Kpi) -> str:
    """What the ranges of its distribution are of."""
    if kpi.kpi_type in SCALES:
        return f"score, 1 to {SCALES[kpi.kpi_type]}"
    return {"boolean": "score", "percentage": "score, percent"}.get(
        kpi.kpi_type, "score, US dollars" if currency(kpi) else "score"
    )


def success(kpi: Kpi) -> str:
    """What a success of an instance is."""
    return "true" if kpi.kpi_type == "boolean" else f"{score(kpi, kpi.goal)} or more"


def difference(kpi: Kpi, before: Number | None, after: Number | None) -> str:
    """How much more one average is than another, in the unit of the scores.

    >>> from datetime import datetime
    >>> solved = Kpi(1, "solved", "", "boolean", 0.5, datetime(2026, 1, 1), datetime(2026, 1, 1))
    >>> difference(solved, 0.5, 0.462), difference(solved, 0.5, None)
    ('-3.8 points', '-')
    """
    if before is None or after is None:
        return NOTHING
    return _signed(kpi, float(after) - float(before))


def trend(kpi: Kpi, found: Trend | None) -> tuple[str, str]:
    """Where it is going, in a word, and by how much over the time shown."""
    if found is None:
        return NOTHING, "takes three days with scores"
    said = f"{_signed(kpi, found.change)} over this time"
    return _ARROWS[found.direction], "no clear change" if found.direction == "steady" else said


def _signed(kpi: Kpi, amount: float) -> str:
    if kpi.kpi_type in {"boolean", "percentage"}:
        points = amount * 100 if kpi.kpi_type == "boolean" else amount
        return f"{_plus(points)}{_number(points)} points"
    shown = money(amount) if currency(kpi) else _number(amount)
    return f"{_plus(amount)}{shown}"


def _plus(amount: float) -> str:
    return "+" if amount > 0 else ""


def _number(value: Number) -> str:
    """At most two digits after the point, or three that count where it is small.

    >>> [_number(value) for value in (12.4666, 3, 0.00123456, 0, 12345.6, -0.0000001)]
    ['12.47', '3', '0.00123', '0', '12,345.6', '0']
    """
    size = abs(float(value))
    if size < 1e-6:
        return "0"
    text = f"{float(value):,.2f}" if size >= 0.1 else f"{float(value):.{2 - _exponent(size)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exponent(size: float) -> int:
    return int(f"{size:e}".partition("e")[2])
