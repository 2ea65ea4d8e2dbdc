"""Which price of genai-prices pays for which of our units, most specific first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from genai_prices.data_units import unit_data

LARGE_CONTEXT = "_large_context"

PER: Mapping[str, int] = {str(unit["price_key"]): int(unit["per"]) for unit in unit_data.values()}
"""How many units a price of genai-prices is for: a million tokens, a thousand searches, an hour."""


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """The price keys of one unit: the first that a model has counts; none at all means unknown.

    `is_token` says whether the unit counts tokens (not seconds, characters, searches or pictures).
    `multiple` of the model's input price is the vendor's own rule for where its price list has no number.
    """

    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    is_token: bool = True
    multiple: Decimal | None = None


UNITS: Mapping[str, UnitPrices] = {
    "text": UnitPrices(("input_text_mtok", "input_mtok"), ("output_text_mtok", "output_mtok")),
    # Without a cache price the vendor bills cached tokens like any other.
    "text_cache_read": UnitPrices(("cache_text_read_mtok", "cache_read_mtok", "input_mtok")),
    # Anthropic's rule for writing to its cache: 1.25 times input for 5 minutes, 2 times for an hour. Where
    # genai-prices has the price of a model (cache_write_mtok is the 5-minute one), that counts instead.
    "text_cache_write": UnitPrices(
        ("cache_write_5m_mtok", "cache_text_write_mtok", "cache_write_mtok"), multiple=Decimal("1.25")
    ),
    "text_cache_write_1h": UnitPrices(
        ("cache_text_write_1h_mtok", "cache_write_1h_mtok"), multiple=Decimal(2)
    ),
    # OpenAI's default lifetime, which its cache write price is for; models without one bill plain input.
    "text_cache_write_30m": UnitPrices(("cache_text_write_mtok", "cache_write_mtok", "input_mtok")),
    # No price list tells what the longer lifetime costs: reported as unknown rather than guessed.
    "text_cache_write_12h": UnitPrices(),
    "reasoning": UnitPrices(output=("output_reasoning_mtok", "output_mtok")),
    "vision": UnitPrices(("input_image_mtok", "input_mtok")),
    "vision_cache_read": UnitPrices(("cache_image_read_mtok", "cache_read_mtok", "input_mtok")),
    # Audio costs many times what text does: billing it at the text price would hide most of it.
    "audio": UnitPrices(("input_audio_mtok",), ("output_audio_mtok",)),
    "audio_cache_read": UnitPrices(("cache_audio_read_mtok",)),
    "image": UnitPrices(("input_image_mtok", "input_mtok"), ("output_image_mtok",)),
    "audio_second": UnitPrices(("input_audio_hours", "audio_hours"), is_token=False),
    "text_character": UnitPrices(("input_mchars",), is_token=False),
    "web_search_request": UnitPrices(output=("web_searches_kcount",), is_token=False),
    "file_search_request": UnitPrices(output=("storage_searches_kcount",), is_token=False),
    "code_interpreter_request": UnitPrices(output=("code_executions_kcount",), is_token=False),
}
_NONE = UnitPrices(is_token=False)
# Models that give nothing but this: their plain output price is the price of it.
_ONLY_OUTPUT = (("-tts", "audio"), ("gpt-image-", "image"))


@lru_cache(maxsize=1024)
def unit_prices(name: str) -> tuple[UnitPrices, bool]:
    """The price keys of a unit, and whether it is the large-context form of it.

    >>> unit_prices("text_large_context") == (UNITS["text"], True)
    True
    """
    base = name.removesuffix(LARGE_CONTEXT)
    return UNITS.get(base, _NONE), base != name


def is_only_output(unit_name: str, model_id: str) -> bool:
    """Whether a model's whole output is of this unit.

    >>> is_only_output("audio", "gpt-4o-mini-tts"), is_only_output("audio", "gpt-4o")
    (True, False)
    """
    return any(mark in model_id and unit_name == unit for mark, unit in _ONLY_OUTPUT)
