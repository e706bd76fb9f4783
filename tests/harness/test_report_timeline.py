"""Counts over time: nothing is lost when buckets become wider, and memory does not grow with the run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.harness.report.timeline import MOST_BUCKETS, Axis, Counts, Durations, Occupancy

BEGIN = 1_700_000_000.0
TIMES = st.lists(st.floats(0.0, 100_000.0), min_size=1, max_size=60)
SPANS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 500)), min_size=1, max_size=40)


@given(TIMES)
def test_every_count_stays_in_the_bucket_of_its_time(times):
    axis = Axis(BEGIN)
    counts = Counts(axis)
    for at in times:
        counts.values[axis.bucket(BEGIN + at)] += 1
    expected = [0] * axis.used
    for at in times:
        expected[int((BEGIN + at - BEGIN) / axis.width)] += 1
    assert counts.shown() == expected
    assert axis.used <= MOST_BUCKETS


@given(TIMES)
def test_durations_follow_their_bucket(times):
    axis = Axis(BEGIN)
    durations = Durations(axis)
    for at in times:
        durations.add(axis.bucket(BEGIN + at), 2.0)
    quantiles = durations.quantiles(50)
    used = {int((BEGIN + at - BEGIN) / axis.width) for at in times}
    assert [bucket for bucket, value in enumerate(quantiles) if value is not None] == sorted(used)


@given(SPANS)
def test_the_average_under_way_is_the_time_spent(spans):
    """Compared with each span's share of each bucket, summed the slow way."""
    axis = Axis(BEGIN)
    occupancy = Occupancy(axis)
    for start, length in spans:
        occupancy.add(BEGIN + start, BEGIN + start + length)
    averages = occupancy.averages()
    for bucket, average in enumerate(averages):
        left, right = bucket * axis.width, (bucket + 1) * axis.width
        busy = sum(max(0.0, min(right, start + length) - max(left, start)) for start, length in spans)
        assert average == pytest.approx(busy / axis.width, abs=1e-4)


def test_a_run_of_a_year_keeps_six_hundred_buckets():
    axis = Axis(BEGIN)
    counts = Counts(axis)
    for day in range(365):
        counts.values[axis.bucket(BEGIN + day * 86400.0)] += 1
    assert sum(counts.shown()) == 365
    assert axis.used <= len(counts.values) == MOST_BUCKETS
    assert axis.width * MOST_BUCKETS >= 364 * 86400


def test_what_is_before_the_begin_counts_as_then():
    axis = Axis(BEGIN)
    assert axis.bucket(BEGIN - 5.0) == 0
