"""What the command prints about an import. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from payi_otel.backfill.totals import Totals

_SHOWN_NAMES = 20


def describe(totals: Totals) -> list[str]:
    """What the events hold: times, units, use cases, and what was assumed about them.

    >>> describe(Totals())
    []
    """
    lines: list[str] = []
    if totals.first and totals.last:
        lines.append(f"times      {_time(totals.first)} to {_time(totals.last)}")
    if totals.units:
        units = [f"{name} {given:,} in, {made:,} out" for name, (given, made) in sorted(totals.units.items())]
        lines.append(f"units      {_listed(units)}")
    if totals.use_cases:
        most = sorted(totals.use_cases.items(), key=lambda item: -item[1])
        lines.append(f"use cases  {_listed([f'{name} {count:,}' for name, count in most])}")
    if totals.without_id:
        lines.append(
            f"ids        {counted(totals.without_id, 'event')} without provider_response_id: one is made of the content"
        )
    if totals.assumed_utc:
        lines.append(f"time zone  {counted(totals.assumed_utc, 'event')} without one: taken as UTC")
    return lines


def counted(number: int, noun: str) -> str:
    """
    >>> counted(1, "event"), counted(1200, "event")
    ('1 event', '1,200 events')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _listed(items: Sequence[str]) -> str:
    shown = "; ".join(items[:_SHOWN_NAMES])
    return shown if len(items) <= _SHOWN_NAMES else f"{shown}; and {len(items) - _SHOWN_NAMES} more"


def _time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")
