"""What events cost, against prices worked out by hand from the vendors' price lists."""

from __future__ import annotations

import sys
from typing import Any

import httpx2
import pytest

from tests.server.conftest import event

# After the price list began to know batch and tier prices, and before.
RECENT, EARLIER = "2026-10-20T00:00:00Z", "2026-10-05T00:00:00Z"
OPENAI, AZURE, ANTHROPIC = "system.openai", "system.azureopenai", "system.anthropic"


def price(http: httpx2.Client, category: str, model: str, units: Any, **more: Any) -> dict[str, Any]:
    """The result of one event."""
    body = {"category": category, "resource": model, "units": units, "event_timestamp": RECENT, **more}
    answer = http.post("/api/v1/ingest", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["xproxy_result"]


def cost(result: dict[str, Any]) -> tuple[float, float]:
    assert not result.get("unknown_units")
    found = result["cost"]
    assert found["currency"] == "usd"
    assert found["total"]["base"] == pytest.approx(
        found["input"]["base"] + found["output"]["base"], abs=1e-12
    )
    return found["input"]["base"], found["output"]["base"]


@pytest.mark.parametrize(
    ("category", "model", "units", "went_in", "came_out"),
    [
        # 0.15 in, 0.075 cached, 0.60 out.
        (OPENAI, "gpt-4o-mini", {"text": [1000, 500], "text_cache_read": [2000, 0]}, 0.0003, 0.0003),
        # 2.50 in, 1.25 cached, 10 out; reasoning is output.
        (OPENAI, "gpt-4o", {"text": [12_345, 678], "reasoning": [0, 100]}, 0.0308625, 0.00778),
        (OPENAI, "gpt-4o-2024-08-06", {"text": [1_000_000, 0]}, 2.5, 0),
        # Image tokens of a chat model cost what its text does.
        (OPENAI, "gpt-4o", {"vision": [1000, 0]}, 0.0025, 0),
        (OPENAI, "text-embedding-3-small", {"text": [1_000_000, 0]}, 0.02, 0),
        # 3 in, 0.30 cache read, 3.75 and 6 cache write, 15 out.
        (
            ANTHROPIC,
            "claude-sonnet-4-5",
            {
                "text": [1000, 500],
                "text_cache_read": [10_000, 0],
                "text_cache_write": [2000, 0],
                "text_cache_write_1h": [1000, 0],
            },
            0.003 + 0.003 + 0.0075 + 0.006,
            0.0075,
        ),
        # 1 in, 0.10 cache read, 1.25 and 2 cache write, 5 out; 10 for a thousand searches.
        (
            ANTHROPIC,
            "claude-haiku-4-5-20251001",
            {
                "text": [2000, 1000],
                "text_cache_read": [50_000, 0],
                "text_cache_write": [4000, 0],
                "text_cache_write_1h": [1000, 0],
                "web_search_request": [0, 3],
            },
            0.002 + 0.005 + 0.005 + 0.002,
            0.005 + 0.03,
        ),
        # Over 200 000 tokens of input: 6 in, 0.60 cache read, 22.50 out.
        (
            ANTHROPIC,
            "claude-sonnet-4-5",
            {"text_large_context": [150_000, 1000], "text_cache_read_large_context": [100_000, 0]},
            0.9 + 0.06,
            0.0225,
        ),
        # 0.36 an hour; 15 for a million characters.
        (OPENAI, "whisper-1", {"audio_second": [60, 0]}, 0.006, 0),
        pytest.param(
            *(OPENAI, "tts-1", {"text_character": [1000, 0]}, 0.015, 0),
            marks=pytest.mark.skipif(
                sys.version_info < (3, 11), reason="not in the price list for Python 3.10"
            ),
        ),
        # 5 text in, 10 image in, 40 image out.
        (OPENAI, "gpt-image-1", {"text": [1000, 0], "image": [1000, 1000]}, 0.015, 0.04),
        # 10 and 2.50 for a thousand searches.
        (OPENAI, "gpt-4o", {"web_search_request": [0, 2], "file_search_request": [0, 2]}, 0, 0.025),
        # Azure has OpenAI's models; Bedrock adds a tenth for its regional profiles.
        (AZURE, "gpt-4o", {"text": [1_000_000, 1_000_000]}, 2.5, 10),
        (
            "system.aws.bedrock",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
            {"text": [1_000_000, 0]},
            3.3,
            0,
        ),
        # A host that does not list a model: its maker's price.
        ("system.google.vertex", "gpt-4o", {"text": [1_000_000, 0]}, 2.5, 0),
    ],
)
def test_prices(
    category: str,
    model: str,
    units: dict[str, list[int]],
    went_in: float,
    came_out: float,
    http: httpx2.Client,
) -> None:
    counts = {name: {"input": pair[0], "output": pair[1]} for name, pair in units.items()}
    result = price(http, category, model, counts)
    assert cost(result) == (pytest.approx(went_in, abs=1e-12), pytest.approx(came_out, abs=1e-12))
    assert not result.get("warnings")


@pytest.mark.parametrize("when", [RECENT, EARLIER])
@pytest.mark.parametrize(
    ("category", "model", "went_in", "came_out"),
    [(OPENAI, "gpt-4o", 1.25, 5), (ANTHROPIC, "claude-haiku-4-5", 0.5, 2.5), (AZURE, "gpt-4o", 1.25, 5)],
)
def test_a_batch_costs_half(
    category: str, model: str, went_in: float, came_out: float, when: str, http: httpx2.Client
) -> None:
    units = {"text": {"input": 1_000_000, "output": 1_000_000}}
    tier = {"system.service_tier": "batch"}
    result = price(http, category, model, units, properties=tier, event_timestamp=when)
    assert cost(result) == (pytest.approx(went_in), pytest.approx(came_out))


def test_searches_of_a_batch_cost_what_they_always_do(http: httpx2.Client) -> None:
    units = {"web_search_request": {"output": 100}}
    for when in (RECENT, EARLIER):
        tier = {"system.service_tier": "batch"}
        result = price(http, ANTHROPIC, "claude-haiku-4-5", units, properties=tier, event_timestamp=when)
        assert cost(result) == (0, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("model", "tier", "went_in"),
    [("gpt-5", "flex", 0.625), ("gpt-4o", "priority", 4.25), ("gpt-4o", "default", 2.5)],
)
def test_tiers_with_prices(model: str, tier: str, went_in: float, http: httpx2.Client) -> None:
    units = {"text": {"input": 1_000_000}}
    result = price(http, OPENAI, model, units, properties={"system.service_tier": tier})
    assert cost(result) == (pytest.approx(went_in), 0)
    assert not result.get("warnings")


@pytest.mark.parametrize(("model", "tier"), [("gpt-4o", "flex"), ("text-embedding-3-small", "priority")])
def test_a_tier_without_prices_is_warned_of(model: str, tier: str, http: httpx2.Client) -> None:
    units = {"text": {"input": 1_000_000}}
    result = price(http, OPENAI, model, units, properties={"system.service_tier": tier})
    assert any("tier_unpriced" in warning for warning in result["warnings"])
    assert result["cost"]["input"]["base"] > 0


def test_units_without_a_price_are_told(http: httpx2.Client) -> None:
    units = {
        "text": {"input": 1_000_000},
        "audio": {"input": 5, "output": 7},
        "image.hd.1024x1024": {"output": 2},
        "text_cache_write_12h": {"input": 9},
    }
    result = price(http, OPENAI, "gpt-4o", units)
    assert set(result["unknown_units"]) == {"audio", "image.hd.1024x1024", "text_cache_write_12h"}
    assert result["unknown_units"]["audio"] == {"input": 5, "output": 7}
    assert result["cost"]["input"]["base"] == 2.5
    for name in result["unknown_units"]:
        assert any(name in warning for warning in result["warnings"])


@pytest.mark.parametrize(
    ("category", "model"),
    [
        (OPENAI, "no-such-model"),
        (OPENAI, "system.unknown_model"),
        ("my.own.category", "gpt-4o"),
        (OPENAI, None),
    ],
)
def test_models_without_prices_are_told(category: str, model: str | None, http: httpx2.Client) -> None:
    units = {"text": {"input": 10, "output": 3}}
    result = price(http, category, str(model), units, **({} if model else {"resource": None}))
    assert result["unknown_units"] == units
    assert result["warnings"]


def test_unpriced_events_show_in_the_summary(http: httpx2.Client) -> None:
    headers = {"xProxy-UseCase-Name": "unpriced-in-summary"}
    http.post("/api/v1/ingest", json=event(resource="no-such-model"), headers=headers)
    http.post("/api/v1/ingest", json=event(), headers=headers)
    entries = http.get("/api/v1/local/summary").json()["use_cases"]
    (found,) = [entry for entry in entries if entry["use_case_name"] == "unpriced-in-summary"]
    assert (found["calls"], found["unpriced"]) == (2, 1)
    assert found["cost"] == pytest.approx(0.00045, abs=1e-12)


def test_the_price_is_that_of_the_event_s_time(http: httpx2.Client) -> None:
    # gpt-5.6-luna became 80 % cheaper on 2026-07-30, from 1 dollar in.
    units = {"text": {"input": 100_000}}
    before = price(http, OPENAI, "gpt-5.6-luna", units, event_timestamp="2026-07-29T12:00:00Z")
    after = price(http, OPENAI, "gpt-5.6-luna", units, event_timestamp="2026-07-30T12:00:00Z")
    assert (cost(before)[0], cost(after)[0]) == (pytest.approx(0.1), pytest.approx(0.02))
