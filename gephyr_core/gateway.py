"""The gateway: the one door of the core. Events go in, commands come out; time and chance are given to it.

It is also where an exception that nobody foresaw stops. One that is raised while an exchange takes a step ends that
exchange (:mod:`gephyr_core.exchange.collapse`); one that is raised beside all exchanges costs what was to be done.
Either is told as an :class:`~gephyr_core.records.InternalError`, and the others do not notice.
"""

import heapq
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from gephyr_core.commands import Command, Observe, StopServing
from gephyr_core.computing import HEAVY
from gephyr_core.config import Config
from gephyr_core.errors import LocalProtocolError
from gephyr_core.events import (
    AdminChanged,
    ClientGone,
    DrainRequested,
    Event,
    ExchangeEvent,
    FrontEndFailed,
    ModelDescribed,
    ProxyChecked,
    RequestStarted,
    StateRestored,
    TimePassed,
    TokenRefreshed,
    TokenRefreshFailed,
    UpstreamBody,
)
from gephyr_core.exchange import Exchange
from gephyr_core.exchange.attempting import acquire
from gephyr_core.exchange.collapse import collapse, refuse_unmade
from gephyr_core.exchange.endings import shut_down
from gephyr_core.exchange.machine import next_wake, start, time_passed
from gephyr_core.faults import internal_error
from gephyr_core.operations import Operations
from gephyr_core.providers.capabilities import learn
from gephyr_core.scheduling import Scheduler
from gephyr_core.scheduling.bindings import BindingEvent
from gephyr_core.scheduling.decisions import Decisions
from gephyr_core.shared import Shared

_REST = 1.0
"""Seconds in which what failed beside all exchanges is not tried again for the time's sake alone."""


