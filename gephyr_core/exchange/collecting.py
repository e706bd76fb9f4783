"""Whole replies: taken in until they are complete, judged, and given to the client in the form it asked for.

What a whole reply is, and what an error with a status of success looks like, is said by each dialect's ``read_whole``;
the same holds where the reply is passed on as it came and where it is translated.
"""

from collections.abc import Callable
from functools import partial

from gephyr_core.computing import LIGHTER
from gephyr_core.content_coding import CodingError, CutShortError, ExpansionError, as_utf8
from gephyr_core.dialects.base import StreamError, WholeReply
from gephyr_core.errors import Fault, quoted
from gephyr_core.events import TimePassed, UpstreamBody, UpstreamEnded, UpstreamFailed
from gephyr_core.exchange.attempting import fail, fail_by_fault
from gephyr_core.exchange.attempts import REPLY_ERROR, Attempt, is_json, of_error, of_full_memory, of_reply
from gephyr_core.exchange.computing import compute, stay
from gephyr_core.exchange.delivering import (
    NO_CONTENT,
    deliver,
    deliver_count,
    source_of,
    translating_of,
    whole_headers,
    writing_of,
)
from gephyr_core.exchange.endings import break_off, finish, pin_objects, unpin
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.prelude import stream_whole
from gephyr_core.exchange.states import Collecting, Ending, Gathering, Relaying
from gephyr_core.exchange.whole import Judged, Judging, WritingCollected
from gephyr_core.exchange.winding_up import end_stream
from gephyr_core.http import without_charset
from gephyr_core.providers import classify_reply
from gephyr_core.scheduling import SUCCESS
from gephyr_core.translation.collecting import NativeCollector, ReplyCollector

_DELETIONS = ("responses.delete", "conversations.delete")
"""Operations after which an object is no more."""
_LARGEST_ERROR = 1024 * 1024
"""Bytes of an error reply that are read."""


def collect(exchange: Exchange, state: Collecting, event: UpstreamBody, now: float) -> None:
    """Hold a piece of a reply that is not complete yet."""
    data = decode(exchange, state.attempt, event.data, now)
    if data is not None:
        take_piece(exchange, state, data, now)


def take_piece(exchange: Exchange, state: Collecting, data: bytes, now: float) -> None:
    """Hold a piece of a reply, decoded, within the limits."""
    if _has_room_for(exchange, state, data, now):
        state.attempt.heard_at = now
        state.pieces.append(data)


def _has_room_for(exchange: Exchange, state: Collecting | Gathering, data: bytes, now: float) -> bool:
    """Count a piece of a reply. False: it exceeds the limits, and that was dealt with."""
    attempt = state.attempt
    state.size += len(data)
    limit = exchange.shared.config.upstream.max_reply_size
    if attempt.status >= 300:
        limit = min(limit, _LARGEST_ERROR)
    if state.size > limit:
        spoiled(exchange, attempt, Fault.TOO_LARGE, f"the reply exceeds {limit} bytes", now)
    elif exchange.hold_reply(state.size):
        return True
    else:
        _let_go_of_reply(exchange, attempt, now)
    return False


def _let_go_of_reply(exchange: Exchange, attempt: Attempt, now: float) -> None:
    """There is no room for the reply. One that is an error is known by its status and its headers."""
    if attempt.status >= 300:
        fail_by_fault(exchange, attempt, Fault.TOO_LARGE, "there is no room to hold the reply", now)
    else:
        fail(exchange, attempt, of_full_memory(), now)


def collected(exchange: Exchange, state: Collecting, _event: UpstreamEnded, now: float) -> None:
    """The reply is complete: relay it, or find out what its error means."""
    attempt = state.attempt
    last = decode_rest(exchange, attempt, now)
    if last is None:
        return
    state.pieces.append(last)
    if attempt.status >= 300:
        body = _error_body(exchange, state, now)
        if body is None:
            return
        verdict = classify_reply(attempt.status, attempt.headers, body, now)
        translated, side = bool(attempt.leg.dialect), exchange.request.is_side
        failure = of_reply(attempt.status, attempt.headers, body, verdict, side=side, translated=translated)
        fail(exchange, attempt, failure, now)
    else:
        judge(exchange, state, None, now)


def _error_body(exchange: Exchange, state: Collecting, now: float) -> bytes | None:
    """Return the body of an error, decoded; None when that failed, and the attempt with it."""
    attempt, body = state.attempt, b"".join(state.pieces)
    text = as_utf8(body)
    if text is not body:
        attempt.headers = without_charset(attempt.headers)
    if attempt.cut_short and text.strip() and not is_json(text):
        fail_by_fault(exchange, attempt, Fault.PROTOCOL, "the compressed body is cut short", now)
        return None
    return text


