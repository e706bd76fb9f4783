"""The driver: carries events into the core and performs the commands that come out, each to completion.

``feed`` is a plain function call, made from wherever an event is seen (a transport's callback, a timer). Events that
arise while commands are performed wait in a queue, so the core is never entered twice and the stack never grows with
the number of pipelined requests.

A port that raises is a fault of ours. It is told to the loop's exception handler, the exchange it happened to is cut
off, and everything else goes on: the remaining commands are performed, and the queue is emptied.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from gephyr.runtime.ports import ClientPort, ErrandPort, QuestionPort, UpstreamCall, UpstreamPort
from gephyr_core.commands import (
    AbortResponse,
    CallUpstream,
    CancelQuestions,
    CancelUpstream,
    CheckProxy,
    CollectMetrics,
    Command,
    DescribeModel,
    DetachUpstream,
    EndResponse,
    FetchUrl,
    Load,
    Observe,
    ReadBody,
    RefreshToken,
    Save,
    SendBody,
    StartResponse,
    StopServing,
)
from gephyr_core.errors import Fault
from gephyr_core.events import (
    ClientBlocked,
    ClientGone,
    ClientReady,
    Event,
    MetricsCollected,
    TimePassed,
    UpstreamFailed,
)
from gephyr_core.records import Fact, Saved

_OUR_FAULT = "a fault of the gateway"


class Core(Protocol):
    """What the driver needs of :class:`gephyr_core.gateway.Gateway`."""

    @property
    def deadline(self) -> float:
        """When ``TimePassed`` is wanted; ``math.inf`` when never."""

    def receive(self, event: Event, now: float) -> Sequence[Command]:
        """Take an event, answer with commands."""


class Observer(Protocol):
    """Where facts go: logs and metrics."""

    def observe(self, fact: Fact) -> None:
        """Take one fact. Must not raise."""

    def metrics_for_clients(self) -> tuple[str, bytes]:
        """Return the content type and the text of the metrics page that a client may see."""


class Store(Protocol):
    """Where records are kept."""

    def save(self, record: Saved) -> None:
        """Queue the record for writing; returns at once."""


class Driver:
    """Performs the core's commands on the ports it was given. Belongs to one event loop and one thread."""

    def __init__(
        self,
        core: Core,
        *,
        upstream: UpstreamPort,
        observer: Observer,
        store: Store,
        questions: QuestionPort,
        errands: ErrandPort,
        clock: Callable[[], float],
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        """*clock* gives seconds since the epoch on a timeline that never runs backwards."""
        self._core = core
        self._upstream = upstream
        self._observer = observer
        self._store = store
        self._questions = questions
        self._errands = errands
        self._clock = clock
        self._on_stop = on_stop
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Event] = deque()
        self._draining_queue = False
        self._clients: dict[int, ClientPort] = {}
        self._calls: dict[int, tuple[int, UpstreamCall]] = {}
        self._blocked: set[int] = set()
        """Exchanges whose client does not take more now: a call that begins meanwhile is paused too."""
        self._gone: list[int] = []
        self._next_exchange = 0
        self._armed_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def open(self, client: ClientPort) -> int:
        """Register a client port for a new exchange and return the exchange's number."""
        self._next_exchange += 1
        self._clients[self._next_exchange] = client
        return self._next_exchange

    @property
    def open_exchanges(self) -> int:
        """How many exchanges have not ended."""
        return len(self._clients)

    def client_gone(self, exchange: int) -> None:
        """The client left: commands for it have nowhere to go any more."""
        if self._clients.pop(exchange, None) is not None:
            self._gone.append(exchange)
            self.feed(ClientGone(exchange))

    def client_blocked(self, exchange: int) -> None:
        """The client's transport is full: stop reading its provider, and tell the core."""
        if exchange in self._clients:
            self._blocked.add(exchange)
        if exchange in self._calls:
            self._calls[exchange][1].pause()
        self.feed(ClientBlocked(exchange))

    def client_ready(self, exchange: int) -> None:
        """The client's transport has room again."""
        self._blocked.discard(exchange)
        if exchange in self._calls:
            self._calls[exchange][1].resume()
        self.feed(ClientReady(exchange))

    def feed(self, event: Event) -> None:
        """Hand *event* to the core and perform what it answers, now or when what is under way is done."""
        self._queue.append(event)
        if self._draining_queue:
            return
        self._draining_queue = True
        queue, receive, clock = self._queue, self._core.receive, self._clock
        try:
            while queue:
                event = queue.popleft()
                try:
                    commands = receive(event, clock())
                except Exception as error:
                    self._failed(event, error)
                    continue
                for command in commands:
                    try:
                        _PERFORM[type(command)](self, command)
                    except Exception as error:
                        self._failed(command, error)
        finally:
            self._draining_queue = False
        while self._gone:
            exchange = self._gone.pop()
            self._questions.cancel(exchange)
            self._calls.pop(exchange, None)
            self._blocked.discard(exchange)
        if self._core.deadline < self._armed_at:
            self._arm()

    def close(self) -> None:
        """Stop the timer; nothing is fed any more by the driver itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _failed(self, what: Event | Command, error: Exception) -> None:
        """Report a fault of ours, and cut off the exchange it happened to."""
        self._loop.call_exception_handler({"message": f"{type(what).__name__} failed", "exception": error})
        exchange = getattr(what, "exchange", 0)
        if client := self._clients.pop(exchange, None):
            self._gone.append(exchange)
            self._queue.append(ClientGone(exchange))
            self._cut_off(client)

    def _cut_off(self, client: ClientPort) -> None:
        try:
            client.abort_response(_OUR_FAULT)
        except Exception as error:
            self._loop.call_exception_handler({"message": "AbortResponse failed", "exception": error})

    # -- time ---------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Re-arm the one timer. It is moved only to an earlier time; a later deadline lets it fire and look again."""
        if self._timer is not None:
            self._timer.cancel()
        self._armed_at = self._core.deadline
        delay = max(0.0, self._armed_at - self._clock())
        self._timer = self._loop.call_later(delay, self._time_passed)

    def _time_passed(self) -> None:
        self._timer, self._armed_at = None, math.inf
        if self._core.deadline <= self._clock():
            self.feed(TimePassed())
        if self._timer is None and self._core.deadline < math.inf:
            self._arm()

    # -- performing ---------------------------------------------------------------------------------------------

    def _read_body(self, command: ReadBody) -> None:
        if client := self._clients.get(command.exchange):
            client.read_body()

    def _start_response(self, command: StartResponse) -> None:
        if client := self._clients.get(command.exchange):
            client.start_response(command.status, command.headers)

    def _send_body(self, command: SendBody) -> None:
        if client := self._clients.get(command.exchange):
            client.send_body(command.data)

    def _end_response(self, command: EndResponse) -> None:
        self._questions.cancel(command.exchange)
        self._calls.pop(command.exchange, None)
        self._blocked.discard(command.exchange)
        if client := self._clients.pop(command.exchange, None):
            try:
                client.end_response()
            except Exception:
                self._cut_off(client)
                raise

    def _abort_response(self, command: AbortResponse) -> None:
        self._questions.cancel(command.exchange)
        self._calls.pop(command.exchange, None)
        self._blocked.discard(command.exchange)
        if client := self._clients.pop(command.exchange, None):
            client.abort_response(command.reason)

    def _call_upstream(self, command: CallUpstream) -> None:
        try:
            call = self._upstream.call(command, self.feed)
        except Exception as error:  # another account may still serve the client
            self._loop.call_exception_handler({"message": "CallUpstream failed", "exception": error})
            self.feed(UpstreamFailed(command.exchange, command.attempt, Fault.GATEWAY, _OUR_FAULT))
            return
        self._calls[command.exchange] = (command.attempt, call)
        if command.exchange in self._blocked:
            call.pause()

    def _cancel_upstream(self, command: CancelUpstream) -> None:
        attempt, call = self._calls.get(command.exchange, (None, None))
        if call is not None and attempt == command.attempt:
            del self._calls[command.exchange]
            call.cancel()

    def _detach_upstream(self, command: DetachUpstream) -> None:
        attempt, call = self._calls.get(command.exchange, (None, None))
        if call is not None and attempt == command.attempt:
            del self._calls[command.exchange]
            call.detach()

    def _collect_metrics(self, command: CollectMetrics) -> None:
        content_type, data = self._observer.metrics_for_clients()
        self.feed(MetricsCollected(command.exchange, content_type, data))

    def _fetch_url(self, command: FetchUrl) -> None:
        if command.exchange in self._clients:
            self._questions.fetch(command, self.feed)

    def _load(self, command: Load) -> None:
        if command.exchange in self._clients:
            self._questions.load(command, self.feed)

    def _cancel_questions(self, command: CancelQuestions) -> None:
        self._questions.cancel(command.exchange)

    def _describe_model(self, command: DescribeModel) -> None:
        self._questions.describe(command, self.feed)

    def _refresh_token(self, command: RefreshToken) -> None:
        self._errands.refresh_token(command, self.feed)

    def _check_proxy(self, command: CheckProxy) -> None:
        self._errands.check_proxy(command, self.feed)

    def _save(self, command: Save) -> None:
        self._store.save(command.record)

    def _observe(self, command: Observe) -> None:
        self._observer.observe(command.fact)

    def _stop_serving(self, command: StopServing) -> None:  # noqa: ARG002
        self._on_stop()


