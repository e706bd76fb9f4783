"""One client request, from its head to the last byte of the response: a state machine, and where retries live.

Theory of operation
-------------------
``READING`` the client's body, then ``LOADING`` what Gephyr keeps and ``FETCHING`` addresses where a request needs it,
then ``WAITING`` for an account, then ``CALLING`` it. The first bytes of a reply tell its form (``RECOGNIZING``). One
that is a stream goes through ``PRELUDE``, where events that carry no content are held, into ``RELAYING``; any other
reply is ``COLLECTING`` until it is whole. Until the first content byte goes to the client (the commit point), every
failure leads back to ``WAITING`` and the next account; after it, a failure ends the client's stream with one terminal
event. A reply is over with the terminal event of its dialect, whatever the call does then. One that has its finish
reason, and may be followed by usage or a terminal event, is ``ENDING`` for a second at most. Reading or writing much of
a request or of a whole reply in one go is ``COMPUTING``: the front end does it beside the other requests, and the
exchange goes on in the state it came from.

``ROWS`` is the table: which events a state takes, and the method that takes each. What is not in it is in ``ILLEGAL``.
News of an attempt that is over is ignored in every state. All time limits are in ``next_wake`` and ``time_passed``.
"""

import math
from collections.abc import Callable

from msgspec.json import encode

from gephyr_core.commands import CollectMetrics, ReadBody
from gephyr_core.computing import HEAVIER, LIGHTER
from gephyr_core.envelope import EnvelopeError
from gephyr_core.errors import ErrorKind, Fault, LocalProtocolError, Problem
from gephyr_core.events import (
    ClientBlocked,
    ClientGone,
    ClientReady,
    Computed,
    ExchangeEvent,
    FrontEndFailed,
    Loaded,
    MetricsCollected,
    RequestBody,
    RequestEnded,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
    UrlFetched,
    UrlFetchFailed,
)
from gephyr_core.exchange.admission import admit
from gephyr_core.exchange.body import Body
from gephyr_core.exchange.collapse import collapse
from gephyr_core.exchange.computing import LONGEST_JOB, stay
from gephyr_core.exchange.plan import planned, reading_body, rewritten
from gephyr_core.exchange.receiving import Receiving
from gephyr_core.exchange.request import Request
from gephyr_core.exchange.state import Cell, Row, State
from gephyr_core.exchange.winding_up import GRACE
from gephyr_core.guards.body_limit import TOO_MUCH_HELD, too_large
from gephyr_core.pins import RequestRefused
from gephyr_core.scheduling import NEUTRAL, Search

CLIENT_STALL = 60.0
"""Seconds a client may leave the data it asked for unread."""
# For ``next_wake``, asked after nearly every event: Python 3.11 takes five times as long for an enum's member.
_READING, _ASKING, _WAITING, _CALLING = State.READING, State.ASKING, State.WAITING, State.CALLING
_ENDING, _COLLECTING, _DONE, _FETCHING, _LOADING, _COMPUTING = (
    State.ENDING,
    State.COLLECTING,
    State.DONE,
    State.FETCHING,
    State.LOADING,
    State.COMPUTING,
)
UpstreamEvent = UpstreamStarted | UpstreamBody | UpstreamEnded | UpstreamFailed


