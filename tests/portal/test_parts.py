"""The parts that pages are made of: filters in every zone, charts with the same numbers as their tables, forms."""

from __future__ import annotations

import doctest
import importlib
import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import pytest
from pydantic import Field
from starlette.datastructures import FormData, ImmutableMultiDict

from payi_otel.server.errors import ApiError
from payi_otel.server.portal import formats
from payi_otel.server.portal.charts import Mark, bars, histogram, time_series
from payi_otel.server.portal.filters import Filters, read_filters
from payi_otel.server.portal.formats import CALLS, MILLISECONDS, MONEY
from payi_otel.server.portal.forms import FormModel, read_form
from payi_otel.server.portal.navigation import NavItem

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=timezone.utc)
UTC = timezone.utc


@pytest.mark.parametrize("name", ["formats", "filters", "charts", "links"])
def test_the_examples_in_the_docstrings(name: str) -> None:
    module = importlib.import_module(f"payi_otel.server.portal.{name}")
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(
    ("query", "zone", "start", "end", "step", "steps"),
    [
        ({}, "UTC", "2026-10-23T00:00", "2026-11-22T00:00", "day", 30),
        ({"days": "1"}, "Europe/Berlin", "2026-11-20T23:00", "2026-11-21T23:00", "hour", 24),
        # What is today depends on the zone: in Auckland it is the 21st since eleven o'clock the day before.
        ({"days": "1"}, "Pacific/Auckland", "2026-11-20T11:00", "2026-11-21T11:00", "hour", 24),
        # The day on which the clock is set back has 25 hours, the one on which it is set forward 23.
        (
            {"from": "2026-10-25", "to": "2026-10-25"},
            "Europe/Berlin",
            "2026-10-24T22:00",
            "2026-10-25T23:00",
            "hour",
            25,
        ),
        (
            {"from": "2026-03-29", "to": "2026-03-29"},
            "Europe/Berlin",
            "2026-03-28T23:00",
            "2026-03-29T22:00",
            "hour",
            23,
        ),
        (
            {"from": "2026-10-20", "to": "2026-10-30"},
            "Europe/Berlin",
            "2026-10-19T22:00",
            "2026-10-30T23:00",
            "day",
            11,
        ),
        ({"days": "365"}, "UTC", "2025-11-22T00:00", "2026-11-22T00:00", "month", 13),
        ({"to": "2026-01-31"}, "UTC", "2026-01-02T00:00", "2026-02-01T00:00", "day", 30),
    ],
)
def test_days_of_the_viewer(
    query: dict[str, str], zone: str, start: str, end: str, step: str, steps: int
) -> None:
    filters = read_filters(query, ZoneInfo(zone), NOW)
    assert filters.start == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert filters.end == datetime.fromisoformat(end).replace(tzinfo=UTC)
    buckets = [at.astimezone(UTC) for at in filters.buckets()]
    assert (filters.step, len(buckets)) == (step, steps)
    assert buckets == sorted(set(buckets))
    # Every hour has a place among them.
    at = filters.start
    while at < filters.end:
        assert filters.bucket(at).astimezone(UTC) in buckets
        at += timedelta(hours=1)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from": "yesterday"}, "from: 'yesterday' cannot be used; write a day like 2026-01-31"),
        ({"to": "0001-01-01"}, "to: '0001-01-01' cannot be used; give a day after 1970"),
        (
            {"from": "2026-02-02", "to": "2026-02-01"},
            "to: '2026-02-01' cannot be used; give a day that is not",
        ),
        ({"from": "2000-01-01", "to": "2026-01-01"}, "give at most ten years at once"),
        ({"days": "0"}, "days: '0' cannot be used; give a whole number from 1 to 3660"),
        ({"days": "٣"}, "days: "),
        ({"days": "9" * 5000}, "days: "),
        ({"version": "two"}, "version: 'two' cannot be used; give a whole number"),
    ],
)
def test_what_cannot_be_used_is_named(query: dict[str, str], said: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_filters(query, UTC, NOW)
    assert refused.value.status_code == 400
    assert said in refused.value.message


def test_links_keep_what_else_is_chosen() -> None:
    query = {"days": "7", "version": "3", "property.tier": "gold & silver", "q": "a=b", "cursor": "abc"}
    filters = read_filters(query, UTC, NOW)
    assert filters.properties == {"tier": "gold & silver"}
    assert filters.query() == "?days=7&version=3&property.tier=gold+%26+silver&q=a%3Db"
    assert filters.query(cursor="next").endswith("&cursor=next")
    assert filters.query(**{"property.tier": None}, q=None, version=None) == "?days=7"
    before = filters.previous
    assert (before.end, before.start) == (filters.start, filters.start - timedelta(days=7))


def _figure(chart: Any) -> dict[str, Any]:
    return json.loads(chart.figure)


def test_a_chart_over_time_has_the_numbers_of_its_table() -> None:
    filters = Filters(NOW - timedelta(days=3), NOW, ZoneInfo("Europe/Berlin"))
    times = filters.buckets()
    spend = [Decimal("0.10"), Decimal(0), None, Decimal("0.0001234")]
    chart = time_series("Spend", times, {"Spend": spend}, MONEY, step="day", goal=Decimal("0.2"))
    figure = _figure(chart)
    assert figure["data"][0]["y"] == [0.1, 0.0, None, 0.0001234]
    assert figure["data"][0]["x"][0] == "2026-11-18T00:00:00"
    assert [row[1] for row in chart.rows] == ["$0.10", "$0.00", "-", "$0.000123"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "US dollars"
    assert figure["layout"]["yaxis"]["tickprefix"] == "$"
    goal = figure["data"][1]
    assert (goal["name"], goal["y"], figure["layout"]["showlegend"]) == ("goal $0.20", [0.2, 0.2], True)
    assert "at most $0.10 on 18 Nov 2026" in chart.summary
    assert not chart.is_empty


def test_marks_before_the_first_time_are_left_out() -> None:
    times = [NOW, NOW + timedelta(days=1)]
    marks = [Mark(NOW - timedelta(days=9), "v1"), Mark(NOW + timedelta(hours=5), "v2")]
    chart = time_series("Latency", times, {"p50": [1, 2], "p95": [3, None]}, MILLISECONDS, marks=marks)
    layout = _figure(chart)["layout"]
    assert [note["text"] for note in layout["annotations"]] == ["v2"]
    assert [shape["line"]["dash"] for shape in layout["shapes"]] == ["dot"]
    assert layout["showlegend"] is True


def test_bars_of_names_that_look_alike() -> None:
    long = "x" * 60
    chart = bars("Top", {long + "a": 2, long + "b": 1}, CALLS, of="user")
    figure = _figure(chart)
    assert figure["data"][0]["y"] == [0, 1]
    assert all(len(text) <= 28 for text in figure["layout"]["yaxis"]["ticktext"])
    assert chart.rows == [[long + "a", "2"], [long + "b", "1"]]
    assert bars("Top", {}, CALLS, of="user").is_empty
    # There is room for what is written at the end of the longest bar, on either side.
    assert figure["layout"]["xaxis"]["range"] == [0, 2.6]
    assert _figure(bars("Gain", {"a": -1}, MONEY, of="use case"))["layout"]["xaxis"]["range"] == [-1.3, 0]


def test_names_are_not_taken_for_tags() -> None:
    name = '<a href="https://evil.example">& more</a>'
    chart = bars("Top", {name: 1}, CALLS, of="user", links={name: "/portal/x"})
    figure = _figure(chart)
    assert figure["data"][0]["customdata"] == ['&lt;a href="https://evil.example"&gt;&amp; more&lt;/a&gt;: 1']
    assert figure["layout"]["yaxis"]["ticktext"][0].startswith("&lt;a")
    assert figure["data"][0]["meta"]["links"] == ["/portal/x"]
    series = time_series("Calls", [NOW], {name: [1]}, CALLS, marks=[Mark(NOW, name)])
    assert "<" not in _figure(series)["data"][0]["name"] + _figure(series)["layout"]["annotations"][0]["text"]
    # The table is the template's to escape.
    assert chart.rows == [[name, "1"]]


def test_a_histogram_says_shares_and_tones() -> None:
    chart = histogram("Solved", {"false": 1, "true": 3}, of="solved", tones={"true": "good"})
    assert chart.rows == [["false", "1", "25 %"], ["true", "3", "75 %"]]
    assert _figure(chart)["data"][0]["meta"]["tones"] == [None, "good"]
    assert histogram("None", {"false": 0}, of="solved").is_empty


class _Form(FormModel):
    name: Annotated[str, Field(min_length=1, max_length=5)]
    max: Annotated[Decimal, Field(ge=0)]
    kind: Literal["a", "b"] = "a"
    many: list[str] = Field(default_factory=list)


def _sent(**values: str) -> FormData:
    return FormData(ImmutableMultiDict(list(values.items())))


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"name": " ab ", "max": "1.5", "kind": "b"}, {}),
        ({}, {"name": "Fill this in.", "max": "Fill this in."}),
        (
            {"name": "   ", "max": "NaN"},
            {"name": "Fill this in.", "max": "Write a number, 12.50 for example."},
        ),
        ({"name": "abcdef", "max": "-1"}, {"name": "Write at most 5 characters.", "max": "Give at least 0."}),
        ({"name": "a", "max": "1", "kind": "c"}, {"kind": "Choose 'a' or 'b'."}),
    ],
)
def test_forms(values: dict[str, str], errors: dict[str, str]) -> None:
    form = read_form(_Form, _sent(**values))
    assert form.errors == errors
    assert (form.model is None) is bool(errors)
    assert form.text("max") == values.get("max", "").strip()


