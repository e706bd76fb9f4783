"""The end of an exchange that a fault of our own has hit, in whatever state the fault has left it.

What was said to the outside decides: a head that was sent gets the stream's terminal event, else a whole error is told;
a call that was made is cancelled; what was prepared as the response's end is sent. Nothing here relies on a step before
it, and where an error cannot even be told, the connection is cut.
"""

from contextlib import suppress

import attrs

from gephyr_core.commands import CancelUpstream, Observe
from gephyr_core.dialects import DIALECTS
from gephyr_core.errors import ErrorKind, Fault, Problem
from gephyr_core.events import RequestStarted
from gephyr_core.exchange.admission import NOT_ROUTED, error_dialect
from gephyr_core.exchange.endings import finish, tell_problem
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.reply import Reply
from gephyr_core.exchange.states import DONE
from gephyr_core.faults import MESSAGE
from gephyr_core.records import InternalError, RequestRecord
from gephyr_core.scheduling import NEUTRAL
from gephyr_core.shared import Shared

_FAILED = Problem(ErrorKind.SERVER, MESSAGE)


def collapse(exchange: Exchange, fault: InternalError, now: float) -> None:
    """End *exchange* with an error in its dialect; everything it holds is given back."""
    exchange.failed_at = fault.place
    exchange.shared.emit(Observe(attrs.evolve(fault, at=now, request_id=exchange.reply.request_id)))
    _end_call(exchange, now)
    with suppress(Exception):
        exchange.shared.scheduler.abandon(exchange.itinerary.search, now)
    if not exchange.reply.over:
        exchange.reply.take_back()
        try:
            tell_problem(exchange, _FAILED, now)
        except Exception:
            exchange.reply.cut(fault.place)
    _finish(exchange, now)


def _end_call(exchange: Exchange, now: float) -> None:
    attempt = exchange.attempt
    if attempt is None:
        return
    if not attempt.ended:
        attempt.ended = True
        exchange.shared.emit(CancelUpstream(exchange.id, attempt.number))
    with suppress(Exception):
        exchange.end_attempt(attempt, Fault.GATEWAY.value, NEUTRAL, now, detail=exchange.failed_at)
    exchange.enter(DONE)


def _finish(exchange: Exchange, now: float) -> None:
    if not exchange.recorded:
        with suppress(Exception):
            finish(exchange, "failed", now, ErrorKind.SERVER)
    with suppress(Exception):
        exchange.shared.scheduler.queue.leave(exchange.id)
    exchange.enter(DONE)
    exchange.hold_nothing()
    exchange.shared.finished.append(exchange.id)
    if not exchange.recorded:
        exchange.recorded = True
        record = _bare_record(
            exchange.request.head.event, exchange.dialect.name, exchange.reply, exchange.failed_at, now
        )
        exchange.shared.emit(Observe(record))
    exchange.reply.close()


def refuse_unmade(shared: Shared, event: RequestStarted, fault: InternalError, now: float) -> None:
    """Tell the error of a request whose head alone was too much: there is no exchange for it."""
    request_id = f"req_{event.exchange:024x}"
    reply = Reply(shared, event.exchange, request_id, (), head_only=event.method == "HEAD", explains=False, now=now)
    name = NOT_ROUTED.dialect
    try:
        name = error_dialect(event)
        rendered = DIALECTS[name].render_error(_FAILED, request_id)
        reply.whole(rendered.status, list(rendered.headers), rendered.body, now)
    except Exception:
        reply.cut(fault.place)
    shared.emit(Observe(attrs.evolve(fault, request_id=request_id)))
    shared.emit(Observe(_bare_record(event, name, reply, fault.place, now)))
    reply.close()


def _bare_record(event: RequestStarted, dialect: str, reply: Reply, fault: str, now: float) -> RequestRecord:
    """The record of a request of which nothing more can be told."""
    return RequestRecord(
        request_id=reply.request_id,
        operation=NOT_ROUTED.name,
        dialect=dialect,
        method=event.method,
        model_asked=None,
        model_served=None,
        account=None,
        stream=False,
        status=reply.status,
        outcome="failed",
        error=ErrorKind.SERVER.value,
        attempts=(),
        bytes_in=0,
        bytes_out=reply.bytes_out,
        usage=None,
        started_at=now,
        first_byte=None,
        duration=0.0,
        fault=fault,
    )