class Exchange(Receiving):
    """One request being served."""

    def handle(self, event: ExchangeEvent, now: float) -> None:
        """Take an event. Raises ``LocalProtocolError`` for one that is illegal in this state."""
        if isinstance(event, UPSTREAM_EVENTS):
            attempt = self.attempt
            if attempt is not None and event.attempt == attempt.number:
                attempt.ended = isinstance(event, UpstreamEnded | UpstreamFailed)
            self.handle_upstream(event, now)
        else:
            self._cell(event)(self, event, now)

    def handle_upstream(self, event: UpstreamEvent, now: float) -> None:
        """Take news of an attempt; what is said of one that is over is ignored."""
        attempt = self.attempt
        if attempt is not None and event.attempt == attempt.number:
            cell = self.row.get(type(event)) or self._cell(event)
            cell(self, event, now)
        elif event.attempt > self.attempt_number:
            raise LocalProtocolError(f"exchange {self.id}: attempt {event.attempt} was never called")

    def _cell(self, event: ExchangeEvent) -> Cell:
        cell = self.row.get(type(event))
        if cell is None:
            raise LocalProtocolError(f"exchange {self.id}: {type(event).__name__} is illegal while {self.state.value}")
        return cell

    # -- the request --------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Ask the guards, and either answer at once or ask for the body."""
        try:
            admitted = admit(self.shared, self.request.head)
        except RequestRefused as refusal:
            self.refuse(refusal.problem, now)
            return
        self.request = Request(self.request.head, admitted.endpoint, admitted.owner, admitted.owns)
        if admitted.answer is not None:
            answer = admitted.answer
            self.reply.whole(answer.status, list(answer.headers), answer.body, now)
            self.finish("ok", now)
        elif admitted.endpoint.operation.name == "metrics":
            self.enter(State.ASKING)
            self.shared.emit(CollectMetrics(self.id))
        else:
            self.shared.emit(ReadBody(self.id))

    def request_body(self, event: RequestBody, now: float) -> None:
        """A piece of the body: held, within the limits."""
        self.read_at = now
        self.body_size += len(event.data)
        self.body.append(event.data)
        limit = self.shared.config.server.max_body_size
        if self.body_size > limit:
            self.refuse(too_large(limit), now)
        elif not self.hold(self.body_size):
            self.refuse(TOO_MUCH_HELD, now)

    def request_ended(self, _event: RequestEnded, now: float) -> None:
        """The request is complete: read it, find its route, and an account."""
        pieces, self.body = self.body, []
        job = reading_body(self.shared, self.request.head, pieces, self.request.endpoint.operation)
        size = self.body_size * HEAVIER if job.coding else self.body_size / LIGHTER
        self.compute(job, self.body_read, stay, size, now)

    def body_read(self, read: Callable[[], Body], now: float) -> None:
        """The request was read: load what it refers to, or find its route."""
        try:
            body = read()
            if len(body.data) != self.held and not self.hold(len(body.data)):
                self.refuse(TOO_MUCH_HELD, now)
                return
            if self.asks_store(body, now):
                return
        except RequestRefused as refusal:
            self.refuse(refusal.problem, now)
            return
        except EnvelopeError as error:
            self.refuse(Problem(ErrorKind.BAD_REQUEST, str(error), param=error.param), now)
            return
        self.go(lambda: body, now)

    def go(self, read: Callable[[], Body], now: float) -> None:
        """Make a plan for the body that *read* returns, which is complete and decoded, and take an account."""
        try:
            body = read()
            self.request, route = planned(self.shared, self.request, body, now)
        except RequestRefused as refusal:
            self.refuse(refusal.problem, now)
            return
        except EnvelopeError as error:
            self.refuse(Problem(ErrorKind.BAD_REQUEST, str(error), param=error.param), now)
            return
        expanded = len(self.request.body)
        if expanded != self.held and not self.hold(expanded):
            self.refuse(TOO_MUCH_HELD, now)
            return
        if self.request.renamed:
            self.renaming = [(encode(upstream_id), encode(seen)) for seen, upstream_id in self.request.renamed]
        self.legs = list(route)
        if self.kept_conversation is not None:  # what is said has to come back in a form that can be kept
            self.legs = list(rewritten(route, self.dialect.name))
        self.reply.sent_at = now  # keep-alives bridge the provider's silence, not the client's own upload
        until = now + self.shared.config.scheduling.acquire_timeout
        self.search = Search(self.id, self.request.session, self.request.tokens, now, until, self.request.owner)
        self.acquire(now)

    def metrics_collected(self, event: MetricsCollected, now: float) -> None:
        """The answer to ``CollectMetrics``."""
        headers = [(b"content-type", event.content_type.encode())]
        self.reply.whole(200, headers, event.data, now)
        self.finish("ok", now)

    # -- the client ---------------------------------------------------------------------------------------------

    def client_gone(self, _event: ClientGone, now: float) -> None:
        """The client left: cancel the call, and give the lease back."""
        self.reply.over = True
        if self.attempt is not None:
            if self.state is State.CALLING:
                self.shared.scheduler.learning.waited_in_vain(self.attempt.lease, now - self.attempt.called_at, now)
            self.end_attempt("cancelled", NEUTRAL, now, detail="the client left")
        self.finish("client_gone", now)

    def front_end_failed(self, event: FrontEndFailed, now: float) -> None:
        """A fault of our own outside the core: end with an error, and give everything back."""
        collapse(self, event.fault, now)

    def client_blocked(self, _event: ClientBlocked, now: float) -> None:
        """The client is slow: the idle clock and keep-alives stand still."""
        self.blocked_at = now

    def client_ready(self, _event: ClientReady, now: float) -> None:
        """The client reads again: the clocks start anew."""
        self.blocked_at = None
        self.reply.sent_at = now
        if self.attempt is not None:
            self.attempt.heard_at = now
            if self.state is State.ENDING:
                self.attempt.finished_at = now

    # -- time ---------------------------------------------------------------------------------------------------

    def next_wake(self) -> float:
        """When time alone has something to say to this exchange."""
        server = self.shared.config.server
        if self.state is _READING:
            return self.read_at + server.idle_timeout
        if self.state is _ASKING:
            return self.started_at + server.idle_timeout
        if self.state is _DONE:
            return math.inf
        if self.state is _LOADING:
            return self.load_until
        if self.state is _FETCHING:
            wake = self.fetch_until
        elif self.state is _COMPUTING:
            assert self.computing is not None
            wake = self.computing.since + LONGEST_JOB
        elif self.state is _WAITING:
            assert self.search is not None
            wake = self.search.until
        else:
            wake = self._attempt_limit()
        if self.blocked_at is not None:
            return min(wake, self.blocked_at + CLIENT_STALL)
        return min(wake, self._keep_alive_at()) if self.request.stream else wake

    def _keep_alive_at(self) -> float:
        """When silence is to be bridged. A reply that is no stream is not: its status must not be lost."""
        if not self.request.stream or (self.state is _COLLECTING and not self.reply.status):
            return math.inf
        return self.reply.sent_at + self.shared.config.server.keepalive_interval

    def _attempt_limit(self) -> float:
        attempt = self.attempt
        if attempt is None:
            return math.inf
        total = attempt.called_at + attempt.limits.total
        if self.state is _CALLING:
            return min(total, attempt.called_at + attempt.limits.first_byte)
        if self.blocked_at is not None:
            return total
        if self.state is _ENDING:
            return min(total, attempt.finished_at + GRACE)
        return min(total, attempt.heard_at + attempt.limits.idle, attempt.event_due)

    def time_passed(self, now: float) -> None:
        """A limit may have been reached: look, and act."""
        if self.blocked_at is not None and now >= self.blocked_at + CLIENT_STALL:
            self.cut_off("the client stopped reading", now)
        elif self.state is State.READING:
            self.refuse(Problem(ErrorKind.CLIENT_TIMEOUT, "the request body stopped coming"), now)
        elif self.state is State.ASKING:
            self.refuse(Problem(ErrorKind.UNAVAILABLE, "the metrics could not be collected"), now)
        elif self.state is State.LOADING:
            self.loading_took_too_long(now)
        elif self.state is State.FETCHING and now >= self.fetch_until:
            self.fetching_took_too_long(now)
        elif self.state is State.COMPUTING and self.computing is not None and now >= self.computing.since + LONGEST_JOB:
            self.computing_took_too_long(now)
        elif self.state is State.WAITING and self.search is not None and now >= self.search.until:
            self.acquire(now)
        elif self.state not in _WITHOUT_ATTEMPT and now >= self._attempt_limit():
            self._timed_out(now)
        elif self.blocked_at is None and now >= self._keep_alive_at():
            self.keep_alive(now)

    def _timed_out(self, now: float) -> None:
        attempt = self.live
        waiting = self.state is State.CALLING or now >= attempt.event_due
        silence = now - (attempt.called_at if waiting else attempt.heard_at)
        self.spoiled(Fault.TIMEOUT, f"no answer for {silence:.1f} s", now)


