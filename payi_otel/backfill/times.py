"""Timestamps of events."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r" ?(?:([Zz])|([+-])(\d\d):?(\d\d)?)?)?"
)
_NUMBER = re.compile(r"\d{1,19}(?:\.\d+)?")
_EXAMPLE = "2026-10-05T13:45:00Z"
# From 2001 to 2286 the same moment has a different number of digits in each of these.
_UNIX_UNITS = ((1e9, 1e10, 1), (1e12, 1e13, 1_000), (1e15, 1e16, 1_000_000), (1e18, 1e19, 1_000_000_000))


def parse_time(value: Any) -> tuple[datetime, bool]:
    """A moment in UTC, and whether UTC is only assumed because the value names no zone.

    Takes ISO 8601 (a date alone is its midnight) and Unix time in seconds, milliseconds, microseconds or
    nanoseconds, which their size tells apart. Raises `ValueError` with the fix.

    >>> parse_time("2026-10-05 13:45")
    (datetime.datetime(2026, 10, 5, 13, 45, tzinfo=datetime.timezone.utc), True)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _from_unix(float(value)), False
    if not isinstance(value, str):
        raise ValueError(f"give a time such as {_EXAMPLE!r}")
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return _from_unix(float(text)), False
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"give an ISO 8601 time such as {_EXAMPLE!r} or Unix seconds")
    year, month, day, hour, minute, second, fraction, zulu, sign, zone_hours, zone_minutes = match.groups()
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
            tzinfo=timezone.utc,
        )
        offset = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0))
        moment = local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError) as error:
        raise ValueError(f"no such time ({error}); give one such as {_EXAMPLE!r}") from None
    return moment, not (zulu or sign)


def _from_unix(number: float) -> datetime:
    for lowest, highest, per_second in _UNIX_UNITS:
        if lowest <= number < highest:
            return datetime.fromtimestamp(number / per_second, timezone.utc)
    raise ValueError(f"no Unix time between 2001 and 2286; give one, or a time such as {_EXAMPLE!r}")
