"""One client request, from its head to the last byte of the response: a state machine, and where retries live.

Theory of operation
-------------------
``Reading`` the client's body, then ``Loading`` what Gephyr keeps and ``Fetching`` addresses where a request needs it,
then ``Waiting`` for an account, then ``Calling`` it. The first bytes of a reply tell its form (``Recognizing``). One
that is a stream goes through ``Prelude``, where events that carry no content are held, into ``Relaying``; where the
client asked for a whole reply, it is ``Gathering``. Any other reply is ``Collecting`` until it is whole. Until the
first content byte goes to the client (the commit point), every failure leads back to ``Waiting`` and the next account;
after it, a failure ends the client's stream with one terminal event. A reply is over with the terminal event of its
dialect, whatever the call does then. One that has its finish reason, and may be followed by usage or a terminal event,
is ``Ending`` for a second at most. Reading or writing much of a request or of a whole reply in one go is ``Computing``:
the front end does it beside the other requests, and the exchange goes on in the state it came from.

The states (:mod:`gephyr_core.exchange.states`) hold what is needed in them, and their deadlines. ``ROWS`` is the table:
which events a state takes, and the method that takes each. ``TimePassed`` stands for its deadline, which was reached.
What is not in the table is in ``ILLEGAL``. News of an attempt that is over is ignored in every state.
"""

import math
from collections.abc import Callable

from msgspec.json import encode

from gephyr_core.commands import CollectMetrics, ReadBody
from gephyr_core.computing import HEAVIER, LIGHTER
from gephyr_core.envelope import EnvelopeError
from gephyr_core.errors import ErrorKind, LocalProtocolError, Problem
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
    TimePassed,
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
from gephyr_core.exchange.computing import stay
from gephyr_core.exchange.plan import planned, reading_body, rewritten
from gephyr_core.exchange.receiving import Receiving
from gephyr_core.exchange.request import Request
from gephyr_core.exchange.state import Cell, Row
from gephyr_core.exchange.states import (
    Asking,
    Calling,
    Collecting,
    Computing,
    Done,
    Ending,
    Fetching,
    Gathering,
    Loading,
    Prelude,
    Reading,
    Recognizing,
    Relaying,
    State,
    Waiting,
)
from gephyr_core.guards.body_limit import TOO_MUCH_HELD, too_large
from gephyr_core.pins import RequestRefused
from gephyr_core.scheduling import NEUTRAL, Search