_WITHOUT_ATTEMPT = (State.WAITING, State.FETCHING, State.COMPUTING)
UPSTREAM_EVENTS = (UpstreamStarted, UpstreamBody, UpstreamEnded, UpstreamFailed)

_CLIENT: Row = {
    ClientGone: Exchange.client_gone,
    FrontEndFailed: Exchange.front_end_failed,
    ClientBlocked: Exchange.client_blocked,
    ClientReady: Exchange.client_ready,
}
ROWS: dict[State, Row] = {
    State.READING: {RequestBody: Exchange.request_body, RequestEnded: Exchange.request_ended, **_CLIENT},
    State.ASKING: {MetricsCollected: Exchange.metrics_collected, **_CLIENT},
    State.LOADING: {Loaded: Exchange.loaded, **_CLIENT},
    State.FETCHING: {
        UrlFetched: Exchange.url_fetched,
        UrlFetchFailed: Exchange.url_fetch_failed,
        **_CLIENT,
    },
    State.COMPUTING: {
        Computed: Exchange.computed,
        UpstreamBody: Exchange.beside,
        UpstreamEnded: Exchange.beside,
        UpstreamFailed: Exchange.beside,
        **_CLIENT,
    },
    State.WAITING: {**_CLIENT},
    State.CALLING: {UpstreamStarted: Exchange.reply_started, UpstreamFailed: Exchange.broken, **_CLIENT},
    State.RECOGNIZING: {
        UpstreamBody: Exchange.recognize,
        UpstreamEnded: Exchange.recognized_nothing,
        UpstreamFailed: Exchange.broken,
        **_CLIENT,
    },
    State.PRELUDE: {
        UpstreamBody: Exchange.prelude_body,
        UpstreamEnded: Exchange.prelude_ended,
        UpstreamFailed: Exchange.broken,
        **_CLIENT,
    },
    State.COLLECTING: {
        UpstreamBody: Exchange.collect,
        UpstreamEnded: Exchange.collected,
        UpstreamFailed: Exchange.broken,
        **_CLIENT,
    },
    State.RELAYING: {
        UpstreamBody: Exchange.relay,
        UpstreamEnded: Exchange.relay_ended,
        UpstreamFailed: Exchange.relay_broken,
        **_CLIENT,
    },
    State.ENDING: {
        UpstreamBody: Exchange.rest_of_reply,
        UpstreamEnded: Exchange.rest_ended,
        UpstreamFailed: Exchange.rest_broken,
        **_CLIENT,
    },
    State.DONE: {},
}
Exchange.rows = ROWS