class Gateway:
    """All exchanges of one process, and what they share.

    The same configuration, seed, events and times give the same commands, on every machine.
    """

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        *,
        heavy: float = HEAVY,
        on_fault: Callable[[Exception], None] = lambda _error: None,
    ) -> None:
        """*rng* is the only source of chance. *heavy*: bytes from which on reading or writing them value by value is a
        job for the front end (``Compute``). *on_fault* gets every exception that nobody foresaw, before it is dealt
        with; with :func:`~gephyr_core.faults.raise_again` it is raised by :meth:`receive` after all."""
        self._shared = Shared(config, rng, heavy)
        self._operations = Operations(self._shared)
        self._queue, self._sign_in = self._shared.scheduler.queue, self._shared.sign_in
        self._proxies = self._shared.proxies
        self._exchanges: dict[int, Exchange] = {}
        self._newest = 0
        self._heap: list[tuple[float, int]] = []
        """Times at which an exchange wants to be looked at. A later wish leaves the earlier entry, which then looks
        again: no push for every chunk."""
        self._now = -math.inf
        self._on_fault = on_fault
        self._rest_until = -math.inf
        """Until when nothing is done beside the exchanges for the time's sake, after a fault there."""
        self._busy = False
        self._drain_until = math.inf
        self._stopped = False

    @property
    def deadline(self) -> float:
        """When ``TimePassed`` is wanted if nothing else happens; ``math.inf`` when idle."""
        beside = self._proxies.deadline
        if self._queue.places:
            beside = min(beside, self._queue.wake_at())
        if self._sign_in.lives:
            beside = min(beside, self._sign_in.deadline)
        soonest = self._heap[0][0] if self._heap else math.inf
        return min(soonest, self._drain_until, max(beside, self._rest_until))

    @property
    def open_exchanges(self) -> int:
        """Requests being served."""
        return len(self._exchanges)

    @property
    def open_leases(self) -> int:
        """Leases that are out on accounts."""
        return self._shared.scheduler.ledger.in_flight

    @property
    def buffered_bytes(self) -> int:
        """Bytes of request bodies, whole replies being collected, and preludes that are held."""
        return self._shared.buffered

    @property
    def released_bytes(self) -> int:
        """Bytes of large buffers (1 MiB and more) that were let go since the start."""
        return self._shared.released

    @property
    def scheduler(self) -> Scheduler:
        """Who chooses accounts: its accounts, its queue and the ledger's views, for those who watch. They only read."""
        return self._shared.scheduler

    @property
    def decisions(self) -> Decisions:
        """The latest choices of accounts, each with its reasons."""
        return self._shared.scheduler.decisions

    @property
    def binding_events(self) -> Sequence[BindingEvent]:
        """The latest changes of session bindings, the oldest first."""
        return self._shared.scheduler.bindings.events

    def receive(self, event: Event, now: float) -> Sequence[Command]:
        """Take one event, and return what is to be done, in order.

        *now*: seconds since the epoch, never less than before. Raises ``LocalProtocolError`` for misuse only; a fault
        of our own is a fact among the commands.
        """
        if self._busy:
            raise LocalProtocolError("receive was entered twice")
        if now < self._now:
            raise LocalProtocolError(f"time ran backwards by {self._now - now:.6f} s")
        self._now = now
        self._busy = True
        try:
            if type(event) is UpstreamBody:  # by far the most frequent
                exchange = self._exchanges.get(event.exchange)
                if exchange is not None:
                    row = exchange.row
                    try:
                        exchange.handle_upstream(event, now)
                    except Exception as error:
                        self._broke(exchange, error, "UpstreamBody")
                    if exchange.row is not row:
                        self._settle(exchange, "UpstreamBody")
                        self._after(now)
            else:
                if self._queue.places and type(event) not in _WITHOUT_RIVALS:
                    self._serve_who_waited(now)
                self._dispatch(event, now)
                self._after(now)
            return self._shared.take_commands() if self._shared.out else ()
        finally:
            self._busy = False

    def _dispatch(self, event: Event, now: float) -> None:
        take = _TAKE.get(type(event))
        if take is None:
            self._pass_on(event, now)  # type: ignore[arg-type]
            return
        try:
            take(self, event, now)
        except Exception as error:
            self._broke_beside(error, type(event).__name__)

    def _restore(self, event: StateRestored, now: float) -> None:
        self._shared.pins.restore(event.pins, now)
        if self._shared.memory is not None:
            self._shared.memory.restore(event.reasoning, now)
        self._operations.restore(event, now)

    def _learn_model(self, event: ModelDescribed, now: float) -> None:  # noqa: ARG002
        """A provider has told what a model can do: from the next request on it counts."""
        account = self._shared.scheduler.accounts.get(event.account)
        if account is not None and event.status == 200:
            self._shared.learned[account.kind, event.model] = learn(
                account.translation_dialect, event.model, event.body
            )

    def _start(self, event: RequestStarted, now: float) -> None:
        if event.exchange <= self._newest:
            raise LocalProtocolError(f"exchange {event.exchange} is not new")
        self._newest = event.exchange
        try:
            exchange = self._exchanges[event.exchange] = Exchange(self._shared, event, now)
        except Exception as error:
            self._on_fault(error)
            refuse_unmade(self._shared, event, internal_error(error, "RequestStarted", now), now)
            return
        self._step(exchange, "RequestStarted", start, exchange, now)

    def _pass_on(self, event: ExchangeEvent, now: float) -> None:
        exchange = self._exchanges.get(event.exchange)
        if exchange is not None:
            self._step(exchange, type(event).__name__, exchange.handle, event, now)
        elif isinstance(event, FrontEndFailed):
            self._shared.emit(Observe(attrs.evolve(event.fault, at=now)))
        elif event.exchange > self._newest:
            raise LocalProtocolError(f"exchange {event.exchange} was never started")

    def _step(self, exchange: Exchange, during: str, step: Callable[..., None], *given: object) -> None:
        """Have an exchange take a step."""
        try:
            step(*given)
        except Exception as error:
            self._broke(exchange, error, during)
        self._settle(exchange, during)

    def _settle(self, exchange: Exchange, during: str) -> None:
        """After an exchange changed: look at the time, and forget it if it is over."""
        try:
            self._schedule(exchange)
        except Exception as error:
            self._broke(exchange, error, during)
        if self._shared.finished:
            self._forget_finished()

    # -- faults of our own --------------------------------------------------------------------------------------

    def _broke(self, exchange: Exchange, error: Exception, during: str) -> None:
        """An exchange raised what nobody foresaw: it is over, and nobody else notices."""
        if isinstance(error, LocalProtocolError):
            raise error
        self._on_fault(error)
        collapse(exchange, internal_error(error, during, self._now), self._now)

    def _broke_beside(self, error: Exception, during: str) -> None:
        """What concerns no exchange, or all of them, failed: that is told, and everything else goes on."""
        if isinstance(error, LocalProtocolError):
            raise error
        self._on_fault(error)
        self._rest_until = self._now + _REST
        self._shared.emit(Observe(internal_error(error, during, self._now)))

    def _after(self, now: float) -> None:
        """Ask those who wait, after an event that may have freed an account."""
        if self._queue.places:
            self._wake_waiters(now)

    def _serve_who_waited(self, now: float) -> None:
        """Before an event: who waited comes before whoever this is about, where time has freed an account."""
        try:
            due = self._queue.wake_at() <= now < self._drain_until
        except Exception as error:
            self._broke_beside(error, "waiting")
            return
        if due:
            self._wake_waiters(now)

    def _wake_waiters(self, now: float) -> None:
        """Offer what became free to those who wait, first come first served."""
        queue = self._queue
        try:
            if queue.wake_at() <= now:
                queue.time_passed(now)
            while (number := queue.next(now)) is not None:
                waiter = self._exchanges[number]
                self._step(waiter, "waiting", acquire, waiter, now)
            queue.asked()
        except Exception as error:
            self._broke_beside(error, "waiting")

    def _forget_finished(self) -> None:
        """Drop the exchanges that are over, and with them the deadlines they leave at the top of the heap."""
        shared, heap = self._shared, self._heap
        for number in shared.finished:
            self._exchanges.pop(number, None)
        shared.finished.clear()
        while heap and heap[0][1] not in self._exchanges:
            heapq.heappop(heap)
        if shared.draining:
            self._stop_when_empty()

    # -- time ---------------------------------------------------------------------------------------------------

    def _schedule(self, exchange: Exchange) -> None:
        wake = next_wake(exchange)
        if wake < exchange.scheduled_at:
            exchange.scheduled_at = wake
            heapq.heappush(self._heap, (wake, exchange.id))
            if len(self._heap) > 64 + 4 * len(self._exchanges):
                self._rebuild_heap()

    def _rebuild_heap(self) -> None:
        """Drop the entries of exchanges that are over."""
        self._heap = [
            (exchange.scheduled_at, number)
            for number, exchange in self._exchanges.items()
            if exchange.scheduled_at < math.inf
        ]
        heapq.heapify(self._heap)

    def _time_passed(self, event: TimePassed, now: float) -> None:
        if now >= self._rest_until:
            self._do_what_is_due(now)
        if now >= self._drain_until:
            self._drain_until = math.inf
            for running in list(self._exchanges.values()):  # before any lease is offered on: nothing new is called
                self._step(running, "draining", shut_down, running, now)
        while self._heap and self._heap[0][0] <= now:
            when, number = heapq.heappop(self._heap)
            exchange = self._exchanges.get(number)
            if exchange is None or exchange.scheduled_at != when:
                continue
            exchange.scheduled_at = math.inf
            self._step(exchange, "TimePassed", self._wake, exchange, event, now)

    @staticmethod
    def _wake(exchange: Exchange, event: TimePassed, now: float) -> None:
        if next_wake(exchange) <= now:
            time_passed(exchange, event, now)

    def _do_what_is_due(self, now: float) -> None:
        """What is done beside all exchanges: one that fails does not keep the other from being done."""
        for one, work in (
            (self._sign_in, self._operations.refresh_tokens),
            (self._proxies, self._operations.check_proxies),
        ):
            try:
                if one.deadline <= now:
                    work(now)
            except Exception as error:
                self._broke_beside(error, "TimePassed")

    # -- the end ------------------------------------------------------------------------------------------------

    def _drain(self, _event: DrainRequested, now: float) -> None:
        if not self._shared.draining:
            self._shared.draining = True
            self._drain_until = now + self._shared.config.server.drain_timeout
            self._stop_when_empty()

    def _stop_when_empty(self) -> None:
        if not self._exchanges and not self._stopped:
            self._stopped = True
            self._drain_until = math.inf
            self._shared.emit(StopServing())


_TAKE: dict[type[Event], Callable[[Gateway, Any, float], None]] = {
    RequestStarted: Gateway._start,
    TimePassed: Gateway._time_passed,
    DrainRequested: Gateway._drain,
    StateRestored: Gateway._restore,
    ModelDescribed: Gateway._learn_model,
    TokenRefreshed: lambda gateway, event, now: gateway._operations.token_refreshed(event, now),
    TokenRefreshFailed: lambda gateway, event, now: gateway._operations.token_refresh_failed(event, now),
    ProxyChecked: lambda gateway, event, now: gateway._operations.proxy_checked(event, now),
    AdminChanged: lambda gateway, event, now: gateway._operations.admin_changed(event, now),
}
"""Events that concern no exchange, or the beginning of one. The others are handed on to their exchange."""
_WITHOUT_RIVALS = (ClientGone, AdminChanged)
"""Events after which nobody new wants an account: what they say is heard before those who wait are asked."""
