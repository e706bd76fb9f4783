"""Jobs of an exchange: the small are done at once, the large handed to the front end."""

from collections.abc import Callable
from typing import Any

from gephyr_core.commands import Compute
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.events import Computed, TimePassed, UpstreamBody, UpstreamEnded, UpstreamFailed
from gephyr_core.exchange.endings import refuse
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.states import LONGEST_JOB, Computing, Done
from gephyr_core.scheduling import NEUTRAL


def stay(_now: float) -> None:
    """Nothing is left to do when what a job came to was taken."""


def compute(
    exchange: Exchange,
    job: Callable[[], Any],
    take: Callable[[Callable[[], Any], float], None],
    go_on: Callable[[float], None],
    size: float,
    now: float,
) -> bool:
    """Have *job* done, and *take* given what it came to. True: that is so. False: it will be so later, when *go_on*
    is called too.

    *size*: bytes of JSON that the job reads or writes value by value, or what takes as long.
    """
    if size < exchange.shared.heavy:
        take(job, now)
        return True
    exchange.question += 1
    exchange.shared.scheduler.queue.leave(exchange.id)
    exchange.enter(Computing(exchange.question, exchange.state, now, take, go_on))
    exchange.shared.emit(Compute(exchange.id, exchange.question, job, LONGEST_JOB))
    return False


def computed(exchange: Exchange, state: Computing, event: Computed, now: float) -> None:
    """A job is done: go on where it was handed out."""
    if event.question != state.question:
        return
    exchange.enter(state.came_from)
    exchange.itinerary.search.until += now - state.since  # it is no wait for an account
    state.take(event.take, now)
    if not isinstance(exchange.state, Done):
        state.go_on(now)


def beside(
    exchange: Exchange, _state: Computing, _event: UpstreamBody | UpstreamEnded | UpstreamFailed, now: float
) -> None:
    """What comes behind a reply that is complete."""


def computing_took_too_long(exchange: Exchange, state: Computing, _event: TimePassed, now: float) -> None:
    """The job is not waited for any more: that is nobody's fault but this machine's."""
    problem = Problem(ErrorKind.UNAVAILABLE, "the gateway has too much to do", retry_after=1.0)
    if state.attempt is not None:
        exchange.end_attempt(state.attempt, "cancelled", NEUTRAL, now, detail=problem.message)
    refuse(exchange, problem, now, "failed")