_BODY, _ANSWERS = (RequestBody, RequestEnded), (UpstreamBody, UpstreamEnded)
_QUESTIONS = (UrlFetched, UrlFetchFailed, Loaded, Computed)
ILLEGAL: dict[State, tuple[type, ...]] = {
    State.READING: (MetricsCollected, *UPSTREAM_EVENTS, *_QUESTIONS),
    State.ASKING: (*_BODY, *UPSTREAM_EVENTS, *_QUESTIONS),
    State.LOADING: (*_BODY, MetricsCollected, *UPSTREAM_EVENTS, UrlFetched, UrlFetchFailed, Computed),
    State.FETCHING: (*_BODY, MetricsCollected, *UPSTREAM_EVENTS, Loaded, Computed),
    State.COMPUTING: (*_BODY, MetricsCollected, UpstreamStarted, UrlFetched, UrlFetchFailed, Loaded),
    State.WAITING: (*_BODY, MetricsCollected, *UPSTREAM_EVENTS, *_QUESTIONS),
    State.CALLING: (*_BODY, MetricsCollected, *_ANSWERS, *_QUESTIONS),
    State.RECOGNIZING: (*_BODY, MetricsCollected, UpstreamStarted, *_QUESTIONS),
    State.PRELUDE: (*_BODY, MetricsCollected, UpstreamStarted, *_QUESTIONS),
    State.COLLECTING: (*_BODY, MetricsCollected, UpstreamStarted, *_QUESTIONS),
    State.RELAYING: (*_BODY, MetricsCollected, UpstreamStarted, *_QUESTIONS),
    State.ENDING: (*_BODY, MetricsCollected, UpstreamStarted, *_QUESTIONS),
    State.DONE: (
        *_BODY,
        MetricsCollected,
        *UPSTREAM_EVENTS,
        ClientGone,
        FrontEndFailed,
        ClientBlocked,
        ClientReady,
        *_QUESTIONS,
    ),
}
"""What a front end may not say in a state. News of an attempt that is over is no offence in any state, and what comes
for an exchange that is over never reaches it."""
