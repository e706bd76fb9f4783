"""Plays a scenario, and measures what comes of it."""

import time
from collections.abc import Callable

import attrs

from gephyr.harness.report.data import Run
from gephyr.harness.report.measurements import Measurements
from gephyr.harness.scenario import Scenario
from gephyr.harness.scenario.workload import planned_sessions
from gephyr.harness.world.world import EPOCH, Outcome, World


def play(
    scenario: Scenario,
    seed: int,
    until: float | None = None,
    *,
    trace: Callable[[bytes], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Run:
    """Play *scenario* until *until* (seconds; else its own duration) and return what came of it.

    *trace* gets every event and command as a line of JSON, *progress* the time now and then. ``KeyboardInterrupt`` ends
    the run early: what was measured so far is returned. Raises
    :class:`~gephyr.harness.scenario.arrivals.LogError` for an arrival log that cannot be read to its end.
    """
    end = scenario.about.duration if until is None else until
    measurements = Measurements(scenario.config.accounts, EPOCH)
    sessions = planned_sessions(scenario.workloads, seed, end, scenario.path.parent, scenario.about.day_starts_at)
    world = World(
        scenario.config,
        scenario.providers,
        scenario.faults,
        sessions,
        seed,
        measurements.take,
        trace,
        scenario.clients,
    )
    begun = time.perf_counter()
    outcome: Outcome | None = None
    try:
        outcome = world.run(end, progress, scenario.changes)
    except KeyboardInterrupt:
        interrupted = True
    else:
        interrupted = False
        measurements.ran_until(EPOCH + outcome.virtual_seconds)
    return Run(
        scenario=scenario.name,
        seed=seed,
        measurements=measurements,
        trace_hash=outcome.trace_hash if outcome else None,
        violations=outcome.violations if outcome else (),
        limit_violations=outcome.limit_violations if outcome else {},
        token_refreshes=outcome.token_refreshes if outcome else 0,
        wall_seconds=time.perf_counter() - begun,
        interrupted=interrupted,
    )


def with_traffic_of(scenario: Scenario, other: Scenario) -> Scenario:
    """Return *scenario* with the clients of *other*: what they ask, for how long, and by which keys they are known."""
    return attrs.evolve(
        scenario,
        path=other.path,
        about=attrs.evolve(other.about, name=scenario.name),
        config=attrs.evolve(scenario.config, auth=other.config.auth),
        workloads=other.workloads,
        clients=other.clients,
    )
