"""The end of a reply that comes before the end of its call: its dialect says when a reply is over, not the socket."""

from gephyr_core.dialects.base import EventClass, StreamReader
from gephyr_core.exchange.attempts import Attempt
from gephyr_core.exchange.delivering import told_all
from gephyr_core.exchange.endings import break_off_full, complete, pin_streamed
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.states import Ending, Relaying
from gephyr_core.sse import SseFramer
from gephyr_core.translation.stream import TranslatingReader

_SOON = 0.25
"""Seconds in which what follows is not looked at: it comes at once, if the provider keeps to the dialect."""


def pass_on(exchange: Exchange, state: Relaying, block: bytes, now: float) -> None:
    """Send *block*, whole events, to the client; it may be the last."""
    reader = state.reader
    if reader.finished:
        wind_down(exchange, state, block, now)
        return
    if block:
        exchange.reply.send(exchange.renamed(block), now)
    if reader.objects:
        pin_streamed(exchange, state.attempt, reader, now)
    if isinstance(reader, TranslatingReader):
        hold_assembled(exchange, state.attempt, reader, now)


def hold_assembled(exchange: Exchange, attempt: Attempt, reader: TranslatingReader, now: float) -> None:
    """Count what is kept of a translated stream until its end: the reply to be stored, or its reasoning."""
    if reader.assembled and not exchange.hold_reply(reader.assembled):
        if exchange.kept.keeps_reply:  # the client was told that it is
            break_off_full(exchange, attempt, now)
        else:
            reader.forget_reply()
            exchange.hold_reply(0)


def wind_down(exchange: Exchange, state: Relaying, block: bytes, now: float) -> None:
    """The reply is finished with *block*, or was before: end it if it is over, else wait for what may follow."""
    if state.reader.terminal_seen:
        end_stream(exchange, state, block, now)
        return
    if block:
        exchange.reply.send(exchange.renamed(block), now)
    ending = exchange.state
    if not isinstance(ending, Ending):
        exchange.enter(Ending(state, now))
    elif now >= ending.since + _SOON and _goes_on(state.reader, block):
        ending.since = now


def end_stream(exchange: Exchange, state: Relaying, rest: bytes, now: float) -> None:
    """The client's stream ends, and *rest* is the last of it."""
    reader = state.reader
    if reader.objects:
        pin_streamed(exchange, state.attempt, reader, now)
    if isinstance(reader, TranslatingReader):
        told_all(exchange, state.attempt, reader, now)
    complete(exchange, state, now, exchange.renamed(rest))


def _goes_on(reader: StreamReader, block: bytes) -> bool:
    """Whether content comes behind a finish reason: some providers tell one in every chunk."""
    return any(reader.classify(event) is EventClass.CONTENT for event in SseFramer.events(block))
