"""The driver: carries events into the core and performs the commands that come out, each to completion.

``feed`` is a plain function call, made from wherever an event is seen (a transport's callback, a timer). Events that
arise while commands are performed wait in a queue, so the core is never entered twice and the stack never grows with
the number of pipelined requests.

A port that raises is a fault of ours. The core is told (``FrontEndFailed``): it answers the client and has the fault
logged. Where the client's own port is what raised, its connection is cut. A question or an errand that cannot even
begin is answered by its failure, so that nobody waits for it. Everything else goes on: the remaining commands are
performed, and the queue is emptied.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from gephyr.runtime.faults import failure
from gephyr.runtime.ports import ClientPort, ErrandPort, Feed, QuestionPort, UpstreamCall, UpstreamPort
from gephyr_core.commands import (
    AbortResponse,
    CallUpstream,
    CancelQuestions,
    CancelUpstream,
    CheckProxy,
    CollectMetrics,
    Command,
    Compute,
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
    FrontEndFailed,
    MetricsCollected,
    ModelDescribed,
    ProxyChecked,
    RequestStarted,
    TimePassed,
    TokenRefreshFailed,
    UpstreamFailed,
)
from gephyr_core.records import Fact, InternalError, Saved

_OUR_FAULT = "a fault of the gateway"
_SOON = 1.0
"""Seconds until the core is asked again for a deadline that it could not tell."""


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
        self._steer(exchange, "pause")
        self.feed(ClientBlocked(exchange))

    def client_ready(self, exchange: int) -> None:
        """The client's transport has room again."""
        self._blocked.discard(exchange)
        self._steer(exchange, "resume")
        self.feed(ClientReady(exchange))

    def _steer(self, exchange: int, how: Literal["pause", "resume"]) -> None:
        if exchange in self._calls:
            call = self._calls[exchange][1]
            try:
                call.pause() if how == "pause" else call.resume()
            except Exception as error:
                self.failed(error, how, exchange)

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
                    self._refused(event, error)
                    continue
                for command in commands:
                    try:
                        _PERFORM[type(command)](self, command)
                    except Exception as error:
                        self._failed(command, error)
        finally:
            self._draining_queue = False
        while self._gone:
            self._forget(self._gone.pop())
        try:
            sooner = self._core.deadline < self._armed_at
        except Exception:
            sooner = True
        if sooner:
            self._arm()

    def failed(self, error: BaseException, during: str, exchange: int = 0) -> None:
        """Tell the core of an exception that nobody foresaw: it ends *exchange*, if that is none of the others' (0)."""
        self.feed(failure(error, during, exchange))

    def close(self) -> None:
        """Stop the timer; nothing is fed any more by the driver itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _refused(self, event: Event, error: Exception) -> None:
        """The core did not take an event: nobody knows better than to end the exchange that it was about."""
        exchange = getattr(event, "exchange", 0)
        if isinstance(event, FrontEndFailed):
            self._say(event.fault)
        if isinstance(event, RequestStarted | FrontEndFailed):
            self._cut_off(exchange)
        if isinstance(event, FrontEndFailed):
            self._say(failure(error, "FrontEndFailed").fault)
        else:
            self._queue.append(failure(error, type(event).__name__, exchange))

    def _failed(self, command: Command, error: Exception) -> None:
        """A port raised: have the fault told, and do what is left to be done for who waits."""
        kind = type(command)
        if isinstance(command, Observe) and isinstance(command.fact, InternalError):
            self._say(command.fact)
            return
        if isinstance(command, _TO_THE_CLIENT):
            self._cut_off(command.exchange)
        exchange = command.exchange if isinstance(command, _ENDING_THEIR_EXCHANGE) else 0
        self._queue.append(failure(error, kind.__name__, exchange))
        answer = _ANSWERS.get(kind)
        if answer is not None:
            self._queue.append(answer(command))

    def _forget(self, exchange: int) -> None:
        """Let go of what was done for a client that left."""
        self._calls.pop(exchange, None)
        self._blocked.discard(exchange)
        try:
            self._questions.cancel(exchange)
        except Exception as error:
            self.failed(error, "CancelQuestions")

    def _cut_off(self, exchange: int) -> None:
        """Cut the client's connection: what can still be said to it is not what it was promised."""
        client = self._clients.pop(exchange, None)
        if client is None:
            return
        self._gone.append(exchange)
        try:
            client.abort_response(_OUR_FAULT)
        except Exception as error:
            self._queue.append(failure(error, "AbortResponse"))

    def _say(self, fault: InternalError) -> None:
        """Log a fault that cannot be observed as others are."""
        message = f"the gateway itself failed: {fault.place}, during {fault.during}"
        self._loop.call_exception_handler({"message": message})

    # -- time ---------------------------------------------------------------------------------------------------

    def _deadline(self) -> float:
        try:
            return self._core.deadline
        except Exception as error:
            self._say(failure(error, "deadline").fault)
            return self._clock() + _SOON

    def _arm(self) -> None:
        """Re-arm the one timer. It is moved only to an earlier time; a later deadline lets it fire and look again."""
        if self._timer is not None:
            self._timer.cancel()
        self._armed_at = self._deadline()
        delay = max(0.0, self._armed_at - self._clock())
        self._timer = self._loop.call_later(delay, self._time_passed)

    def _time_passed(self) -> None:
        self._timer, self._armed_at = None, math.inf
        if self._deadline() <= self._clock():
            self.feed(TimePassed())
        if self._timer is None and self._deadline() < math.inf:
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
        if client := self._clients.get(command.exchange):
            client.end_response()
            self._clients.pop(command.exchange, None)

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
            self.failed(error, "CallUpstream")
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

    def _ask(self, command: FetchUrl | Load | Compute) -> None:
        if command.exchange in self._clients:
            _ASK[type(command)](self._questions)(command, self.feed)

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


_ASK: dict[type[Command], Callable[[QuestionPort], Callable[[Any, Feed], None]]] = {
    FetchUrl: lambda questions: questions.fetch,
    Load: lambda questions: questions.load,
    Compute: lambda questions: questions.compute,
}
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
    FetchUrl: Driver._ask,  # type: ignore[dict-item]
    Load: Driver._ask,  # type: ignore[dict-item]
    Compute: Driver._ask,  # type: ignore[dict-item]
    CancelQuestions: Driver._cancel_questions,  # type: ignore[dict-item]
    DescribeModel: Driver._describe_model,  # type: ignore[dict-item]
    RefreshToken: Driver._refresh_token,  # type: ignore[dict-item]
    CheckProxy: Driver._check_proxy,  # type: ignore[dict-item]
    Save: Driver._save,  # type: ignore[dict-item]
    Observe: Driver._observe,  # type: ignore[dict-item]
    StopServing: Driver._stop_serving,  # type: ignore[dict-item]
}

_TO_THE_CLIENT = (StartResponse, SendBody, EndResponse, AbortResponse)
"""Commands after whose failure the client's port is not to be relied on."""
_ENDING_THEIR_EXCHANGE = (*_TO_THE_CLIENT, ReadBody, CollectMetrics, FetchUrl, Load, Compute)
"""Commands without whose effect their exchange cannot go on."""
_ANSWERS: dict[type[Command], Callable[[Any], Event]] = {
    DescribeModel: lambda asked: ModelDescribed(asked.account, asked.model, 0, b""),
    RefreshToken: lambda asked: TokenRefreshFailed(asked.account, "internal", _OUR_FAULT),
    CheckProxy: lambda asked: ProxyChecked(asked.proxy, healthy=None, detail=_OUR_FAULT),
}
"""What answers a question that concerns no exchange, where it could not even be asked."""
