"""The clock: anchored to the wall once, counted by a clock that never runs backwards."""

import time

from gephyr.runtime.clock import GatewayClock


def test_starts_at_the_wall_clocks_time():
    """Persisted times and token expiry are seconds since the epoch."""
    before = time.time()
    now = GatewayClock()()
    assert before - 0.001 <= now <= time.time() + 0.001


def test_a_step_of_the_wall_clock_does_not_show():
    """The wall clock is asked once, so NTP cannot move a deadline."""
    wall, elapsed = iter([1000.0]), iter([50.0, 51.5, 60.0])
    clock = GatewayClock(wall=lambda: next(wall), elapsed=lambda: next(elapsed))
    assert [clock(), clock()] == [1001.5, 1010.0]


def test_never_runs_backwards():
    """Two readings in a row are in order, whatever floating point does to the sum."""
    clock = GatewayClock()
    readings = [clock() for _ in range(10_000)]
    assert readings == sorted(readings)


def test_counts_the_time_the_machine_sleeps_where_the_platform_can():
    """A suspended laptop finds its cooldowns expired when it wakes."""
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    begun = time.clock_gettime(kind)
    clock = GatewayClock(wall=lambda: 0.0)
    ready, reading, after = time.clock_gettime(kind), clock(), time.clock_gettime(kind)
    assert 0.0 <= reading <= after - begun
    later = time.clock_gettime(kind)
    assert clock() >= later - ready
