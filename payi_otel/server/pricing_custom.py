"""What a request costs by prices that the operator has defined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from payi_otel.server.pricing import STANDARD_TIERS, Consumption, Cost, UnitCount
from payi_otel.server.store.types import LARGEST, PICO


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """US dollars for one single unit; None where that side of the unit has no price."""

    input: Decimal | None = None
    output: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CustomPrices:
    """The prices of one version of a resource."""

    resource_id: str
    units: Mapping[str, UnitPrice]


def price_by(prices: CustomPrices, consumption: Consumption) -> Cost:
    """Price a request. Units without a price are reported, as with managed prices.

    >>> from datetime import datetime, timezone
    >>> prices = CustomPrices("v1", {"text": UnitPrice(Decimal("0.000002"))})
    >>> at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    >>> price_by(prices, Consumption("acme", "my-model", {"text": UnitCount(1000)}, at)).input
    Decimal('0.002000000000')
    """
    counted = {name: count for name, count in consumption.units.items() if count.input or count.output}
    unknown: dict[str, UnitCount] = {}
    totals = [Decimal(0), Decimal(0)]
    for name, count in counted.items():
        price = prices.units.get(name, UnitPrice())
        missing = [0, 0]
        for side, (number, single) in enumerate(((count.input, price.input), (count.output, price.output))):
            if single is not None:
                totals[side] += single * number
            else:
                missing[side] = number
        if any(missing):
            unknown[name] = UnitCount(*missing)
    if max(totals) > LARGEST:
        warning = f"implausible_cost: more than {LARGEST:,} US dollars for one request are not counted"
        return Cost(unknown_units=counted, warnings=(warning,))
    warnings = [f"unknown_unit: {name} has no price for {consumption.resource!r}" for name in unknown]
    for what, value in (("tier", consumption.tier), ("speed", consumption.speed)):
        if value and value not in STANDARD_TIERS:
            warnings.append(f"{what}_unpriced: {value!r} is priced as standard")
    return Cost(
        input=totals[0].quantize(PICO),
        output=totals[1].quantize(PICO),
        resource_id=prices.resource_id,
        unknown_units=unknown,
        warnings=tuple(warnings),
    )
