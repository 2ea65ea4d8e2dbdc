"""The columns of a request that follow from its units and from the prices of the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from payi_otel.server.pricing import Consumption, Cost, UnitCount, price
from payi_otel.server.pricing import single_prices as prices_of
from payi_otel.server.pricing_custom import UnitPrice, price_by
from payi_otel.server.pricing_units import unit_prices
from payi_otel.server.store.resources import Key, PriceBook


def price_key(values: Mapping[str, Any]) -> Key:
    """What a request is priced as: what it names for that, else what it used."""
    category = values.get("price_as_category") or values.get("category") or ""
    return category, values.get("price_as_resource") or values.get("resource") or ""


def priced(
    units: Mapping[str, UnitCount], values: Mapping[str, Any], warnings: Sequence[str], book: PriceBook
) -> dict[str, Any]:
    """The columns for units, cost and warnings. The operator's own prices count before the managed ones."""
    cost = _cost(units, values, book)
    input_tokens = output_tokens = 0
    counts: dict[str, dict[str, int]] = {}
    for name, (inputs, outputs) in units.items():
        counts[name] = {"input": inputs, "output": outputs}
        if unit_prices(name)[0].is_token:
            input_tokens += inputs
            output_tokens += outputs
    return {
        "units": counts,
        "input_cost": cost.input,
        "output_cost": cost.output,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "resource_id": cost.resource_id,
        "unknown_units": {name: count._asdict() for name, count in cost.unknown_units.items()},
        "warnings": [*warnings, *cost.warnings],
    }


def single_prices(
    values: Mapping[str, Any], book: PriceBook
) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    """By unit of a stored request, what a single one costs now as input and as output; None without a price."""
    units = {name: UnitCount(**count) for name, count in values["units"].items()}
    consumption = _consumption(units, values)
    custom = book.prices(consumption.category, consumption.resource or "", consumption.at)
    if custom is None:
        return prices_of(consumption)
    own = {name: custom.units.get(name, UnitPrice()) for name in units}
    return {name: (price.input, price.output) for name, price in own.items()}


def _cost(units: Mapping[str, UnitCount], values: Mapping[str, Any], book: PriceBook) -> Cost:
    consumption = _consumption(units, values)
    custom = book.prices(consumption.category, consumption.resource or "", consumption.at)
    return price(consumption) if custom is None else price_by(custom, consumption)


def _consumption(units: Mapping[str, UnitCount], values: Mapping[str, Any]) -> Consumption:
    properties: Mapping[str, str | None] = values["properties"]
    category, resource = price_key(values)
    # By place, which takes half as long as by name.
    return Consumption(
        category,
        resource or None,
        units,
        values["event_timestamp"],
        values["resource_scope"],
        properties.get("system.service_tier"),
        properties.get("system.speed"),
    )
