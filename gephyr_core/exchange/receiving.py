"""What a provider sends: its head, the bytes that tell the form of its reply, and a stream after the commit point."""

import math

from gephyr_core.content_coding import UnknownCodingError, reply_decoder
from gephyr_core.dialects.base import Heard
from gephyr_core.errors import Fault
from gephyr_core.events import TimePassed, UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.exchange.attempting import fail_by_fault
from gephyr_core.exchange.attempts import Attempt
from gephyr_core.exchange.collecting import decode, decode_rest, gather, gathered, spoiled, take_events, take_piece
from gephyr_core.exchange.delivering import collector_of, reader_of, source_of
from gephyr_core.exchange.endings import break_off, pin_streamed
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.prelude import LARGEST_PRELUDE, Begun, end_of_stream, hold_events
from gephyr_core.exchange.states import (
    Answered,
    Calling,
    Collecting,
    Ending,
    Gathering,
    Prelude,
    Recognizing,
    Relaying,
)
from gephyr_core.exchange.winding_up import hold_assembled, pass_on, wind_down
from gephyr_core.http import media_type
from gephyr_core.reply_form import Form
from gephyr_core.translation.stream import TranslatingReader

_LONGEST_BEAT, _COLON = 32, b":"[0]
"""A longer block of events that begins with a letter holds an event; whether another does has to be looked at."""


def reply_started(exchange: Exchange, state: Calling, event: UpstreamStarted, now: float) -> None:
    """The provider's head: a stream to be relayed, or a reply to be collected."""
    attempt, request = state.attempt, exchange.request
    attempt.status, attempt.headers, attempt.heard_at = event.status, event.headers, now
    exchange.shared.route_works(attempt.route, attempt.called_at, now)
    if exchange.shared.origins.dead:
        exchange.shared.origin_answered(attempt.lease.account.origin, attempt.route, now)
    if event.status < 300:
        exchange.shared.scheduler.learning.heard(attempt.lease, event.headers, now - attempt.called_at, now)
    if not _decodes(exchange, attempt, now):
        return
    known = event.status >= 300 or not (request.stream or request.generates)
    if not known:
        attempt.event_due = now + attempt.limits.first_byte
    exchange.enter(Collecting(attempt) if known else Recognizing(attempt))


def _decodes(exchange: Exchange, attempt: Attempt, now: float) -> bool:
    """Prepare to undo the reply's content coding; False when that cannot be done, and the attempt has failed.

    A whole reply is given a chance: its bytes show whether the head was right.
    """
    codings = [value for name, value in attempt.headers if name == b"content-encoding"]
    if codings:
        try:
            attempt.decoder = reply_decoder(codings, limit=exchange.shared.config.upstream.max_reply_size)
        except UnknownCodingError as error:
            if attempt.status >= 300 or media_type(attempt.headers) == b"text/event-stream":
                exchange.enter(Collecting(attempt))
                fail_by_fault(exchange, attempt, Fault.PROTOCOL, f"unknown content-encoding {str(error)[:40]!r}", now)
                return False
    return True


def recognize(exchange: Exchange, state: Recognizing, event: UpstreamBody, now: float) -> None:
    """The first bytes of a body: they tell whether it is a stream, whatever was asked for and the head says."""
    attempt = state.attempt
    attempt.heard_at = now
    data = decode(exchange, attempt, event.data, now)
    if data is None:
        return
    if not state.pieces and data.startswith(b"{"):  # nearly all whole replies
        _take_whole(exchange, attempt, data, now)
        return
    begun = _look(exchange, state, data, now)
    if begun is not None:
        pass_on(exchange, *begun, now)


def recognized_nothing(exchange: Exchange, state: Recognizing, event: UpstreamEnded, now: float) -> None:
    """The body ended before it was known what it is: it is next to empty, or a coding held it back."""
    last = decode_rest(exchange, state.attempt, now)
    if last is None:
        return
    begun = _look(exchange, state, last, now)
    if exchange.state is state:
        begun = _take(exchange, state, Form.OTHER, now)
    if begun is not None:
        end_of_stream(exchange, *begun, now)
    elif exchange.attempt is state.attempt:
        exchange.row[UpstreamEnded](exchange, exchange.state, event, now)


def _look(exchange: Exchange, state: Recognizing, data: bytes, now: float) -> Begun | None:
    """Look for the form of the body in its next bytes."""
    state.pieces.append(data)
    state.size += len(data)
    form = state.seeker.look(data)
    if form is None and state.size > LARGEST_PRELUDE:
        form = Form.OTHER
    return None if form is None else _take(exchange, state, form, now)


