"""From workloads to sessions: who comes when, asks how much, and comes back how often."""

import heapq
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from gephyr.harness.scenario.arrivals import Arrival, read_sessions
from gephyr.harness.scenario.chance import Mix, exponential
from gephyr.harness.scenario.checks import label
from gephyr.harness.scenario.schema import Burst, Workload
from gephyr.harness.scenario.sessions import PlannedSession, Turn
from gephyr.harness.world.chance import Spread as Draw
from gephyr.harness.world.settings import Spread

_HOUR = 3600.0
_MOST_TURNS = 10_000


def planned_sessions(
    workloads: Sequence[Workload], seed: int, until: float, folder: Path, day_starts_at: float = 0.0
) -> Iterator[PlannedSession]:
    """Yield the sessions that begin before *until* (seconds), in the order of their start, as they are asked for.

    Each workload has chance of its own: another one after it changes nothing. *folder*: where arrival logs are;
    *day_starts_at*: hour of the day at which the scenario begins. Raises
    :class:`~gephyr.harness.scenario.arrivals.LogError`.
    """
    plans = [
        _Plan(workload, number, seed, day_starts_at).sessions(until, folder)
        for number, workload in enumerate(workloads)
    ]
    return heapq.merge(*plans, key=lambda session: session.start)


class _Plan:
    """One workload, with its own chance."""

    def __init__(self, workload: Workload, number: int, seed: int, day_starts_at: float) -> None:
        self._workload = workload
        self._name = label(workload, number)
        self._rng = random.Random(f"workload {number} {seed}")
        self._hour = day_starts_at
        self._models, self._dialects = Mix(workload.models), Mix(workload.dialects)
        self._turns, self._think = _draw(workload.turns), _draw(workload.think)
        self._first, self._growth = _draw(workload.first_input), _draw(workload.growth)
        self._output, self._leaves = _draw(workload.output), _draw(workload.leaves_after)
        self._count = 0

    def sessions(self, until: float, folder: Path) -> Iterator[PlannedSession]:
        """Yield the workload's sessions, in the order of their start."""
        end = min(until, self._workload.end)
        if self._workload.log:
            yield from self._recorded(read_sessions(folder / self._workload.log), end)
            return
        arrivals = [self._poisson(end), *(self._burst(burst, end) for burst in self._workload.bursts)]
        for at in heapq.merge(*arrivals):
            yield self._session(at, self._models.draw(self._rng), self._drawn_turns())

    # -- when -----------------------------------------------------------------------------------------------------

    def _poisson(self, end: float) -> Iterator[float]:
        """Independent arrivals at the rate of the peak, of which the curve lets its share through (thinning)."""
        rate = self._workload.sessions_per_minute / 60.0
        if rate <= 0.0:
            return
        hourly = self._workload.hourly
        peak = max(hourly, default=1.0)
        at = self._workload.start + exponential(self._rng) / rate
        while at < end:
            if not hourly or self._rng.random() * peak < hourly[int(self._hour + at / _HOUR) % 24]:
                yield at
            at += exponential(self._rng) / rate

    def _burst(self, burst: Burst, end: float) -> Iterator[float]:
        for number in range(burst.sessions):
            at = burst.at + burst.within * number / burst.sessions
            if at >= end:
                return
            yield at

    def _recorded(self, sessions: Sequence[Sequence[Arrival]], end: float) -> Iterator[PlannedSession]:
        for arrivals in sessions:
            at = self._workload.start + arrivals[0].time
            if at >= end:
                return
            model = self._models.draw(self._rng)
            yield self._session(at, arrivals[0].model or model, self._recorded_turns(arrivals))

    # -- what -----------------------------------------------------------------------------------------------------

    def _session(self, at: float, model: str, turns: tuple[Turn, ...]) -> PlannedSession:
        workload, rng = self._workload, self._rng
        self._count += 1
        return PlannedSession(
            start=at,
            session=f"{self._name}-{self._count}",
            key=int(rng.random() * workload.keys),
            dialect=self._dialects.draw(rng),
            model=model,
            turns=turns,
            sends_id=rng.random() < workload.sends_id,
        )

    def _drawn_turns(self) -> tuple[Turn, ...]:
        """The context grows by what is answered and by what is said next, up to its cap."""
        rng, most = self._rng, self._workload.most_input
        context = min(int(self._first.draw(rng)), most)
        turns: list[Turn] = []
        for number in range(min(_MOST_TURNS, max(1, round(self._turns.draw(rng))))):
            think = self._think.draw(rng) if number else 0.0
            output = max(1, int(self._output.draw(rng)))
            turns.append(self._turn(think, context, output))
            context = min(context + output + int(self._growth.draw(rng)), most)
        return tuple(turns)

    def _recorded_turns(self, arrivals: Sequence[Arrival]) -> tuple[Turn, ...]:
        """As much time between a reply and the next request as was recorded; replies take what they take here."""
        turns: list[Turn] = []
        over = arrivals[0].time
        for arrival in arrivals:
            turns.append(self._turn(max(0.0, arrival.time - over), arrival.input_tokens, arrival.output_tokens))
            over = arrival.time + arrival.took
        return tuple(turns)

    def _turn(self, think: float, context: int, output: int) -> Turn:
        workload, rng = self._workload, self._rng
        leaves = self._leaves.draw(rng) if rng.random() < workload.leaves else None
        return Turn(think, max(1, context), max(1, output), rng.random() < workload.streams, leaves)


def _draw(spread: Spread) -> Draw:
    return Draw(spread.median, max(spread.median, spread.p95))
