"""Percentiles from buckets stay close to the true ones."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from payi_otel.server.store.histograms import LARGEST_ERROR, Histogram, bucket_of, duration_of


def test_every_duration_is_close_to_what_stands_for_its_bucket() -> None:
    for duration in [*range(1, 20_000), 10**5, 10**6, 3_600_000, 2**31 - 1]:
        assert abs(duration_of(bucket_of(duration)) / duration - 1) <= LARGEST_ERROR + 1e-9, duration
    assert LARGEST_ERROR < 0.05


def test_buckets_grow_with_durations() -> None:
    buckets = [bucket_of(duration) for duration in range(50_000)]
    assert buckets == sorted(buckets)
    assert (buckets[0], buckets[1]) == (0, 1)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("number", [1, 2, 20, 5000])
def test_percentiles(number: int, share: float) -> None:
    chance = random.Random(number)
    durations = sorted(round(chance.lognormvariate(6.5, 1.0)) + 1 for _ in range(number))
    exact = durations[math.ceil(share * number) - 1]
    found = Histogram(Counter(bucket_of(one) for one in durations)).quantile(share)
    assert found is not None
    assert abs(found / exact - 1) <= LARGEST_ERROR + 1e-9


def test_nothing_has_no_percentile() -> None:
    assert Histogram().quantile(0.5) is None
