"""Makes the rows of all nets, in two processes, always in the same order."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import attrs

from tests.nets import scenarios
from tests.nets.rows import NETS, Row
from tests.nets.store import Caught, caught
from tests.replay.recordings import Exchange, recordings

KINDS = (*NETS, "scenarios")
_TOGETHER = 8
"""Recordings that a process is handed at a time."""
_SAY_EVERY = 10.0
"""Seconds between two lines of progress."""


@attrs.frozen
class Catch:
    """What is to be caught."""

    nets: tuple[str, ...] = KINDS
    match: str = ""
    """What a recording's or a scenario's name must hold."""
    requests: int = 20_000
    """Of a scenario, after which it is cut short."""
    swarm: int = len(scenarios.SWARM)
    """Scenarios with everything combined at random."""
    most: int | None = None
    """Recordings; None: all. They are taken evenly from those that match."""
    only: str = ""
    """What the name of one that was taken must hold as well: a part of what an earlier catch took."""
    workers: int = 2

    def wants(self, name: str) -> bool:
        """Whether a row of this name is among them."""
        net, _, rest = name.partition("/")
        if net in {"scenarios", "traces"}:
            return "scenarios" in self.nets and self.takes(rest)
        return net in self.nets and self.takes(rest.rpartition("/")[0])

    def takes(self, name: str) -> bool:
        """Whether a recording or scenario of this name is among them, as far as its name says."""
        return self.match in name and self.only in name


@attrs.frozen
class _Task:
    """Some rows' worth of work. A recording is named by its place: a process that was forked has them all."""

    kind: str
    places: Sequence[int]
    requests: int = 0


_exchanges: list[Exchange] = []


def catch(wanted: Catch, say: Callable[[str], None]) -> Iterator[Caught]:
    """Yield every row that is *wanted*. Long pieces of work come first."""
    _exchanges[:] = [one for one in recordings() if wanted.match in one.id]
    if wanted.most is not None:
        _exchanges[:] = _exchanges[:: max(1, len(_exchanges) // wanted.most)][: wanted.most]
    _exchanges[:] = [one for one in _exchanges if wanted.only in one.id]
    tasks = list(_tasks(wanted))
    begun = told = time.monotonic()
    rows = 0
    for done, made in enumerate(_made(tasks, wanted.workers), 1):
        rows += len(made)
        yield from made
        now = time.monotonic()
        if now - told >= _SAY_EVERY or done == len(tasks):
            told = now
            say(f"{tasks[done - 1].kind}: {done} of {len(tasks)} tasks, {rows} rows, {now - begun:.0f} s")


def _tasks(wanted: Catch) -> Iterator[_Task]:
    if "scenarios" in wanted.nets:
        for place, path in enumerate(scenarios.FILES):
            if wanted.takes(path.stem):
                yield _Task("scenarios", [place], wanted.requests)
        for seed in scenarios.SWARM[: wanted.swarm]:
            if wanted.takes(f"swarm {seed}"):
                yield _Task("swarm", [seed])
    for net in NETS:
        if net in wanted.nets:
            for start in range(0, len(_exchanges), _TOGETHER):
                yield _Task(net, range(start, min(start + _TOGETHER, len(_exchanges))))


def _made(tasks: list[_Task], workers: int) -> Iterator[list[Caught]]:
    if workers == 1:
        yield from map(_work, tasks)
        return
    # Not multiprocessing's own pool: it ends its workers by a signal, which may hit one that holds the others' lock.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork"))
    try:
        yield from pool.map(_work, tasks)
    finally:
        pool.shutdown(cancel_futures=True)


def _work(task: _Task) -> list[Caught]:
    if task.kind == "scenarios":
        path = scenarios.FILES[task.places[0]]
        return _named(path.stem, scenarios.example(path, task.requests))
    if task.kind == "swarm":
        return _named(f"swarm {task.places[0]}", scenarios.swarm(task.places[0]))
    rows = []
    for place in task.places:
        exchange = _exchanges[place]
        for what, text in NETS[task.kind](exchange):
            rows.append(caught(f"{task.kind}/{exchange.id}/{what}", text))
    return rows


def _named(scenario: str, rows: Iterator[Row]) -> list[Caught]:
    return [caught(f"{net}/{scenario}", text) for net, text in rows]