_PERFORM: dict[type[Command], Callable[[Driver, Command], None]] = {
    ReadBody: Driver._read_body,  # type: ignore[dict-item]
    StartResponse: Driver._start_response,  # type: ignore[dict-item]
    SendBody: Driver._send_body,  # type: ignore[dict-item]
    EndResponse: Driver._end_response,  # type: ignore[dict-item]
    AbortResponse: Driver._abort_response,  # type: ignore[dict-item]
    CallUpstream: Driver._call_upstream,  # type: ignore[dict-item]
    CancelUpstream: Driver._cancel_upstream,  # type: ignore[dict-item]
    DetachUpstream: Driver._detach_upstream,  # type: ignore[dict-item]
    CollectMetrics: Driver._collect_metrics,  # type: ignore[dict-item]
    FetchUrl: Driver._fetch_url,  # type: ignore[dict-item]
    Load: Driver._load,  # type: ignore[dict-item]
    CancelQuestions: Driver._cancel_questions,  # type: ignore[dict-item]
    DescribeModel: Driver._describe_model,  # type: ignore[dict-item]
    RefreshToken: Driver._refresh_token,  # type: ignore[dict-item]
    CheckProxy: Driver._check_proxy,  # type: ignore[dict-item]
    Save: Driver._save,  # type: ignore[dict-item]
    Observe: Driver._observe,  # type: ignore[dict-item]
    StopServing: Driver._stop_serving,  # type: ignore[dict-item]
}
