"""What a request costs: our units priced with genai-prices as of the time of the event. Nothing is silently free.

Amounts are decimal US dollars. A unit without a price is reported as unknown and a warning says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from genai_prices import Usage, calc_price, data
from genai_prices.types import ModelInfo, PriceCalculation, TieredPrices

from payi_otel.server.pricing_units import PER, UNITS, UnitPrices, is_only_output, unit_prices
from payi_otel.server.store.types import LARGEST, PICO, picos

_PROVIDERS: Mapping[str, str] = {
    "system.openai": "openai",
    "system.azureopenai": "azure",
    "system.azure": "azure",
    "system.anthropic": "anthropic",
    "system.aws.bedrock": "aws",
    "system.google.vertex": "google",
    "system.databricks.azure": "databricks",
    "system.databricks.aws": "databricks",
    "system.databricks.google": "databricks",
}
MANAGED_CATEGORIES = tuple(sorted(_PROVIDERS))
_MAKERS = ("openai", "anthropic")
STANDARD_TIERS = frozenset({"", "auto", "default", "standard", "on_demand"})
_BATCH = "batch"
# OpenAI, Azure and Anthropic all sell batches at half price, which stands in where genai-prices has no batch price.
_BATCH_FACTOR = Decimal("0.5")

_LARGEST_PICOS = picos(LARGEST)

_Picos = tuple["int | None", "int | None"]
Pair = tuple[Decimal | None, Decimal | None]
"""US dollars for a single unit as input and as output, None where there is no price."""


# Named tuples, which several are made of for each event: frozen dataclasses take four times as long to make.
class UnitCount(NamedTuple):
    """A count of one unit, each side 0 or more."""

    input: int = 0
    output: int = 0


class Consumption(NamedTuple):
    """What a request used, and all that its price depends on. `tier` and `speed` are as the vendor billed them."""

    category: str
    resource: str | None
    units: Mapping[str, UnitCount]
    at: datetime
    scope: str | None = None
    tier: str | None = None
    speed: str | None = None


class Cost(NamedTuple):
    """The cost of a request, and what of it could not be priced."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    resource_id: str | None = None
    unknown_units: Mapping[str, UnitCount] = MappingProxyType({})
    warnings: tuple[str, ...] = ()


def price(consumption: Consumption) -> Cost:
    """Price a request.

    >>> from datetime import timezone
    >>> at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    >>> price(Consumption("system.openai", "gpt-4o", {"text": UnitCount(1000, 100)}, at)).input
    Decimal('0.002500000000')
    """
    prices = _price_list(consumption)
    plain = None if prices is None else prices.plain_cost(consumption.units)
    if plain is not None:
        return plain
    counted = {name: count for name, count in consumption.units.items() if count.input or count.output}
    if not counted:
        return Cost()
    if prices is None:
        warning = f"unknown_resource: no price for {consumption.resource!r} in {consumption.category!r}"
        return Cost(unknown_units=counted, warnings=(warning,))
    tokens = _input_tokens(counted) if prices.is_tiered else 0
    unknown: dict[str, UnitCount] = {}
    input_total = output_total = Decimal(0)
    for name, count in counted.items():
        input_price, output_price = prices.pair(name, tokens)
        if input_price is not None:
            input_total += input_price * count.input
        if output_price is not None:
            output_total += output_price * count.output
        missing_input = count.input if input_price is None else 0
        missing_output = count.output if output_price is None else 0
        if missing_input or missing_output:
            unknown[name] = UnitCount(missing_input, missing_output)
    if max(input_total, output_total) > LARGEST:
        warning = f"implausible_cost: more than {LARGEST:,} US dollars for one request are not counted"
        return Cost(unknown_units=counted, warnings=(warning,))
    warnings = [f"unknown_unit: {name} has no price for {consumption.resource!r}" for name in unknown]
    return Cost(
        input=input_total.quantize(PICO),
        output=output_total.quantize(PICO),
        resource_id=prices.resource_id,
        unknown_units=unknown,
        warnings=(*warnings, *prices.warnings),
    )


def single_prices(consumption: Consumption) -> dict[str, Pair]:
    """By unit of a request, what a single one costs as input and as output; None where there is no telling."""
    prices = _price_list(consumption)
    if prices is None:
        return dict.fromkeys(consumption.units, (None, None))
    tokens = _input_tokens(consumption.units)
    return {name: prices.pair(name, tokens) for name in consumption.units}