def test_an_error_of_the_store_goes_to_its_field() -> None:
    form = read_form(_Form, _sent(name="a", max="1"))
    assert form.refused(ApiError(400, None, "max: is too low; give more")).errors == {
        "max": "Is too low; give more."
    }
    # The store speaks of the API's names.
    assert form.refused(ApiError(400, None, "limit_name: is taken")).errors == {"name": "Is taken."}
    assert form.refused(ApiError(400, None, "elsewhere: is wrong")).error == "Elsewhere: is wrong."


def test_all_values_of_a_field_of_many() -> None:
    form = read_form(_Form, FormData([("name", "a"), ("max", "1"), ("many", "x"), ("many", "y")]))
    assert form.model is not None
    assert form.model.many == form.all("many") == ["x", "y"]


def test_the_menu_marks_the_page_and_those_below_it() -> None:
    limits, home = NavItem("/limits", "Limits"), NavItem("/", "Overview")
    assert [limits.is_current(path) for path in ("/limits", "/limits/a", "/limitsets", "/")] == [
        True,
        True,
        False,
        False,
    ]
    assert [home.is_current(path) for path in ("/", "/limits")] == [True, False]


def test_times_are_escaped_and_in_both_zones() -> None:
    shown = formats.instant(NOW, ZoneInfo("America/New_York"))
    assert str(shown).endswith(">21 Nov 2026, 04:30</time>")
    assert 'title="2026-11-21 09:30:00 UTC"' in shown
