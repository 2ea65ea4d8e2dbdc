"""Ranges of scores and trends, without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.server.store.kpi_insights_bins import Bins, Spread, bins_of
from payi_otel.server.store.kpi_insights_trend import trend_of


def place(bins: Bins, score: float) -> str:
    return bins.labels[sum(edge <= score for edge in bins.edges)]


@pytest.mark.parametrize(
    ("kpi_type", "score", "label"),
    [
        ("boolean", 0.0, "False"),
        ("boolean", 1.0, "True"),
        ("likert5", 1.0, "1"),
        ("likert5", 3.89, "4"),
        ("likert5", 3.4, "3"),
        ("likert5", 3.5, "4"),
        ("likert5", 5.0, "5"),
        ("likert7", 7.0, "7"),
        ("likert10", 9.6, "10"),
        ("percentage", 0.0, "0-10"),
        ("percentage", 9.99, "0-10"),
        ("percentage", 10.0, "10-20"),
        ("percentage", 100.0, "90-100"),
        ("percentage", 100.5, "> 100"),
        ("percentage", -0.5, "< 0"),
    ],
)
def test_a_score_is_counted_in_its_range(kpi_type: str, score: float, label: str) -> None:
    assert place(bins_of(kpi_type, None), score) == label


@pytest.mark.parametrize(
    ("spread", "unit", "inner"),
    [
        (Spread(0.5, 48.0, 20.0, 12.0, False), "$", [f"${n}-${n + 5}" for n in range(0, 50, 5)]),
        (Spread(1.0, 5.9, 3.0, 1.5, False), "$", None),
        (Spread(1, 6, 3.0, 1.5, True), "", ["1", "2", "3", "4", "5", "6"]),
        (
            Spread(0.0, 0.0007, 0.0003, 0.0002, False),
            "$",
            ["$0-$0.0001", *(f"$0.000{n}-$0.000{n + 1}" for n in range(1, 8))],
        ),
        (Spread(-30, 20, 0.0, 20.0, True), "", None),
        (Spread(1200, 9800, 5000.0, 2500.0, True), "", None),
        (Spread(7.5, 7.5, 7.5, 0.0, False), "", ["7-8"]),
        (Spread(0.0, 0.0, 0.0, 0.0, True), "", ["0"]),
    ],
)
def test_numbers_have_about_ten_ranges_of_a_round_width(
    spread: Spread, unit: str, inner: list[str] | None
) -> None:
    bins = bins_of("number", spread, unit)
    if inner is not None:
        assert list(bins.labels[1:-1]) == inner
    assert 1 <= len(bins.labels) - 2 <= 13
    for score in (spread.low, spread.mean, spread.high):
        assert place(bins, score) not in {bins.labels[0], bins.labels[-1]}


def test_labels_beside_negative_numbers_and_with_thousands() -> None:
    assert bins_of("number", Spread(-30, 20, 0, 20, True), "$").labels[1] == "-$30 to -$25"
    assert bins_of("number", Spread(0.4, 22.4, 12, 6, False), "$").labels[1:3] == ("$0-$2.50", "$2.50-$5")
    assert "1,000-2,000" in bins_of("number", Spread(1200, 9800, 5000, 2500, True)).labels


def test_an_outlier_leaves_the_others_apart() -> None:
    """A thousand scores about ten and one of a million: they do not all fall into one range."""
    scores = [5.0 + number % 10 for number in range(1000)] + [1_000_000.0]
    mean = sum(scores) / len(scores)
    deviation = (sum((score - mean) ** 2 for score in scores) / len(scores)) ** 0.5
    bins = bins_of("number", Spread(5.0, 1_000_000.0, mean, deviation, True))
    assert place(bins, 1_000_000.0) == bins.labels[-1]
    assert bins.edges[-1] < 200_000


@pytest.mark.parametrize(
    ("bins", "number", "first", "position"),
    [
        (bins_of("likert5", None), 3.85, "1", 2.85),
        (bins_of("likert5", None), 0.5, "1", None),
        (bins_of("percentage", None), 95.0, "0-10", 9.0),
        (bins_of("percentage", None), 95.0, "< 0", 10.0),
        (bins_of("percentage", None), 120.0, "0-10", None),
        (bins_of("number", Spread(0.5, 48.0, 20, 12, False)), 12.5, "0-5", 2.0),
        (bins_of("number", Spread(1, 6, 3, 1.5, True)), 3.0, "1", 2.0),
        (bins_of("boolean", None), 0.5, "False", None),
    ],
)
def test_where_a_number_lies_along_the_bars(
    bins: Bins, number: float, first: str, position: float | None
) -> None:
    assert bins.position(number, first) == (None if position is None else pytest.approx(position))


def test_open_ends_show_only_what_they_hold() -> None:
    bins = bins_of("percentage", None)
    assert [label for label, _ in bins.counted({1: 2})] == list(bins.labels[1:-1])
    assert bins.counted({0: 1, 11: 4})[-1] == ("> 100", 4)
    assert bins.counted({0: 1})[0] == ("< 0", 1)
    assert bins_of("boolean", None).counted({1: 3}) == [("False", 0), ("True", 3)]


@given(
    low=st.floats(-1e9, 1e9),
    width=st.floats(0, 1e9),
    part=st.floats(0, 1),
    deviation=st.floats(0, 1e9),
    whole=st.booleans(),
)
def test_every_number_within_reach_has_a_range(
    low: float, width: float, part: float, deviation: float, whole: bool
) -> None:
    spread = Spread(low, low + width, low + width * part, deviation, whole)
    bins = bins_of("number", spread)
    assert list(bins.edges) == sorted(set(bins.edges))
    assert len(bins.labels) == len(bins.edges) + 1 <= 20
    assert place(bins, spread.mean) not in {bins.labels[0], bins.labels[-1]}


@pytest.mark.parametrize(
    ("averages", "direction"),
    [
        ([1.0, 2.0, 3.0, 4.0], "up"),
        ([4.0, 3.0, 2.0, 1.0], "down"),
        ([2.0, 2.0, 2.0, 2.0], "steady"),
        ([0.1, 0.1, 0.1, 0.1, 0.1], "steady"),
        ([1.0, 9.0, 2.0, 8.0, 1.5], "steady"),
        ([1.0, 1.3, 1.1, 1.6, 1.5, 1.9, 1.8], "up"),
    ],
)
def test_direction(averages: list[float], direction: str) -> None:
    found = trend_of([(float(day), average, 10) for day, average in enumerate(averages)])
    assert found is not None
    assert found.direction == direction


def test_the_line_is_that_of_all_scores() -> None:
    """Days with more scores count more: the line through averages is the one through single scores."""
    scores = [(0.0, 1.0), (0.0, 3.0), (1.0, 2.0), (3.0, 8.0), (3.0, 7.0), (3.0, 9.0)]
    averages = [(0.0, 2.0, 2), (1.0, 2.0, 1), (3.0, 8.0, 3)]
    found = trend_of(averages)
    assert found is not None
    mean_x = sum(x for x, _ in scores) / 6
    mean_y = sum(y for _, y in scores) / 6
    slope = sum((x - mean_x) * (y - mean_y) for x, y in scores) / sum((x - mean_x) ** 2 for x, _ in scores)
    assert found.slope == pytest.approx(slope)
    assert found.change == pytest.approx(3 * slope)
    assert found.at(3) == pytest.approx(found.start + 3 * slope)


@pytest.mark.parametrize("points", [[], [(0.0, 1.0, 1)], [(0.0, 1.0, 1), (1.0, 2.0, 1)]])
def test_too_few_points_are_no_trend(points: list[tuple[float, float, int]]) -> None:
    assert trend_of(points) is None