def judge(exchange: Exchange, state: Collecting | Gathering, collector: NativeCollector | None, now: float) -> None:
    """Tell a reply with a status of success from an error and from what is no reply, and go on with it."""
    attempt, pieces = state.attempt, []
    if isinstance(state, Collecting):
        pieces, state.pieces = state.pieces, pieces
    translated = bool(attempt.leg.dialect) and exchange.request.generates
    job = Judging(
        pieces,
        collector,
        source_of(exchange, attempt),
        exchange.request.generates,
        attempt.cut_short and collector is None,
        translating_of(exchange, attempt, now) if translated else None,
        not attempt.leg.dialect and _is_streamed(exchange),
    )
    size = state.size if translated or collector is not None or job.streams else state.size / LIGHTER
    compute(exchange, job, partial(take_judged, exchange, attempt), stay, size, now)


def _is_streamed(exchange: Exchange) -> bool:
    """Whether the client gets a stream: it asked for one, or a keep-alive has begun one."""
    return exchange.request.stream and (exchange.request.generates or bool(exchange.reply.status))


def take_judged(exchange: Exchange, attempt: Attempt, read: Callable[[], Judged], now: float) -> None:
    """It is known what the reply is."""
    judged = read()
    whole = judged.whole
    if judged.recoded:
        attempt.headers = without_charset(attempt.headers)
    if judged.cut:
        fail_by_fault(exchange, attempt, Fault.PROTOCOL, "the compressed body is cut short", now)
    elif whole is None and (attempt.status in NO_CONTENT or exchange.request.endpoint.operation.pinned):
        _relay_whole(exchange, attempt, judged.body, WholeReply(), now)
    elif whole is None:
        fail_by_fault(
            exchange,
            attempt,
            Fault.PROTOCOL,
            source_of(exchange, attempt).read_whole(b"", generates=exchange.request.generates).lack,
            now,
        )
    elif whole.error is not None:
        _fail_by(exchange, attempt, whole.error, whole, judged.body, now)
    elif whole.lack:
        fail_by_fault(exchange, attempt, Fault.PROTOCOL, whole.lack, now)
    elif attempt.leg.dialect:
        _deliver_translated(exchange, attempt, judged, now)
    elif judged.events or _is_streamed(exchange):
        stream_whole(exchange, attempt, judged.events or exchange.dialect.events_of(judged.body), now)
    else:
        _relay_whole(exchange, attempt, judged.body, whole, now)


def _fail_by(
    exchange: Exchange, attempt: Attempt, error: StreamError, whole: WholeReply, body: bytes, now: float
) -> None:
    """The reply tells of an error. What must not be done twice is not asked of another account: a status of
    success says that the request was accepted, and an object that failed may have been stored all the same. The
    client gets that object then."""
    own = whole.is_error_body and not attempt.leg.dialect
    failure = of_error(
        error,
        attempt.headers,
        now,
        side=exchange.request.is_side,
        repeatable=exchange.request.repeatable,
        body=body if own else b"",
        label=REPLY_ERROR,
    )
    if whole.objects and not (exchange.request.repeatable or exchange.request.stream or attempt.leg.dialect):
        pin_objects(exchange, attempt, whole.objects, now)
        exchange.usage = whole.usage
        account = attempt.lease.account.id
        exchange.end_attempt(attempt, failure.label, failure.outcome, now, detail=failure.message)
        exchange.served = exchange.records[-1]
        exchange.reply.whole(attempt.status, whole_headers(attempt), exchange.renamed(body), now, account)
        finish(exchange, "provider_error", now, failure.kind)
    else:
        fail(exchange, attempt, failure, now)


def _deliver_translated(exchange: Exchange, attempt: Attempt, judged: Judged, now: float) -> None:
    """A whole reply in another dialect than the client's."""
    delivery = judged.delivery
    if delivery is not None:
        deliver(exchange, attempt, lambda: delivery, now)
    elif judged.unreadable:
        fail_by_fault(exchange, attempt, Fault.PROTOCOL, f"the reply cannot be read: {quoted(judged.unreadable)}", now)
    else:
        try:
            deliver_count(exchange, attempt, judged.body, now)
        except ValueError as error:
            fail_by_fault(exchange, attempt, Fault.PROTOCOL, f"the reply cannot be read: {quoted(str(error))}", now)


def _relay_whole(exchange: Exchange, attempt: Attempt, body: bytes, whole: WholeReply, now: float) -> None:
    exchange.usage = whole.usage
    if exchange.request.endpoint.operation.name in _DELETIONS:
        unpin(exchange, now)
    else:
        pin_objects(exchange, attempt, whole.objects, now)
    account = attempt.lease.account.id
    exchange.end_attempt(attempt, "ok", SUCCESS, now)
    exchange.served = exchange.records[-1]
    exchange.reply.whole(attempt.status, whole_headers(attempt), exchange.renamed(body), now, account)
    finish(exchange, "ok", now)