CLIENT_STALL = 60.0
"""Seconds a client may leave the data it asked for unread."""
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
            self._cell(event)(self, self.state, event, now)

    def handle_upstream(self, event: UpstreamEvent, now: float) -> None:
        """Take news of an attempt; what is said of one that is over is ignored."""
        state = self.state
        attempt = state.attempt
        if attempt is not None and event.attempt == attempt.number:
            cell = self.row.get(type(event)) or self._cell(event)
            cell(self, state, event, now)
        elif event.attempt > self.attempt_number:
            raise LocalProtocolError(f"exchange {self.id}: attempt {event.attempt} was never called")

    def _cell(self, event: ExchangeEvent) -> Cell:
        cell = self.row.get(type(event))
        if cell is None:
            raise LocalProtocolError(f"exchange {self.id}: {type(event).__name__} is illegal while {self.state.name}")
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
            self.enter(Asking(now + self.shared.config.server.idle_timeout))
            self.shared.emit(CollectMetrics(self.id))
        else:
            self.shared.emit(ReadBody(self.id))

    def request_body(self, state: Reading, event: RequestBody, now: float) -> None:
        """A piece of the body: held, within the limits."""
        state.read_at = now
        self.body_size += len(event.data)
        state.pieces.append(event.data)
        limit = self.shared.config.server.max_body_size
        if self.body_size > limit:
            self.refuse(too_large(limit), now)
        elif not self.hold(self.body_size):
            self.refuse(TOO_MUCH_HELD, now)

    def request_ended(self, state: Reading, _event: RequestEnded, now: float) -> None:
        """The request is complete: read it, find its route, and an account."""
        pieces, state.pieces = state.pieces, []
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
        if self.kept.conversation is not None:  # what is said has to come back in a form that can be kept
            route = rewritten(route, self.dialect.name)
        self.reply.sent_at = now  # keep-alives bridge the provider's silence, not the client's own upload
        until = now + self.shared.config.scheduling.acquire_timeout
        search = Search(self.id, self.request.session, self.request.tokens, now, until, self.request.owner)
        self.itinerary.begin(search, route)
        self.enter(Waiting(search))
        self.acquire(now)

    def metrics_collected(self, _state: Asking, event: MetricsCollected, now: float) -> None:
        """The answer to ``CollectMetrics``."""
        headers = [(b"content-type", event.content_type.encode())]
        self.reply.whole(200, headers, event.data, now)
        self.finish("ok", now)

    def body_stopped_coming(self, _state: Reading, _event: TimePassed, now: float) -> None:
        """The client has not sent the rest of the body in time."""
        self.refuse(Problem(ErrorKind.CLIENT_TIMEOUT, "the request body stopped coming"), now)

    def metrics_took_too_long(self, _state: Asking, _event: TimePassed, now: float) -> None:
        """The metrics are not waited for any more."""
        self.refuse(Problem(ErrorKind.UNAVAILABLE, "the metrics could not be collected"), now)

    # -- the client ---------------------------------------------------------------------------------------------

    def client_gone(self, state: State, _event: ClientGone, now: float) -> None:
        """The client left: cancel the call, and give the lease back."""
        self.reply.over = True
        attempt = state.attempt
        if attempt is not None:
            if isinstance(state, Calling):
                self.shared.scheduler.learning.waited_in_vain(attempt.lease, now - attempt.called_at, now)
            self.end_attempt(attempt, "cancelled", NEUTRAL, now, detail="the client left")
        self.finish("client_gone", now)

    def front_end_failed(self, _state: State, event: FrontEndFailed, now: float) -> None:
        """A fault of our own outside the core: end with an error, and give everything back."""
        collapse(self, event.fault, now)

    def client_blocked(self, _state: State, _event: ClientBlocked, now: float) -> None:
        """The client is slow: the idle clock and keep-alives stand still."""
        self.blocked_at = now

    def client_ready(self, state: State, _event: ClientReady, now: float) -> None:
        """The client reads again: the clocks start anew."""
        self.blocked_at = None
        self.reply.sent_at = now
        if state.attempt is not None:
            state.attempt.heard_at = now
        if isinstance(state, Ending):
            state.since = now

    # -- time ---------------------------------------------------------------------------------------------------

    def next_wake(self) -> float:
        """When time alone has something to say to this exchange."""
        state, blocked_at = self.state, self.blocked_at
        if not state.answers:
            return state.deadline
        if blocked_at is not None:
            return min(state.deadline_unread, blocked_at + CLIENT_STALL)
        return min(state.deadline, self._keep_alive_at()) if self.request.stream else state.deadline

    def _keep_alive_at(self) -> float:
        """When silence is to be bridged. A reply that is no stream is not: its status must not be lost."""
        if not self.request.stream or (isinstance(self.state, Collecting) and not self.reply.status):
            return math.inf
        return self.reply.sent_at + self.shared.config.server.keepalive_interval

    def time_passed(self, event: TimePassed, now: float) -> None:
        """A limit may have been reached: look, and act."""
        state, blocked = self.state, self.blocked_at is not None
        if self.blocked_at is not None and now >= self.blocked_at + CLIENT_STALL:
            self.cut_off("the client stopped reading", now)
        elif now >= (state.deadline_unread if blocked else state.deadline):
            self.row[TimePassed](self, state, event, now)
        elif not blocked and now >= self._keep_alive_at():
            self.keep_alive(now)


UPSTREAM_EVENTS = (UpstreamStarted, UpstreamBody, UpstreamEnded, UpstreamFailed)

