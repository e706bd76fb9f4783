"""Runs many scenarios on all cores, and returns the first that breaks an invariant, shrunk."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from gephyr.harness.scenario.load import scenario_of
from gephyr.harness.scenario.workload import planned_sessions
from gephyr.harness.swarm.combine import combined
from gephyr.harness.swarm.shrink import shrunk
from gephyr.harness.world.world import Violation, World
from gephyr_core.config import ConfigError
from gephyr_core.records import Fact

_AHEAD = 4
"""Runs for each core that are handed out before the first of them is back."""
_NOWHERE = Path("swarm.toml")


@attrs.frozen
class Found:
    """A scenario that breaks an invariant."""

    seed: int
    violation: Violation
    scenario: Mapping[str, Any]
    """As a file would hold it."""


def search(
    seeds: Sequence[int], *, jobs: int | None = None, progress: Callable[[int], None] | None = None
) -> Found | None:
    """Play the scenario of each seed; return the first that breaks an invariant, in the order of *seeds*, or None.

    *jobs*: processes; as many as there are cores where it is not given. *progress* is told how many are done.
    """
    jobs = jobs or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else jobs or os.cpu_count() or 1
    for done, (seed, violation) in enumerate(_results(seeds, jobs), 1):
        if progress is not None:
            progress(done)
        if violation is not None:
            return _told(seed, violation)
    return None


def violation_of(scenario: Mapping[str, Any], seed: int) -> Violation | None:
    """Play a scenario, and return what it breaks."""
    ready = scenario_of(scenario, _NOWHERE)
    end = ready.about.duration
    sessions = planned_sessions(ready.workloads, seed, end, Path(), ready.about.day_starts_at)
    world = World(ready.config, ready.providers, ready.faults, sessions, seed, _nobody, clients=ready.clients)
    return next(iter(world.run(end, changes=ready.changes).violations), None)


def _results(seeds: Sequence[int], jobs: int) -> Iterator[tuple[int, Violation | None]]:
    if jobs == 1 or len(seeds) == 1:
        for seed in seeds:
            yield seed, _play(seed)
        return
    # Not forked: a process that was, in the middle of threads, may hang.
    context = multiprocessing.get_context("spawn")
    rest = iter(seeds)
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        running = [(seed, pool.submit(_play, seed)) for seed in islice(rest, jobs * _AHEAD)]
        try:
            while running:
                seed, result = running.pop(0)
                found = result.result()
                running += [(following, pool.submit(_play, following)) for following in islice(rest, 1)]
                yield seed, found
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _play(seed: int) -> Violation | None:
    return violation_of(combined(seed), seed)


def _told(seed: int, violation: Violation) -> Found:
    def breaks(scenario: Mapping[str, Any]) -> bool:
        try:
            other = violation_of(scenario, seed)
        except (ConfigError, ValueError):
            return False  # what is left is no scenario
        return other is not None and other.rule == violation.rule

    small = shrunk(combined(seed), breaks, violation.at)
    return Found(seed, violation_of(small, seed) or violation, small)


def _nobody(_fact: Fact) -> None:
    """Nothing is measured here."""
