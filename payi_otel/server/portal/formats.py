"""Numbers and times as people read them: with units, and never with more digits than tell something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timezone, tzinfo
from decimal import Decimal

from markupsafe import Markup

Number = int | float | Decimal
NOTHING = "-"
"""What stands where there is no number."""


def money(amount: Number | None) -> str:
    """US dollars; below a cent with three digits that count.

    >>> money(12.474), money(Decimal("0.00012345")), money(-1234.5), money(0), money(None)
    ('$12.47', '$0.000123', '-$1,234.50', '$0.00', '-')
    """
    if amount is None:
        return NOTHING
    size = abs(Decimal(str(amount)))
    sign = "-" if amount < 0 else ""
    if size == 0 or size >= Decimal("0.01"):
        return f"{sign}${size:,.2f}"
    rounded = size.quantize(Decimal(1).scaleb(size.adjusted() - 2))
    return f"{sign}${rounded:f}".rstrip("0")


def count(number: Number | None) -> str:
    """How many.

    >>> count(1234567), count(0), count(2.5), count(None)
    ('1,234,567', '0', '2.5', '-')
    """
    if number is None:
        return NOTHING
    return f"{number:,.0f}" if number == int(number) else f"{float(number):,.2f}".rstrip("0").rstrip(".")


def compact(number: Number | None) -> str:
    """How many, short: for tiles and axes.

    >>> compact(950), compact(12_340), compact(1_250_000), compact(None)
    ('950', '12.3K', '1.25M', '-')
    """
    if number is None:
        return NOTHING
    size = float(number)
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "K")):
        if abs(size) >= limit:
            divisor = 1e3 if letter == "K" else limit
            return (
                f"{size / divisor:.3g}{letter}"
                if abs(size / divisor) < 1000
                else f"{size / divisor:.0f}{letter}"
            )
    return count(number)


def milliseconds(duration: Number | None) -> str:
    """A duration that is given in milliseconds.

    >>> milliseconds(849.6), milliseconds(1250), milliseconds(95_000), milliseconds(None)
    ('850 ms', '1.25 s', '1 min 35 s', '-')
    """
    if duration is None:
        return NOTHING
    if duration < 1000:
        return f"{float(duration):.0f} ms"
    seconds = float(duration) / 1000
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def minutes(duration: Number | None) -> str:
    """A time that is given in minutes.

    >>> minutes(12), minutes(150), minutes(None)
    ('12 min', '2.5 h', '-')
    """
    if duration is None:
        return NOTHING
    return f"{count(duration)} min" if abs(duration) < 120 else f"{count(round(float(duration) / 60, 1))} h"


def percent(share: Number | None, digits: int = 2) -> str:
    """A share of 1, with at most so many digits after the point.

    >>> percent(0.0523), percent(0.5), percent(1), percent(4.987, 0), percent(31.5), percent(None)
    ('5.23 %', '50 %', '100 %', '499 %', '3,150 %', '-')
    """
    if share is None:
        return NOTHING
    text = f"{float(share) * 100:,.{digits}f}"
    return (text.rstrip("0").rstrip(".") if digits else text) + " %"


def change(before: Number | None, after: Number | None) -> str | None:
    """How much more `after` is than `before`; None where there is nothing to compare with.

    >>> change(10, 12), change(10, 9.5), change(3, 3), change(0, 3), change(1, 50)
    ('+20 %', '-5 %', '±0 %', None, 'x50')
    """
    if not before or after is None:
        return None
    ratio = float(after) / float(before)
    if ratio >= 10:
        return f"x{ratio:.3g}"
    share = round((ratio - 1) * 100, 1 if abs(ratio - 1) < 0.1 else 0)
    return "±0 %" if share == 0 else f"{share:+g} %"


def instant(at: datetime | None, zone: tzinfo = timezone.utc) -> Markup:
    """A `<time>` in the viewer's zone, with UTC in its title.

    >>> instant(datetime(2026, 11, 21, 9, 5, tzinfo=timezone.utc))
    Markup('<time datetime="2026-11-21T09:05:00+00:00" title="2026-11-21 09:05:00 UTC">21 Nov 2026, 09:05</time>')
    """
    if at is None:
        return Markup(NOTHING)
    utc = at.astimezone(timezone.utc)
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{}</time>').format(
        utc.isoformat(), utc, moment(at.astimezone(zone))
    )


def moment(at: datetime) -> str:
    """A time in its own zone, as text.

    >>> moment(datetime(2026, 11, 21, 9, 5))
    '21 Nov 2026, 09:05'
    """
    return f"{day(at)}, {at:%H:%M}"


def day(at: date) -> str:
    """A day.

    >>> day(date(2026, 11, 1))
    '1 Nov 2026'
    """
    return f"{at.day} {at:%b %Y}"


@dataclass(frozen=True, slots=True)
class Unit:
    """What the numbers of an axis are: its title, how one is written, and what stands around its ticks."""

    title: str
    text: Callable[[Number | None], str]
    prefix: str = ""
    suffix: str = ""
    # The tick format of d3; empty lets the chart choose.
    ticks: str = ""


MONEY = Unit("US dollars", money, prefix="$")
CALLS = Unit("calls", count)
TOKENS = Unit("tokens", compact, ticks="~s")
INSTANCES = Unit("instances", count)
MILLISECONDS = Unit("milliseconds", milliseconds, suffix=" ms")
PERCENT = Unit("percent", percent, ticks=".0%")
SCORE = Unit("score", count)
MINUTES = Unit("minutes", minutes, suffix=" min")
