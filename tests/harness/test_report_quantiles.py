"""The histogram: quantiles that are nearly right, whatever was counted and in which order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.harness.report.quantiles import Histogram

DURATIONS = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=200)


def counted(durations: list[float]) -> Histogram:
    histogram = Histogram()
    for seconds in durations:
        histogram.add(seconds)
    return histogram


@given(DURATIONS, st.integers(1, 100))
def test_a_quantile_is_off_by_a_sixty_fourth_at_most(durations, percent):
    rank = max(1, -(-percent * len(durations) // 100))
    exact = sorted(durations)[rank - 1]
    assert counted(durations).quantile(percent) == pytest.approx(exact, rel=1 / 60, abs=1e-6)


@given(DURATIONS, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(durations, rng):
    shuffled = list(durations)
    rng.shuffle(shuffled)
    one, other = counted(durations), counted(shuffled)
    assert one.quantiles(50, 95, 99) == other.quantiles(50, 95, 99)
    assert one.mean == other.mean


@given(DURATIONS, DURATIONS)
def test_two_merged_are_as_one(first, second):
    merged, whole = counted(first), counted(first + second)
    merged.merge(counted(second))
    assert merged.quantiles(1, 50, 100) == whole.quantiles(1, 50, 100)
    assert (merged.count, merged.mean, merged.greatest) == (whole.count, whole.mean, whole.greatest)


def test_nothing_counted_is_zero():
    empty = Histogram()
    empty.merge(Histogram())
    assert empty.quantiles(50, 99) == [0.0, 0.0]
    assert (empty.mean, empty.greatest, empty.count) == (0.0, 0.0, 0)


def test_memory_is_bounded_however_far_durations_are_apart():
    histogram = counted([2.0**power * (1 + step / 100) for power in range(-30, 60) for step in range(100)])
    assert len(histogram._buckets) < 2000