def listed_prices(category: str, resource: str, at: datetime) -> tuple[str, dict[str, Pair]] | None:
    """The resource id of a managed resource, and by unit the input and output price of a single one.

    None where the price list does not know the resource at that time.
    """
    consumption = Consumption(category, resource, {}, at)
    found = _find(consumption)
    if found is None:
        return None
    prices = _PriceList(found, consumption)
    listed = {name: prices.pair(name, 0) for name in UNITS}
    return prices.resource_id, {name: pair for name, pair in listed.items() if pair != (None, None)}


def managed_resources(category: str) -> list[str]:
    """The resources of a managed category, by name."""
    provider = _PROVIDERS.get(category)
    models = next((one.models for one in data.providers if one.id == provider), ())
    return sorted(model.id for model in models)


def _price_list(consumption: Consumption) -> _PriceList | None:
    """The price list of a resource at the time of the event, None where nobody knows it."""
    # Prices change on the minute, if within a day at all.
    at = consumption.at.astimezone(timezone.utc)
    minute = (at.toordinal() * 24 + at.hour) * 60 + at.minute
    return _price_list_of(
        consumption.category, consumption.resource, minute,
        consumption.scope, consumption.tier, consumption.speed,
    )  # fmt: skip


# Finding a list takes more than all the rest of pricing, and these lists change with the package only.
@lru_cache(maxsize=4096)
def _price_list_of(
    category: str,
    resource: str | None,
    minute: int,
    scope: str | None,
    tier: str | None,
    speed: str | None,
) -> _PriceList | None:
    at = datetime.fromordinal(minute // 1440).replace(tzinfo=timezone.utc) + timedelta(minutes=minute % 1440)
    consumption = Consumption(category, resource, {}, at, scope, tier, speed)
    found = _find(consumption)
    return None if found is None else _PriceList(found, consumption)


def _find(consumption: Consumption) -> PriceCalculation | None:
    """The price list of the resource at the time of the event. Usage is left out: only the list is wanted."""
    for provider in _providers(consumption.category):
        for resource in _names(consumption.resource or "", provider):
            try:
                return calc_price(
                    Usage(),
                    resource,
                    provider_id=provider,
                    genai_request_timestamp=consumption.at,
                    price_context=_context(consumption),
                )
            except LookupError:
                continue
    return None


def _providers(category: str) -> tuple[str, ...]:
    """genai-prices' providers: a fixed one, or the category's own name, as host mappings to vendors give it.

    A model that a known host sells but does not list costs what its maker asks.
    """
    known = _PROVIDERS.get(category)
    if known is not None:
        return (known, *_MAKERS)
    return (category.removeprefix("system."),) if category.startswith("system.") else ()


def _names(resource: str, provider: str) -> Iterable[str]:
    if not resource:
        return
    if provider == "google":
        # Pay-i's names on Vertex say whose model it is.
        resource = resource.removeprefix("google.").removeprefix("anthropic.")
    yield resource
    if "/" in resource:
        # A Bedrock ARN, or a publisher's path.
        yield resource.rsplit("/", 1)[1]


def _context(consumption: Consumption) -> dict[str, str]:
    context: dict[str, str] = {}
    if consumption.tier == _BATCH:
        context["processing"] = _BATCH
    elif consumption.tier:
        context["service_tier"] = consumption.tier
    if consumption.speed:
        context["speed"] = consumption.speed
    return context


def _input_tokens(units: Mapping[str, UnitCount]) -> int:
    return sum(count.input for name, count in units.items() if unit_prices(name)[0].is_token)


class _PriceList:
    """The prices of one model for requests that differ in their units only. `warnings` says what they leave out."""

    def __init__(self, found: PriceCalculation, consumption: Consumption) -> None:
        self.resource_id = f"{found.provider.id}/{found.model.id}"
        self._prices: Any = found.model_price
        self._model_id = found.model.id
        self._free = _is_free(found)
        listed = cast("Mapping[str, Any]", vars(self._prices))
        self.is_tiered = any(isinstance(price, TieredPrices) for price in listed.values())
        self._pairs: dict[str, Pair] = {}
        self._whole: dict[str, _Picos] = {}
        self._token_factor = Decimal(1)
        self.warnings: tuple[str, ...] = ()
        # A provider that resells another's model has not taken over its variants.
        own = any(found.model is model for model in found.provider.models)
        self._apply_context(found.model if own else None, consumption)

    def _apply_context(self, model: ModelInfo | None, consumption: Consumption) -> None:
        for key, value in _context(consumption).items():
            if value in STANDARD_TIERS or _has_variant(model, key, value, consumption.at):
                continue
            if key == "processing":
                self._token_factor = _BATCH_FACTOR
            else:
                what = "tier_unpriced" if key == "service_tier" else "speed_unpriced"
                self.warnings += (f"{what}: {value!r} is priced as standard",)
        if consumption.scope and not consumption.scope.startswith("global"):
            self.warnings += (f"scope_unpriced: {consumption.scope!r} is priced as global",)

    def plain_cost(self, units: Mapping[str, UnitCount]) -> Cost | None:
        """The cost where every price is one of whole pico-dollars: exact in integers too, at a part of the work.

        None where that does not hold, where there is nothing to price, or more than `LARGEST`.
        """
        if self.is_tiered:
            return None
        input_total = output_total = counted = 0
        for name, (inputs, outputs) in units.items():
            input_price, output_price = self._whole.get(name) or self._in_picos(name)
            if (inputs and input_price is None) or (outputs and output_price is None):
                return None
            input_total += inputs * (input_price or 0)
            output_total += outputs * (output_price or 0)
            counted += inputs + outputs
        if not counted or max(input_total, output_total) > _LARGEST_PICOS:
            return None
        return Cost(
            Decimal(input_total) * PICO, Decimal(output_total) * PICO, self.resource_id, {}, self.warnings
        )

    def _in_picos(self, unit_name: str) -> _Picos:
        input_price, output_price = map(_whole, self.pair(unit_name, 0))
        self._whole[unit_name] = input_price, output_price
        return input_price, output_price

    def pair(self, unit_name: str, input_tokens: int) -> Pair:
        """The prices of one single unit in a request with so many input tokens, None if there is no telling."""
        found = None if self.is_tiered else self._pairs.get(unit_name)
        if found is None:
            found = (
                self._single(unit_name, "input", input_tokens),
                self._single(unit_name, "output", input_tokens),
            )
            self._pairs[unit_name] = found
        return found

    def _single(self, unit_name: str, side: str, input_tokens: int) -> Decimal | None:
        if self._free:
            return Decimal(0)
        unit, large = unit_prices(unit_name)
        keys = unit.input if side == "input" else unit.output
        for key in keys:
            found = self._price(key, large, input_tokens)
            if found is not None:
                return found * (self._token_factor if unit.is_token else 1)
        return self._derived(unit, unit_name, side, large, input_tokens)

    def _derived(
        self, unit: UnitPrices, unit_name: str, side: str, large: bool, input_tokens: int
    ) -> Decimal | None:
        if side == "input" and unit.multiple is not None:
            plain = self._price("input_mtok", large, input_tokens)
            # Only Anthropic's models have this rule; others bill cache writes like any input.
            multiple = unit.multiple if "claude" in self._model_id else Decimal(1)
            return None if plain is None else plain * multiple * self._token_factor
        if side == "output" and is_only_output(unit_name, self._model_id):
            plain = self._price("output_mtok", large, input_tokens)
            return None if plain is None else plain * self._token_factor
        return None

    def _price(self, key: str, large: bool, input_tokens: int) -> Decimal | None:
        found: Decimal | TieredPrices | None = getattr(self._prices, key)
        if found is None:
            return None
        if isinstance(found, TieredPrices):
            found = _tier(found, input_tokens, large)
        return found / PER[key]


def _whole(price: Decimal | None) -> int | None:
    return picos(price) if price is not None and picos(price) * PICO == price else None


def _tier(prices: TieredPrices, input_tokens: int, large: bool) -> Decimal:
    """The price for this much input. A large-context unit is never below the first tier, whoever counted."""
    if large:
        input_tokens = max(input_tokens, prices.tiers[0].start + 1)
    reached = [tier.price for tier in prices.tiers if input_tokens > tier.start]
    return reached[-1] if reached else prices.base


def _has_variant(model: ModelInfo | None, key: str, value: str, at: datetime) -> bool:
    variants = model.price_variants if model is not None else None
    return any(
        variant.when.get(key) == value and (variant.constraint is None or variant.constraint.active(at))
        for variant in variants or ()
    )


def _is_free(found: PriceCalculation) -> bool:
    """An empty price list alone may also mean that nobody knows the prices."""
    named_free = found.model.id == "moderation" or found.model.id.endswith(":free")
    return named_free and not any(value is not None for value in vars(found.model_price).values())
