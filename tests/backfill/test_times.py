"""Timestamps: what is taken, what it means, and what is said of the rest."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.backfill.times import parse_time

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "expected", "assumed"),
    [
        ("2026-10-05T12:00:00Z", NOON, False),
        ("2026-10-05t12:00:00z", NOON, False),
        ("2026-10-05T14:00:00+02:00", NOON, False),
        ("2026-10-05T07:30:00-0430", NOON, False),
        ("2026-10-05 14:00+02", NOON, False),
        ("2026-10-05T12:00:00", NOON, True),
        ("2026-10-05 12:00", NOON, True),
        (" 2026-10-05T12:00:00 ", NOON, True),
        ("2026-10-05", NOON.replace(hour=0), True),
        ("2026-10-05T12:00:00.25Z", NOON.replace(microsecond=250_000), False),
        ("2026-10-05T12:00:00,123456789Z", NOON.replace(microsecond=123_456), False),
        (1791201600, NOON, False),
        ("1791201600", NOON, False),
        ("1791201600.5", NOON.replace(microsecond=500_000), False),
        (1791201600000, NOON, False),
        (1791201600000000, NOON, False),
        ("1791201600000000000", NOON, False),
    ],
)
def test_taken(value: Any, expected: datetime, assumed: bool) -> None:
    assert parse_time(value) == (expected, assumed)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("10/5/2026", "ISO 8601"),
        ("yesterday", "ISO 8601"),
        ("", "ISO 8601"),
        ("2026-10-05T12:00:00 CET", "ISO 8601"),
        ("2026-02-30", "day"),
        ("2026-10-05T25:00:00Z", "hour"),
        ("0001-01-01T00:00:00+01:00", "no such time"),
        (12, "Unix time"),
        (float("nan"), "Unix time"),
        ("20261005", "Unix time"),
        (True, "give a time"),
        (None, "give a time"),
        ([1], "give a time"),
    ],
)
def test_refused(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_time(value)


@given(
    st.datetimes(
        min_value=datetime(1970, 1, 2),
        max_value=datetime(2200, 1, 1),
        timezones=st.builds(timezone, st.builds(timedelta, minutes=st.integers(-1439, 1439))),
    )
)
def test_what_python_writes_is_read_as_the_same_moment(moment: datetime) -> None:
    read, assumed = parse_time(moment.isoformat())
    assert (read, read.utcoffset(), assumed) == (moment, timedelta(0), False)
