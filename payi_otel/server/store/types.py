"""Column types that keep money exact and instants unambiguous on SQLite and PostgreSQL alike."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

PICO = Decimal("1e-12")
LARGEST = Decimal(9_000_000)
"""What fits into 64 bits, in US dollars."""
_PICOS = 10**12
_MICRO = 10**6

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for a column that is exactly INTEGER."""


class Money(TypeDecorator[Decimal]):
    """US dollars as whole pico-dollars: sums in SQL are exact, which SQLite's floating numbers are not."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else picos(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(int(value)) * PICO


def picos(amount: Decimal) -> int:
    """An amount in whole pico-dollars.

    >>> picos(Decimal("0.0000025"))
    2500000
    """
    return int((amount * _PICOS).to_integral_value())


def split_money(amount: Decimal) -> tuple[int, int]:
    """An amount as whole micro-dollars and the pico-dollars beyond.

    Sums of the two parts stay exact where a sum of pico-dollars would outgrow 64 bits at nine million dollars.

    >>> split_money(Decimal("0.0000025")), split_money(Decimal("-0.0000025"))
    ((2, 500000), (-3, 500000))
    """
    return divmod(picos(amount), _MICRO)


def read_sum(whole: int, rest: int) -> Decimal:
    """The sum whose parts the database gave.

    >>> read_sum(2, 500_000)
    Decimal('0.000002500000')
    """
    return Decimal(int(whole) * _MICRO + int(rest)) * PICO


class Second(TypeDecorator[datetime]):
    """An aware datetime as whole seconds since 1970: narrow in an index, and a day of it is a division away."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value.timestamp() // 1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(int(value), timezone.utc)


class Exact(TypeDecorator[Decimal]):
    """A decimal number of any size and precision, as text: for what is compared in Python only."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC. SQLite has no zones: there the zone is added when reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
