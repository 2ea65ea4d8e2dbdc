"""Sums of money are exact: whatever the order, the repeats and the size."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from decimal import Decimal

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.server.pricing import Consumption, UnitCount, price
from payi_otel.server.pricing_units import UNITS
from payi_otel.server.store.types import Money
from tests.server.conftest import event, summary

Fresh = Callable[[str], str]
AT = datetime(2026, 10, 20, tzinfo=timezone.utc)
MOST = 2**31 - 1


def cost(resource: str, category: str = "system.openai", **units: tuple[int, int]) -> tuple[Decimal, Decimal]:
    """What units cost, all of which must have a price."""
    found = price(
        Consumption(category, resource, {name: UnitCount(*pair) for name, pair in units.items()}, AT)
    )
    assert not found.unknown_units
    return found.input, found.output


def test_sums_are_exact_under_concurrency_and_repeats(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("exact")
    # 0.075 dollars a million: 7 cached tokens cost 0.000000525, which no binary fraction holds.
    items = [
        event(
            provider_response_id=fresh("exact"),
            use_case_name=name,
            use_case_id="one",
            units={"text_cache_read": {"input": 7 + number}},
        )
        for number in range(200)
    ]

    def post(worker: int) -> int:
        mine = items[worker * 20 :] + items[: worker * 20]
        return http.post("/api/v1/ingest/bulk-upsert", json=mine).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(post, range(10))) == {200}
    found = summary(http, name)
    tokens = sum(7 + number for number in range(200))
    assert (found["calls"], found["input_tokens"], found["instances"]) == (200, tokens, 1)
    assert found["cost"] == float(tokens * Decimal("0.000000075"))


def test_a_sum_beyond_64_bits(http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("rich")
    items = [
        event(
            provider_response_id=fresh("rich"),
            use_case_name=name,
            resource="o1-pro",
            units={"text": {"output": MOST}},
        )
        for _ in range(10)
    ]
    http.post("/api/v1/ingest/bulk", json=items)
    # o1-pro: 600 dollars a million out.
    assert summary(http, name)["cost"] == float(10 * MOST * Decimal("0.0006"))


def test_what_one_request_cannot_cost_is_told_not_counted(http: httpx2.Client, fresh: Fresh) -> None:
    units = {"web_search_request": {"input": 0, "output": MOST}}
    answer = http.post("/api/v1/ingest", json=event(resource="gpt-4o", units=units))
    result = answer.json()["xproxy_result"]
    assert result["unknown_units"] == units
    assert "implausible_cost" in result["warnings"][0]


@given(st.decimals(min_value=0, max_value=9_000_000, places=12))
def test_money_survives_storage(amount: Decimal) -> None:
    column = Money()
    kept = column.process_bind_param(amount, dialect=None)  # pyright: ignore[reportArgumentType]
    assert isinstance(kept, int)
    assert column.process_result_value(kept, dialect=None) == amount  # pyright: ignore[reportArgumentType]


@given(st.integers(0, MOST), st.integers(0, MOST), st.integers(0, 1000))
def test_parts_cost_what_the_whole_does(one: int, other: int, searches: int) -> None:
    whole = cost("gpt-4o", text=(one, other), web_search_request=(0, searches))
    parts = [cost("gpt-4o", text=(one, 0)), cost("gpt-4o", text=(0, other))]
    parts.append(cost("gpt-4o", web_search_request=(0, searches)))
    assert whole == (sum(part[0] for part in parts), sum(part[1] for part in parts))


@given(
    st.dictionaries(
        st.sampled_from([*UNITS, "other"]), st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))
    )
)
def test_every_count_is_priced_or_reported(units: dict[str, tuple[int, int]]) -> None:
    counts = {name: UnitCount(*pair) for name, pair in units.items()}
    found = price(Consumption("system.openai", "gpt-4o", counts, AT))
    for name, pair in units.items():
        for side, number in zip(("input", "output"), pair, strict=True):
            unknown = getattr(found.unknown_units.get(name, UnitCount()), side)
            alone = price(Consumption("system.openai", "gpt-4o", {name: UnitCount(**{side: number})}, AT))
            assert unknown in (0, number)
            assert number == 0 or (unknown == number) == (alone.input + alone.output == 0)


@pytest.mark.parametrize(
    ("resource", "units", "expected"),
    [
        # 32 in, 0.40 cached, 64 out.
        ("gpt-realtime", {"audio": (10**6, 10**6), "audio_cache_read": (10**6, 0)}, ("32.4", "64")),
        # Its whole output is audio: 12.
        ("gpt-4o-mini-tts", {"text": (10**6, 0), "audio": (0, 10**6)}, ("0.6", "12")),
        # 6 for audio in, 10 for text out.
        ("gpt-4o-transcribe", {"audio": (10**6, 0), "text": (0, 10**6)}, ("6", "10")),
        # 8 image in, 32 image out, 10 text out.
        ("gpt-image-1.5", {"image": (10**6, 10**6), "text": (0, 10**6)}, ("8", "42")),
        # Past 272 000 tokens of input: 5 in, 22.50 out.
        ("gpt-5.4", {"text": (272_001, 10**6)}, ("1.360005", "22.5")),
        ("gpt-5.4", {"text": (272_000, 10**6)}, ("0.68", "15")),
        ("omni-moderation-latest", {"text": (10**6, 0)}, ("0", "0")),
    ],
)
def test_prices_of_other_media(
    resource: str, units: dict[str, tuple[int, int]], expected: tuple[str, str]
) -> None:
    assert cost(resource, **units) == (Decimal(expected[0]), Decimal(expected[1]))


def test_an_hour_of_cache_is_twice_the_input_where_no_price_is_listed() -> None:
    # Bedrock lists 3 dollars in and 3.75 for a cache write of 5 minutes, and nothing for one of an hour.
    model = "anthropic.claude-3-5-sonnet-20240620-v1:0"
    assert cost(model, "system.aws.bedrock", text_cache_write=(10**6, 0)) == (Decimal("3.75"), 0)
    assert cost(model, "system.aws.bedrock", text_cache_write_1h=(10**6, 0)) == (Decimal(6), 0)


def test_a_large_context_unit_alone_costs_the_large_context_price() -> None:
    assert cost("claude-sonnet-4-5", "system.anthropic", text_large_context=(1000, 0)) == (
        Decimal("0.006"),
        0,
    )


@pytest.mark.parametrize(
    ("scope", "warned"), [(None, False), ("global", False), ("datazone.eu", True), ("region.westus", True)]
)
def test_a_scope_without_prices_is_warned_of(scope: str | None, warned: bool) -> None:
    found = price(Consumption("system.openai", "gpt-4o", {"text": UnitCount(1)}, AT, scope=scope))
    assert any(warning.startswith("scope_unpriced") for warning in found.warnings) is warned


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the price list for Python 3.10 knows no speeds")
def test_a_speed_is_priced_or_warned_of() -> None:
    units = {"text": UnitCount(10**6)}
    # Claude Opus 4.8: 5 dollars in, 10 where it is fast.
    slow = price(Consumption("system.anthropic", "claude-opus-4-8", units, AT))
    fast = price(Consumption("system.anthropic", "claude-opus-4-8", units, AT, speed="fast"))
    assert (slow.input, fast.input, fast.warnings) == (5, 10, ())
    other = price(Consumption("system.anthropic", "claude-haiku-4-5", units, AT, speed="fast"))
    assert other.warnings[0].startswith("speed_unpriced")
