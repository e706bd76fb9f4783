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
which events a state takes, and the function that takes each. ``TimePassed`` stands for its deadline, which was reached.
What is not in the table is in ``ILLEGAL``. News of an attempt that is over is ignored in every state.
"""

import math
from collections.abc import Callable
from functools import partial

from gephyr_core.commands import CollectMetrics, ReadBody
from gephyr_core.computing import HEAVIER, LIGHTER
from gephyr_core.envelope import EnvelopeError
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.events import (
    ClientBlocked,
    ClientGone,
    ClientReady,
    Computed,
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
from gephyr_core.exchange.attempting import broken, waited_long_enough
from gephyr_core.exchange.body import Body
from gephyr_core.exchange.collapse import collapse
from gephyr_core.exchange.collecting import collect, collected, gather, gathered, rest_broken, rest_did_not_come
from gephyr_core.exchange.computing import beside, compute, computed, computing_took_too_long, stay
from gephyr_core.exchange.endings import cut_off, finish, keep_alive, refuse
from gephyr_core.exchange.exchange import UPSTREAM_EVENTS, Exchange, Row
from gephyr_core.exchange.keeping import asks_store, loaded, loading_took_too_long
from gephyr_core.exchange.plan import reading_body
from gephyr_core.exchange.planning import set_out
from gephyr_core.exchange.prelude import prelude_ended
from gephyr_core.exchange.receiving import (
    call_took_too_long,
    prelude_body,
    recognize,
    recognized_nothing,
    relay,
    relay_broken,
    relay_ended,
    reply_started,
    reply_took_too_long,
    rest_ended,
    rest_of_reply,
)
from gephyr_core.exchange.request import Request
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
from gephyr_core.exchange.translating import fetching_took_too_long, url_fetch_failed, url_fetched
from gephyr_core.guards.body_limit import TOO_MUCH_HELD, too_large
from gephyr_core.pins import RequestRefused
from gephyr_core.scheduling import NEUTRAL

CLIENT_STALL = 60.0
"""Seconds a client may leave the data it asked for unread."""


def start(exchange: Exchange, now: float) -> None:
    """Ask the guards, and either answer at once or ask for the body."""
    try:
        admitted = admit(exchange.shared, exchange.request.head)
    except RequestRefused as refusal:
        refuse(exchange, refusal.problem, now)
        return
    exchange.request = Request(exchange.request.head, admitted.endpoint, admitted.owner, admitted.owns)
    if admitted.answer is not None:
        answer = admitted.answer
        exchange.reply.whole(answer.status, list(answer.headers), answer.body, now)
        finish(exchange, "ok", now)
    elif admitted.endpoint.operation.name == "metrics":
        exchange.enter(Asking(now + exchange.shared.config.server.idle_timeout))
        exchange.shared.emit(CollectMetrics(exchange.id))
    else:
        exchange.shared.emit(ReadBody(exchange.id))


def request_body(exchange: Exchange, state: Reading, event: RequestBody, now: float) -> None:
    """A piece of the body: held, within the limits."""
    state.read_at = now
    exchange.body_size += len(event.data)
    state.pieces.append(event.data)
    limit = exchange.shared.config.server.max_body_size
    if exchange.body_size > limit:
        refuse(exchange, too_large(limit), now)
    elif not exchange.hold(exchange.body_size):
        refuse(exchange, TOO_MUCH_HELD, now)


def request_ended(exchange: Exchange, state: Reading, _event: RequestEnded, now: float) -> None:
    """The request is complete: read it, find its route, and an account."""
    pieces, state.pieces = state.pieces, []
    job = reading_body(exchange.shared, exchange.request.head, pieces, exchange.request.endpoint.operation)
    size = exchange.body_size * HEAVIER if job.coding else exchange.body_size / LIGHTER
    compute(exchange, job, partial(body_read, exchange), stay, size, now)


def body_read(exchange: Exchange, read: Callable[[], Body], now: float) -> None:
    """The request was read: load what it refers to, or find its route."""
    try:
        body = read()
        if len(body.data) != exchange.held and not exchange.hold(len(body.data)):
            refuse(exchange, TOO_MUCH_HELD, now)
            return
        if asks_store(exchange, body, now):
            return
    except RequestRefused as refusal:
        refuse(exchange, refusal.problem, now)
        return
    except EnvelopeError as error:
        refuse(exchange, Problem(ErrorKind.BAD_REQUEST, str(error), param=error.param), now)
        return
    set_out(exchange, lambda: body, now)


def metrics_collected(exchange: Exchange, _state: Asking, event: MetricsCollected, now: float) -> None:
    """The answer to ``CollectMetrics``."""
    headers = [(b"content-type", event.content_type.encode())]
    exchange.reply.whole(200, headers, event.data, now)
    finish(exchange, "ok", now)


def body_stopped_coming(exchange: Exchange, _state: Reading, _event: TimePassed, now: float) -> None:
    """The client has not sent the rest of the body in time."""
    refuse(exchange, Problem(ErrorKind.CLIENT_TIMEOUT, "the request body stopped coming"), now)


def metrics_took_too_long(exchange: Exchange, _state: Asking, _event: TimePassed, now: float) -> None:
    """The metrics are not waited for any more."""
    refuse(exchange, Problem(ErrorKind.UNAVAILABLE, "the metrics could not be collected"), now)


def client_gone(exchange: Exchange, state: State, _event: ClientGone, now: float) -> None:
    """The client left: cancel the call, and give the lease back."""
    exchange.reply.over = True
    attempt = state.attempt
    if attempt is not None:
        if isinstance(state, Calling):
            exchange.shared.scheduler.learning.waited_in_vain(attempt.lease, now - attempt.called_at, now)
        exchange.end_attempt(attempt, "cancelled", NEUTRAL, now, detail="the client left")
    finish(exchange, "client_gone", now)


def front_end_failed(exchange: Exchange, _state: State, event: FrontEndFailed, now: float) -> None:
    """A fault of our own outside the core: end with an error, and give everything back."""
    collapse(exchange, event.fault, now)


def client_blocked(exchange: Exchange, _state: State, _event: ClientBlocked, now: float) -> None:
    """The client is slow: the idle clock and keep-alives stand still."""
    exchange.blocked_at = now


def client_ready(exchange: Exchange, state: State, _event: ClientReady, now: float) -> None:
    """The client reads again: the clocks start anew."""
    exchange.blocked_at = None
    exchange.reply.sent_at = now
    if state.attempt is not None:
        state.attempt.heard_at = now
    if isinstance(state, Ending):
        state.since = now


def next_wake(exchange: Exchange) -> float:
    """When time alone has something to say to this exchange."""
    state, blocked_at = exchange.state, exchange.blocked_at
    if not state.answers:
        return state.deadline
    if blocked_at is not None:
        return min(state.deadline_unread, blocked_at + CLIENT_STALL)
    return min(state.deadline, _keep_alive_at(exchange)) if exchange.request.stream else state.deadline


def _keep_alive_at(exchange: Exchange) -> float:
    """When silence is to be bridged. A reply that is no stream is not: its status must not be lost."""
    if not exchange.request.stream or (isinstance(exchange.state, Collecting) and not exchange.reply.status):
        return math.inf
    return exchange.reply.sent_at + exchange.shared.config.server.keepalive_interval


def time_passed(exchange: Exchange, event: TimePassed, now: float) -> None:
    """A limit may have been reached: look, and act."""
    state, blocked = exchange.state, exchange.blocked_at is not None
    if exchange.blocked_at is not None and now >= exchange.blocked_at + CLIENT_STALL:
        cut_off(exchange, "the client stopped reading", now)
    elif now >= (state.deadline_unread if blocked else state.deadline):
        exchange.row[TimePassed](exchange, state, event, now)
    elif not blocked and now >= _keep_alive_at(exchange):
        keep_alive(exchange, now)


_CLIENT: Row = {
    ClientGone: client_gone,
    FrontEndFailed: front_end_failed,
    ClientBlocked: client_blocked,
    ClientReady: client_ready,
}
_REPLY: Row = {TimePassed: reply_took_too_long, **_CLIENT}
ROWS: dict[type[State], Row] = {
    Reading: {
        RequestBody: request_body,
        RequestEnded: request_ended,
        TimePassed: body_stopped_coming,
        **_CLIENT,
    },
    Asking: {MetricsCollected: metrics_collected, TimePassed: metrics_took_too_long, **_CLIENT},
    Loading: {Loaded: loaded, TimePassed: loading_took_too_long, **_CLIENT},
    Fetching: {
        UrlFetched: url_fetched,
        UrlFetchFailed: url_fetch_failed,
        TimePassed: fetching_took_too_long,
        **_CLIENT,
    },
    Computing: {
        Computed: computed,
        UpstreamBody: beside,
        UpstreamEnded: beside,
        UpstreamFailed: beside,
        TimePassed: computing_took_too_long,
        **_CLIENT,
    },
    Waiting: {TimePassed: waited_long_enough, **_CLIENT},
    Calling: {
        UpstreamStarted: reply_started,
        UpstreamFailed: broken,
        TimePassed: call_took_too_long,
        **_CLIENT,
    },
    Recognizing: {
        UpstreamBody: recognize,
        UpstreamEnded: recognized_nothing,
        UpstreamFailed: broken,
        **_REPLY,
    },
    Prelude: {
        UpstreamBody: prelude_body,
        UpstreamEnded: prelude_ended,
        UpstreamFailed: broken,
        **_REPLY,
    },
    Collecting: {
        UpstreamBody: collect,
        UpstreamEnded: collected,
        UpstreamFailed: broken,
        **_REPLY,
    },
    Gathering: {
        UpstreamBody: gather,
        UpstreamEnded: gathered,
        UpstreamFailed: broken,
        **_REPLY,
    },
    Relaying: {
        UpstreamBody: relay,
        UpstreamEnded: relay_ended,
        UpstreamFailed: relay_broken,
        **_REPLY,
    },
    Ending: {
        UpstreamBody: rest_of_reply,
        UpstreamEnded: rest_ended,
        UpstreamFailed: rest_broken,
        TimePassed: rest_did_not_come,
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