def gather(exchange: Exchange, state: Gathering, event: UpstreamBody, now: float) -> None:
    """Read a piece of a stream whose reply the client gets whole."""
    data = decode(exchange, state.attempt, event.data, now)
    if data is not None:
        take_events(exchange, state, data, now)


def take_events(exchange: Exchange, state: Gathering, data: bytes, now: float) -> None:
    """Read a piece of such a stream, decoded."""
    if not _has_room_for(exchange, state, data, now):
        return
    try:
        state.attempt.hear(state.collector.feed(data), now)
    except ValueError as error:
        spoiled(exchange, state.attempt, Fault.PROTOCOL, str(error), now)
        return
    if state.collector.over:  # whatever the provider does with its connection
        deliver_gathered(exchange, state, now)
    elif state.collector.finished and not isinstance(exchange.state, Ending):
        exchange.enter(Ending(state, now))


def gathered(exchange: Exchange, state: Gathering, _event: UpstreamEnded, now: float) -> None:
    """The stream is complete by its framing."""
    last = decode_rest(exchange, state.attempt, now)
    if last is None:
        return
    try:
        state.collector.feed(last)
    except ValueError as error:
        fail_by_fault(exchange, state.attempt, Fault.PROTOCOL, str(error), now)
        return
    state.collector.finish()
    deliver_gathered(exchange, state, now)


def deliver_gathered(exchange: Exchange, state: Gathering, now: float) -> None:
    """The stream is over: its reply is a whole one like any other."""
    attempt, collector = state.attempt, state.collector
    if collector.error is not None:
        _fail_by(exchange, attempt, collector.error, WholeReply(), b"", now)
    elif isinstance(collector, NativeCollector):
        if collector.complete:
            judge(exchange, state, collector, now)
        else:
            fail_by_fault(exchange, attempt, Fault.PROTOCOL, "the stream ended before the reply did", now)
    elif isinstance(collector, ReplyCollector):
        job = WritingCollected(collector, writing_of(exchange, attempt, now))
        compute(exchange, job, partial(deliver, exchange, attempt), stay, state.size, now)


def decode(exchange: Exchange, attempt: Attempt, data: bytes, now: float) -> bytes | None:
    """Undo a content coding; None when that failed, and the attempt with it."""
    if attempt.decoder is None:
        return data
    try:
        return attempt.decoder.feed(data)
    except ExpansionError:
        detail = "the reply expands too far"
    except CodingError as error:
        detail = str(error)
    spoiled(exchange, attempt, Fault.PROTOCOL, detail, now)
    return None


def decode_rest(exchange: Exchange, attempt: Attempt, now: float) -> bytes | None:
    """Return what a content coding held back until the end; None when it is broken, and the attempt with it."""
    decoder, attempt.decoder = attempt.decoder, None
    if decoder is None:
        return b""
    try:
        return decoder.finish()
    except CutShortError:
        attempt.cut_short = True  # the SDKs do not look for the end of the coding, but for that of the JSON
        return b""
    except (CodingError, ExpansionError) as error:
        fail_by_fault(exchange, attempt, Fault.PROTOCOL, f"{error or 'the reply expands too far'}", now)
        return None


def rest_broken(exchange: Exchange, state: Ending, _event: UpstreamFailed, now: float) -> None:
    """The call broke after the last content of its reply: nothing is lost but what may have followed."""
    wind_up(exchange, state, now)


def rest_did_not_come(exchange: Exchange, state: Ending, _event: TimePassed, now: float) -> None:
    """Nothing follows the last content of a reply."""
    wind_up(exchange, state, now)


def wind_up(exchange: Exchange, state: Ending, now: float) -> None:
    """The reply is finished, and nothing follows it any more: end it as its dialect does."""
    reply = state.of
    if isinstance(reply, Relaying):
        end_stream(exchange, reply, reply.reader.closing(), now)
    else:
        reply.collector.drop_tail()
        reply.collector.finish()
        deliver_gathered(exchange, reply, now)


def spoiled(exchange: Exchange, attempt: Attempt, fault: Fault, detail: str, now: float) -> None:
    """Nothing good can come of the call any more: what that means depends on how far its reply has come."""
    state = exchange.state
    if isinstance(state, Ending):
        wind_up(exchange, state, now)
    elif isinstance(state, Relaying):
        break_off(exchange, state, fault, detail, now)
    else:
        fail_by_fault(exchange, attempt, fault, detail, now)
