"""What a page shows, from its address: so that whoever gets the link sees the same.

`?days=30` is the last 30 days; `?from=2026-11-01&to=2026-11-20` are days of the viewer's zone, both included.
`version`, `property.<name>`, `q` and `cursor` narrow it down where a page knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Request

from payi_otel.server.errors import ApiError

ZONE_COOKIE = "payi-zone"
PRESETS = (1, 7, 30, 90, 365)
DEFAULT_DAYS = 30
_LONGEST_DAYS = 3660
_PROPERTY = "property."
_HOURLY_DAYS, _DAILY_DAYS = 2, 120


@dataclass(frozen=True, slots=True)
class Filters:
    """The time from `start` (inclusive) to `end` (exclusive), both in UTC, and what else narrows a page down.

    `days` is set where the link moves along with time, None for fixed days.
    """

    start: datetime
    end: datetime
    zone: tzinfo
    days: int | None = None
    version: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict[str, str])
    q: str = ""
    cursor: str | None = None

    @property
    def first_day(self) -> date:
        """The first day in the viewer's zone."""
        return self.start.astimezone(self.zone).date()

    @property
    def last_day(self) -> date:
        """The last day in the viewer's zone."""
        return (self.end - timedelta(microseconds=1)).astimezone(self.zone).date()

    @property
    def step(self) -> str:
        """What one point of a chart stands for: `hour`, `day` or `month`."""
        span = (self.last_day - self.first_day).days + 1
        return "hour" if span <= _HOURLY_DAYS else "day" if span <= _DAILY_DAYS else "month"

    @property
    def previous(self) -> Filters:
        """The same over as many days before."""
        span = (self.last_day - self.first_day).days + 1
        start = _midnight(self.first_day - timedelta(days=span), self.zone)
        return replace(self, start=start, end=self.start, days=None)

    def bucket(self, at: datetime) -> datetime:
        """The beginning of the chart's step that an instant is in, in the viewer's zone."""
        local = at.astimezone(self.zone).replace(minute=0, second=0, microsecond=0)
        if self.step == "hour":
            return local
        return local.replace(hour=0, fold=0) if self.step == "day" else local.replace(day=1, hour=0, fold=0)

    def buckets(self) -> list[datetime]:
        """The beginnings of all steps, those without anything included: so that a gap shows as one."""
        stride = timedelta(hours=1) if self.step == "hour" else timedelta(hours=12)
        instants = [self.start]
        while instants[-1] + stride < self.end:
            instants.append(instants[-1] + stride)
        instants.append(max(self.start, self.end - timedelta(microseconds=1)))
        # By their instant: where a clock is set back, two hours of one name follow each other.
        found = {bucket.astimezone(timezone.utc): bucket for bucket in map(self.bucket, instants)}
        return list(found.values())

    def query(self, **changes: Any) -> str:
        """The address's query with some parts changed; None leaves one out. The cursor goes unless it is given.

        Properties are given by their full name: `query(**{"property.tier": "gold"})`.

        >>> utc = timezone.utc
        >>> of_week = Filters(datetime(2026, 11, 1, tzinfo=utc), datetime(2026, 11, 8, tzinfo=utc), utc, days=7)
        >>> of_week.query(version=2), of_week.query(days=None, q="a b")
        ('?days=7&version=2', '?from=2026-11-01&to=2026-11-07&q=a+b')
        """
        days = changes.pop("days", self.days)
        parts: dict[str, Any] = {"days": days}
        if days is None:
            parts = {"from": self.first_day.isoformat(), "to": self.last_day.isoformat()}
        parts |= {"version": self.version}
        parts |= {f"{_PROPERTY}{name}": value for name, value in self.properties.items()}
        parts |= {"q": self.q or None, "cursor": None, **changes}
        return "?" + urlencode({name: value for name, value in parts.items() if value not in (None, "")})


def zone_of(request: Request) -> tzinfo:
    """The viewer's zone, which the page's script has told in a cookie; UTC where it has not."""
    name = request.cookies.get(ZONE_COOKIE, "")
    try:
        return ZoneInfo(name) if name else timezone.utc
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return timezone.utc


def read_filters(query: Mapping[str, str], zone: tzinfo, now: datetime) -> Filters:
    """The filters of an address. Raises `ApiError` 400 that names the part, its value and what to give.

    >>> read_filters({"days": "7"}, timezone.utc, datetime(2026, 11, 21, 9, tzinfo=timezone.utc)).first_day
    datetime.date(2026, 11, 15)
    """
    today = now.astimezone(zone).date()
    days: int | None = None
    if query.get("from") or query.get("to"):
        last = _day(query, "to") or today
        first = _day(query, "from") or last - timedelta(days=DEFAULT_DAYS - 1)
        if last < first:
            raise _wrong("to", query.get("to", ""), f"give a day that is not before {first}")
        if (last - first).days >= _LONGEST_DAYS:
            raise _wrong("from", query.get("from", ""), "give at most ten years at once")
    else:
        days = _number(query, "days", 1, _LONGEST_DAYS) or DEFAULT_DAYS
        first, last = today - timedelta(days=days - 1), today
    return Filters(
        start=_midnight(first, zone),
        end=_midnight(last + timedelta(days=1), zone),
        zone=zone,
        days=days,
        version=_number(query, "version", 1, 2**31 - 1),
        properties={
            name[len(_PROPERTY) :]: value
            for name, value in query.items()
            if name.startswith(_PROPERTY) and len(name) > len(_PROPERTY) and value
        },
        q=query.get("q", "").strip(),
        cursor=query.get("cursor") or None,
    )


def _filters(request: Request) -> Filters:
    return read_filters(request.query_params, zone_of(request), datetime.now(timezone.utc))


FiltersOf = Annotated[Filters, Depends(_filters)]
"""A page's parameter that gets the filters of its address."""


def _midnight(at: date, zone: tzinfo) -> datetime:
    return datetime.combine(at, time(), zone).astimezone(timezone.utc)


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise _wrong(name, text, "write a day like 2026-01-31") from None
    if not 1970 < found.year < 9000:
        raise _wrong(name, text, "give a day after 1970")
    return found


def _number(query: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or not least <= int(text[:12]) <= most:
        raise _wrong(name, text, f"give a whole number from {least} to {most}")
    return int(text)


def _wrong(name: str, value: str, fix: str) -> ApiError:
    return ApiError(400, "invalid_filter", f"{name}: {value[:80]!r} cannot be used; {fix}")