def _take(exchange: Exchange, state: Recognizing, form: Form, now: float) -> Begun | None:
    """Take the body for what it is: a stream to be relayed, one to be gathered, or a whole reply.

    Where its bytes do not tell, its head is believed. An array is a stream for those who speak Gemini's dialect.
    """
    attempt, seeker = state.attempt, state.seeker
    data = state.pieces[0] if len(state.pieces) == 1 else b"".join(state.pieces)
    if form is Form.OTHER and media_type(attempt.headers) == b"text/event-stream":
        form = Form.EVENTS
    if form is not Form.EVENTS and not (form is Form.ARRAY and source_of(exchange, attempt).name == "gemini"):
        _take_whole(exchange, attempt, data[seeker.offset :] if seeker.commented else data, now)
    elif exchange.request.stream:
        prelude = Prelude(attempt, reader_of(exchange, attempt, form, now))
        exchange.enter(prelude)
        return hold_events(exchange, prelude, data, now)
    else:
        gathering = Gathering(attempt, collector_of(exchange, attempt, form))
        exchange.enter(gathering)
        take_events(exchange, gathering, data, now)
    return None


def _take_whole(exchange: Exchange, attempt: Attempt, data: bytes, now: float) -> None:
    attempt.event_due = math.inf
    collecting = Collecting(attempt)
    exchange.enter(collecting)
    take_piece(exchange, collecting, data, now)


def prelude_body(exchange: Exchange, state: Prelude, event: UpstreamBody, now: float) -> None:
    """Hold events until the first with content, which commits."""
    data = decode(exchange, state.attempt, event.data, now)
    begun = None if data is None else hold_events(exchange, state, data, now)
    if begun is not None:
        pass_on(exchange, *begun, now)


def relay(exchange: Exchange, state: Relaying, event: UpstreamBody, now: float) -> None:
    """Pass on all whole events of a socket read. The hot path."""
    attempt, reader, data = state.attempt, state.reader, event.data
    if attempt.decoder is not None:
        decoded = decode(exchange, attempt, data, now)
        if decoded is None:
            return
        data = decoded
    try:
        block = reader.cut(data)
    except ValueError as error:
        spoiled(exchange, attempt, Fault.PROTOCOL, str(error), now)
        return
    if (len(block) > _LONGEST_BEAT and block[0] > _COLON) or reader.heard(block) is not Heard.SILENCE:
        attempt.heard_at = now
    if reader.finished:  # the rest is pass_on(), in place: a call less for every event
        wind_down(exchange, state, block, now)
    elif block:
        exchange.reply.send(exchange.renamed(block) if exchange.renaming else block, now)
        if reader.objects:
            pin_streamed(exchange, attempt, reader, now)
        if isinstance(reader, TranslatingReader):
            hold_assembled(exchange, attempt, reader, now)


def rest_of_reply(exchange: Exchange, state: Ending, event: UpstreamBody, now: float) -> None:
    """What follows the last content of a reply: usage, or the terminal event."""
    if isinstance(state.of, Relaying):
        relay(exchange, state.of, event, now)
    else:
        gather(exchange, state.of, event, now)


def rest_ended(exchange: Exchange, state: Ending, event: UpstreamEnded, now: float) -> None:
    """The call ended after the last content of its reply."""
    if isinstance(state.of, Relaying):
        relay_ended(exchange, state.of, event, now)
    else:
        gathered(exchange, state.of, event, now)


def relay_ended(exchange: Exchange, state: Relaying, _event: UpstreamEnded, now: float) -> None:
    """The stream is complete by its framing; whether it is by its dialect decides how it ends."""
    end_of_stream(exchange, state, b"", now)


def relay_broken(exchange: Exchange, state: Relaying, event: UpstreamFailed, now: float) -> None:
    """The stream broke after the commit point: nothing can be hidden any more."""
    break_off(exchange, state, event.fault, event.detail, now)


def call_took_too_long(exchange: Exchange, state: Calling, _event: TimePassed, now: float) -> None:
    """The head of the reply has not come."""
    attempt = state.attempt
    spoiled(exchange, attempt, Fault.TIMEOUT, _no_answer(now - attempt.called_at), now)


def reply_took_too_long(exchange: Exchange, state: Answered, _event: TimePassed, now: float) -> None:
    """The provider has fallen silent, or its reply takes too long."""
    attempt = state.attempt
    since = attempt.called_at if now >= attempt.event_due else attempt.heard_at
    spoiled(exchange, attempt, Fault.TIMEOUT, _no_answer(now - since), now)


def _no_answer(silence: float) -> str:
    return f"no answer for {silence:.1f} s"
