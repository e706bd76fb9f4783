"""A stream before the commit point: its events are held until one has content."""

from gephyr_core.dialects.base import EventClass, Heard
from gephyr_core.errors import Fault
from gephyr_core.events import UpstreamEnded
from gephyr_core.exchange.attempting import fail, fail_by_fault
from gephyr_core.exchange.attempts import Attempt, of_error
from gephyr_core.exchange.delivering import reader_of, stream_headers
from gephyr_core.exchange.endings import break_off, keep_first_id
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.states import Prelude, Relaying
from gephyr_core.exchange.winding_up import end_stream, pass_on
from gephyr_core.reply_form import Form
from gephyr_core.translation.stream import TranslatingReader

_BOM = b"\xef\xbb\xbf"
"""May open a stream (WHATWG HTML, section 9.2.5). Clients that do not know it lose the first line."""
LARGEST_PRELUDE = 256 * 1024
"""Bytes of contentless events that are held; beyond, the stream is committed as it is."""
_LARGEST_SILENCE = 16 * 1024
"""Bytes of a held prelude beyond which comments and blank lines are dropped: they do not commit it."""
_EMPTY = "the stream ended before any content"

Begun = tuple[Relaying, bytes]
"""A stream that has just been committed, and what is to be sent of it."""


def hold_events(exchange: Exchange, state: Prelude, data: bytes, now: float) -> Begun | None:
    """Hold the events that are whole now; fail with an error or an end before content, commit with content."""
    attempt, reader = state.attempt, state.reader
    if not state.begun:
        state.begun, data = True, data.removeprefix(_BOM)
    try:
        events = reader.split(data)
    except ValueError as error:
        fail_by_fault(exchange, attempt, Fault.PROTOCOL, str(error), now)
        return None
    attempt.hear(reader.heard(b"".join(events)), now)
    for index, one in enumerate(events):
        kind = reader.classify(one)
        if kind is EventClass.CONTENT:
            return commit(exchange, state, events[index:])
        if kind is EventClass.END:
            fail_by_fault(exchange, attempt, Fault.PROTOCOL, _EMPTY, now)
            return None
        if kind is EventClass.ERROR:
            break
        _hold(exchange, state, kind, one)
    if reader.error is not None:
        return None if _fails_over_in_stream(exchange, state, now) else commit(exchange, state, [])
    if state.size > LARGEST_PRELUDE or not _has_room(exchange, state):
        return commit(exchange, state, [])
    return None


def _has_room(exchange: Exchange, state: Prelude) -> bool:
    """Count what is held of the reply: its prelude, and what is kept of reasoning that the client is not shown."""
    reader = state.reader
    if not isinstance(reader, TranslatingReader) or not reader.assembled:
        return exchange.hold_reply(state.size)
    if exchange.hold_reply(state.size + reader.assembled):
        return True
    if exchange.kept.keeps_reply:
        return False
    reader.forget_reply()
    return exchange.hold_reply(state.size)


def prelude_ended(exchange: Exchange, state: Prelude, _event: UpstreamEnded, now: float) -> None:
    """The stream ended without content: that is no reply, whatever its dialect says of an end without a word."""
    reader = state.reader
    rest = reader.rest()
    if _fails_over_in_stream(exchange, state, now):
        return
    whole = reader.terminal_seen or (reader.begun and not exchange.dialect.terminal_required)
    if reader.error is None and not (whole and reader.begun):
        fail_by_fault(exchange, state.attempt, Fault.PROTOCOL, _EMPTY, now)
        return
    end_stream(exchange, *commit(exchange, state, [rest] if rest else []), now)


def stream_whole(exchange: Exchange, attempt: Attempt, events: bytes, now: float) -> None:
    """Give a client that asked for a stream *events*, which a whole reply would have been."""
    prelude = Prelude(attempt, reader_of(exchange, attempt, Form.EVENTS, now))
    exchange.enter(prelude)
    begun = hold_events(exchange, prelude, events, now)
    if begun is not None:
        end_of_stream(exchange, *begun, now)


def _hold(exchange: Exchange, state: Prelude, kind: EventClass, event: bytes) -> None:
    reader, number = state.reader, state.attempt.number
    if kind is EventClass.OPENING and exchange.released.get(reader.opening_name(event), number) != number:
        return
    if state.size > _LARGEST_SILENCE and (not event.strip() or reader.heard(event) is Heard.SILENCE):
        return
    state.held.append((kind, event))
    state.size += len(event)


def _fails_over_in_stream(exchange: Exchange, state: Prelude, now: float) -> bool:
    """An error event before any content is a failure like any other, unless it blames the request.

    A stored response that failed ends its stream so, whenever it is asked for.
    """
    error, request = state.reader.error, exchange.request
    if error is None or request.endpoint.operation.pinned:
        return False
    failure = of_error(error, (), now, side=request.is_side, repeatable=request.repeatable)
    if not failure.fail_over and not failure.next_target:
        return False
    fail(exchange, state.attempt, failure, now)
    return True


def commit(exchange: Exchange, state: Prelude, events: list[bytes]) -> Begun:
    """Begin the client's stream: there is no way back any more."""
    attempt, reader = state.attempt, state.reader
    for number, later in enumerate(events[1:], start=1):
        over = reader.terminal_seen and not attempt.leg.dialect  # what is translated ends there by itself
        if over or reader.classify(later) is EventClass.ERROR:
            events = events[:number]
            break
    if not exchange.reply.status:
        exchange.reply.start(attempt.status, stream_headers(exchange, attempt), attempt.lease.account.id)
    exchange.last_reader = reader
    exchange.let_go_of_body()
    keep_first_id(exchange, reader)
    data = b"".join([*(event for _, event in state.held), *events])
    exchange.hold_reply(0)
    relaying = Relaying(attempt, reader)
    exchange.enter(relaying)
    return relaying, data


def end_of_stream(exchange: Exchange, state: Relaying, block: bytes, now: float) -> None:
    """The stream has no more to come than *block* and an unfinished tail, which is dropped if that is a failure."""
    reader = state.reader
    rest = reader.rest()
    if reader.terminal_seen or not exchange.dialect.terminal_required:
        end_stream(exchange, state, block + rest, now)
        return
    if block:
        pass_on(exchange, state, block, now)
    break_off(exchange, state, Fault.PROTOCOL, "it ended without its last event", now)