_CLIENT: Row = {
    ClientGone: Exchange.client_gone,
    FrontEndFailed: Exchange.front_end_failed,
    ClientBlocked: Exchange.client_blocked,
    ClientReady: Exchange.client_ready,
}
_REPLY: Row = {TimePassed: Exchange.reply_took_too_long, **_CLIENT}
ROWS: dict[type[State], Row] = {
    Reading: {
        RequestBody: Exchange.request_body,
        RequestEnded: Exchange.request_ended,
        TimePassed: Exchange.body_stopped_coming,
        **_CLIENT,
    },
    Asking: {MetricsCollected: Exchange.metrics_collected, TimePassed: Exchange.metrics_took_too_long, **_CLIENT},
    Loading: {Loaded: Exchange.loaded, TimePassed: Exchange.loading_took_too_long, **_CLIENT},
    Fetching: {
        UrlFetched: Exchange.url_fetched,
        UrlFetchFailed: Exchange.url_fetch_failed,
        TimePassed: Exchange.fetching_took_too_long,
        **_CLIENT,
    },
    Computing: {
        Computed: Exchange.computed,
        UpstreamBody: Exchange.beside,
        UpstreamEnded: Exchange.beside,
        UpstreamFailed: Exchange.beside,
        TimePassed: Exchange.computing_took_too_long,
        **_CLIENT,
    },
    Waiting: {TimePassed: Exchange.waited_long_enough, **_CLIENT},
    Calling: {
        UpstreamStarted: Exchange.reply_started,
        UpstreamFailed: Exchange.broken,
        TimePassed: Exchange.call_took_too_long,
        **_CLIENT,
    },
    Recognizing: {
        UpstreamBody: Exchange.recognize,
        UpstreamEnded: Exchange.recognized_nothing,
        UpstreamFailed: Exchange.broken,
        **_REPLY,
    },
    Prelude: {
        UpstreamBody: Exchange.prelude_body,
        UpstreamEnded: Exchange.prelude_ended,
        UpstreamFailed: Exchange.broken,
        **_REPLY,
    },
    Collecting: {
        UpstreamBody: Exchange.collect,
        UpstreamEnded: Exchange.collected,
        UpstreamFailed: Exchange.broken,
        **_REPLY,
    },
    Gathering: {
        UpstreamBody: Exchange.gather,
        UpstreamEnded: Exchange.gathered,
        UpstreamFailed: Exchange.broken,
        **_REPLY,
    },
    Relaying: {
        UpstreamBody: Exchange.relay,
        UpstreamEnded: Exchange.relay_ended,
        UpstreamFailed: Exchange.relay_broken,
        **_REPLY,
    },
    Ending: {
        UpstreamBody: Exchange.rest_of_reply,
        UpstreamEnded: Exchange.rest_ended,
        UpstreamFailed: Exchange.rest_broken,
        TimePassed: Exchange.rest_did_not_come,
        **_CLIENT,
    },
    Done: {},
}
Exchange.rows = ROWS

_BODY, _ANSWERS = (RequestBody, RequestEnded), (UpstreamBody, UpstreamEnded)
_QUESTIONS = (UrlFetched, UrlFetchFailed, Loaded, Computed)
_IN_A_REPLY = (*_BODY, MetricsCollected, UpstreamStarted, *_QUESTIONS)
ILLEGAL: dict[type[State], tuple[type, ...]] = {
    Reading: (MetricsCollected, *UPSTREAM_EVENTS, *_QUESTIONS),
    Asking: (*_BODY, *UPSTREAM_EVENTS, *_QUESTIONS),
    Loading: (*_BODY, MetricsCollected, *UPSTREAM_EVENTS, UrlFetched, UrlFetchFailed, Computed),
    Fetching: (*_BODY, MetricsCollected, *UPSTREAM_EVENTS, Loaded, Computed),
    Computing: (*_BODY, MetricsCollected, UpstreamStarted, UrlFetched, UrlFetchFailed, Loaded),
    Waiting: (*_BODY, MetricsCollected, *UPSTREAM_EVENTS, *_QUESTIONS),
    Calling: (*_BODY, MetricsCollected, *_ANSWERS, *_QUESTIONS),
    Recognizing: _IN_A_REPLY,
    Prelude: _IN_A_REPLY,
    Collecting: _IN_A_REPLY,
    Gathering: _IN_A_REPLY,
    Relaying: _IN_A_REPLY,
    Ending: _IN_A_REPLY,
    Done: (*_BODY, MetricsCollected, *UPSTREAM_EVENTS, *_QUESTIONS, *_CLIENT),
}
"""What a front end may not say in a state. News of an attempt that is over is no offence in any state, and what comes
for an exchange that is over never reaches it."""
