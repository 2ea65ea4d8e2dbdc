"""The form of a resource's prices: a row for each unit, with prices as price lists give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timezone, tzinfo
from decimal import Decimal, InvalidOperation

from starlette.datastructures import FormData

from payi_otel.server.portal.formats import NOTHING, money
from payi_otel.server.portal.forms import Form, FormModel
from payi_otel.server.pricing_custom import UnitPrice
from payi_otel.server.pricing_units import UNITS, unit_prices

FEWEST_ROWS = 3
_MOST_ROWS = 40
_MILLION = 10**6
_LARGEST = Decimal(10**9)
_LONGEST = 200
_SINCE_EVER = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class NewPrices:
    """What the form says: prices of single units, from `start` on."""

    category: str
    resource: str
    units: Mapping[str, UnitPrice]
    start: datetime


def per(unit: str) -> int:
    """How many of a unit its price in the form is for: a million tokens, else a single one.

    >>> per("text"), per("web_search_request")
    (1000000, 1)
    """
    return _MILLION if unit_prices(unit)[0].is_token else 1


def price_text(unit: str, price: Decimal | float | None) -> str:
    """A price of a single unit, as price lists give it.

    >>> price_text("text", Decimal("0.00000015")), price_text("web_search_request", Decimal("0.01"))
    ('$0.15 per million', '$0.01 each')
    """
    if price is None:
        return NOTHING
    amount = Decimal(str(price)) * per(unit)
    return f"{money(amount)} {'each' if per(unit) == 1 else 'per million'}"


def begin(
    category: str, resource: str, units: Sequence[str], known: Mapping[str, UnitPrice], start: str = ""
) -> Form[FormModel]:
    """The form as it begins: with the units that were used, and the prices they have."""
    values: dict[str, str] = {"category": category, "resource": resource, "start": start}
    names = sorted({*known, *units}, key=lambda unit: (unit != "text", unit)) or ["text"]
    for row, unit in enumerate(names[:_MOST_ROWS]):
        price = known.get(unit, UnitPrice())
        values |= {
            f"unit_{row}": unit,
            f"input_{row}": _listed(unit, price.input),
            f"output_{row}": _listed(unit, price.output),
        }
    return Form(values)


def rows_of(form: Form[FormModel]) -> range:
    """The numbers of the rows to show: those that say something, and one more."""
    filled = [row for row in range(_MOST_ROWS) if form.text(f"unit_{row}")]
    return range(min(_MOST_ROWS, max(FEWEST_ROWS, max(filled, default=-1) + 2)))


def known_units() -> list[str]:
    """The units that Pay-i knows; others are counted one by one."""
    return sorted(UNITS)


def read_prices(form: FormData, zone: tzinfo) -> tuple[Form[FormModel], NewPrices | None]:
    """What was sent: the form to show again, with errors by field; and what it says if nothing is wrong."""
    values = {name: value.strip() for name, value in form.items() if isinstance(value, str) and value.strip()}
    errors: dict[str, str] = {}
    for name in ("category", "resource"):
        if name not in values:
            errors[name] = "Fill this in."
        elif len(values[name]) > _LONGEST or "\0" in values[name]:
            errors[name] = f"Write at most {_LONGEST} characters."
    units: dict[str, UnitPrice] = {}
    for row in range(_MOST_ROWS):
        _read_row(values, row, units, errors)
    if not units and not any(name.startswith(("unit_", "input_", "output_")) for name in errors):
        errors["unit_0"] = "Give a unit and what it costs."
    start = _start(values, zone, errors)
    shown: Form[FormModel] = Form(values, errors)
    if errors:
        return shown, None
    return shown, NewPrices(values["category"], values["resource"], units, start)


def _read_row(
    values: Mapping[str, str], row: int, units: dict[str, UnitPrice], errors: dict[str, str]
) -> None:
    unit = values.get(f"unit_{row}")
    prices: list[Decimal | None] = []
    for side in ("input", "output"):
        text = values.get(f"{side}_{row}")
        price = None if text is None else _price(text)
        if text is not None and price is None:
            errors[f"{side}_{row}"] = "Write a price, 0.15 for example."
        prices.append(price)
    if unit is None:
        if prices != [None, None]:
            errors[f"unit_{row}"] = "Say which unit this price is for."
        return
    if len(unit) > _LONGEST or "\0" in unit:
        errors[f"unit_{row}"] = f"Write at most {_LONGEST} characters."
    elif unit in units:
        errors[f"unit_{row}"] = "This unit is above already."
    elif prices != [None, None]:
        count = per(unit)
        single = [None if price is None else price / count for price in prices]
        units[unit] = UnitPrice(single[0], single[1])


def _price(text: str) -> Decimal | None:
    try:
        price = Decimal(text.removeprefix("$").strip())
    except InvalidOperation:
        return None
    return price if price.is_finite() and 0 <= price <= _LARGEST else None


def _start(values: Mapping[str, str], zone: tzinfo, errors: dict[str, str]) -> datetime:
    text = values.get("start")
    if text is None:
        return _SINCE_EVER
    try:
        day = date.fromisoformat(text)
        return max(_SINCE_EVER, datetime.combine(day, time(), zone).astimezone(timezone.utc))
    except (ValueError, OverflowError):
        errors["start"] = "Write a day like 2026-01-31."
        return _SINCE_EVER


def _listed(unit: str, price: Decimal | None) -> str:
    if price is None:
        return ""
    amount = price * per(unit)
    return f"{amount.normalize():f}"
