"""From workloads to sessions: who comes when, asks how much, and comes back how often."""

import heapq
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from gephyr.harness.scenario.arrivals import read_log
from gephyr.harness.scenario.chance import Mix, exponential
from gephyr.harness.scenario.schema import Burst, Workload
from gephyr.harness.scenario.sessions import PlannedSession, Turn
from gephyr.harness.world.chance import Spread as Draw
from gephyr.harness.world.settings import Spread

_HOUR = 3600.0
_MOST_TURNS = 10_000


def planned_sessions(
    workloads: Sequence[Workload], seed: int, until: float, folder: Path, day_starts_at: float = 0.0
) -> Iterator[PlannedSession]:
    """Yield the sessions that begin before *until* (seconds), in the order of their start.

    Each workload has chance of its own: another one beside it changes nothing. *folder*: where arrival logs are.
    """
    streams = [
        _Plan(workload, number, seed, day_starts_at).sessions(until, folder)
        for number, workload in enumerate(workloads)
    ]
    return heapq.merge(*streams, key=lambda session: session.start)


class _Plan:
    def __init__(self, workload: Workload, number: int, seed: int, day_starts_at: float) -> None:
        self._workload = workload
        self._name = workload.name or f"w{number}"
        self._rng = random.Random(f"workload {number} {seed}")
        self._hour = day_starts_at
        self._models, self._dialects = Mix(workload.models), Mix(workload.dialects)
        self._turns, self._think = _draw(workload.turns), _draw(workload.think)
        self._first, self._growth = _draw(workload.first_input), _draw(workload.growth)
        self._output, self._leaves = _draw(workload.output), _draw(workload.leaves_after)
        self._count = 0

    def sessions(self, until: float, folder: Path) -> Iterator[PlannedSession]:
        """Yield the workload's sessions, in the order of their start."""
        if self._workload.log:
            yield from read_log(folder / self._workload.log, self._workload, self._rng, until)
            return
        end = min(until, self._workload.end)
        arrivals = [self._poisson(end), *(self._burst(burst, end) for burst in self._workload.bursts)]
        for at in heapq.merge(*arrivals):
            yield self._session(at)

    def _poisson(self, end: float) -> Iterator[float]:
        """Independent arrivals; those that the curve leaves out are thinned away."""
        rate = self._workload.sessions_per_minute / 60.0
        if rate <= 0.0:
            return
        hourly = self._workload.hourly
        peak = max(hourly, default=1.0) or 1.0
        at = self._workload.start + exponential(self._rng) / rate
        while at < end:
            if not hourly or self._rng.random() * peak < hourly[int(self._hour + at / _HOUR) % 24]:
                yield at
            at += exponential(self._rng) / rate

    def _burst(self, burst: Burst, end: float) -> Iterator[float]:
        for number in range(burst.sessions):
            at = burst.at + burst.within * number / burst.sessions
            if at < end:
                yield at

    def _session(self, at: float) -> PlannedSession:
        workload, rng = self._workload, self._rng
        self._count += 1
        context = min(int(self._first.draw(rng)), workload.most_input)
        turns: list[Turn] = []
        for number in range(min(_MOST_TURNS, max(1, round(self._turns.draw(rng))))):
            think = self._think.draw(rng) if number else 0.0
            leaves = self._leaves.draw(rng) if rng.random() < workload.leaves else None
            output = max(1, int(self._output.draw(rng)))
            turns.append(Turn(think, max(1, context), output, rng.random() < workload.streams, leaves))
            context = min(context + output + int(self._growth.draw(rng)), workload.most_input)
        return PlannedSession(
            at,
            f"{self._name}-{self._count}",
            int(rng.random() * workload.keys),
            self._dialects.draw(rng),
            self._models.draw(rng),
            tuple(turns),
            rng.random() < workload.sends_id,
        )


def _draw(spread: Spread) -> Draw:
    return Draw(spread.median, max(spread.median, spread.p95))
