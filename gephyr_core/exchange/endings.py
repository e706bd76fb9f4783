"""The ways an exchange ends, and the keep-alives that put an end off."""

import math
from collections.abc import Iterable, Sequence
from itertools import takewhile

import attrs
import msgspec

from gephyr_core.commands import Observe, Save
from gephyr_core.dialects.base import EventClass, StreamReader
from gephyr_core.errors import ErrorKind, Fault, Problem
from gephyr_core.exchange.attempts import (
    STREAM_ERROR,
    Attempt,
    Failure,
    most_useful,
    of_full_memory,
    outcome_of_fault,
    outcome_of_told,
    words_for,
)
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.ownerless import is_digest
from gephyr_core.exchange.states import DONE, Prelude, Relaying
from gephyr_core.forwarding import to_client
from gephyr_core.http import Header
from gephyr_core.pins import LIFETIME
from gephyr_core.records import Pin, RequestRecord
from gephyr_core.routing import Endpoint
from gephyr_core.scheduling import NEUTRAL, SUCCESS, Pool

_LONG_WAIT = 60.0
"""Seconds beyond which an SDK is told not to sleep until ``retry-after``: Anthropic's sleeps whatever it is told."""
_LONGEST_NAME = 256
"""Characters of a model's name in a record: it is the client's to choose."""
_EVENT_STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
_JSON_ARRAY = [(b"content-type", b"application/json; charset=UTF-8")]


def finish(exchange: Exchange, outcome: str, now: float, error: ErrorKind | None = None) -> None:
    """The exchange is over: nothing is held any more, the record says what happened, and the response ends.

    In this order: whoever has the last byte of a response finds its record.
    """
    exchange.enter(DONE)
    exchange.shared.scheduler.queue.leave(exchange.id)
    if exchange.itinerary.search.strikes:
        exchange.shared.scheduler.learning.conclude(exchange.itinerary.search, now)
    exchange.hold_nothing()
    exchange.shared.finished.append(exchange.id)
    exchange.shared.emit(Observe(_record(exchange, outcome, now, error)))
    exchange.recorded = True
    exchange.reply.close()


def refuse(exchange: Exchange, problem: Problem, now: float, outcome: str = "refused") -> None:
    """Tell the client an error of Gephyr's own."""
    tell_problem(exchange, problem, now)
    finish(exchange, outcome, now, problem.kind)


def tell_failure(exchange: Exchange, now: float) -> None:
    """No account is left to ask: tell the client the most useful of the failures."""
    if not exchange.failures:
        refuse(exchange, exchange.itinerary.refusal or _no_account(exchange, now), now)
        return
    failure = most_useful(exchange.failures)
    final = exchange.failures[-1]
    if not final.fail_over and not final.next_target:
        failure = final  # the request itself is at fault, whatever happened before
    if failure.relayable and not exchange.reply.status:
        _relay_failure(exchange, failure, now)
        finish(exchange, "provider_error", now, failure.kind)
    else:
        problem = failure.problem
        if failure.fail_over:
            problem = attrs.evolve(problem, retry_after=_soonest(exchange, now))
        tell_problem(exchange, problem, now)
        finish(exchange, "failed", now, problem.kind)


def complete(exchange: Exchange, state: Relaying, now: float, last: bytes = b"") -> None:
    """The stream has come to its own end, which may be an error event of the provider's.

    *last*: the bytes of it that the client does not have yet.
    """
    reader = state.reader
    error = reader.error
    if error is None:
        exchange.end_attempt(state.attempt, "ok", SUCCESS, now)
    else:
        outcome = outcome_of_told(error, now, side=exchange.request.is_side)
        exchange.end_attempt(state.attempt, STREAM_ERROR, outcome, now, detail=error.message)
    parting = exchange.renamed(reader.parting)
    if last and parting:
        exchange.reply.send(last, now)
        last = b""
    exchange.reply.end(last or parting, now)
    finish(exchange, "ok" if error is None else "provider_error", now, None if error is None else error.kind)


def break_off(exchange: Exchange, state: Relaying, fault: Fault, detail: str, now: float) -> None:
    """The provider failed after the commit point: end the stream with one terminal event."""
    problem = Problem(fault.error_kind, f"the stream broke off: {words_for(fault)}")
    if state.reader.terminal_seen:
        complete(exchange, state, now)
        return
    outcome = outcome_of_fault(fault, side=exchange.request.is_side)
    exchange.end_attempt(state.attempt, fault.value, outcome, now, detail=detail)
    tell_problem(exchange, problem, now)
    finish(exchange, "failed", now, problem.kind)


def break_off_full(exchange: Exchange, attempt: Attempt, now: float) -> None:
    """There is no room for what has to be kept of the stream: end it, and blame nobody."""
    failure = of_full_memory()
    exchange.end_attempt(attempt, failure.label, failure.outcome, now, detail=failure.message)
    tell_problem(exchange, failure.problem, now)
    finish(exchange, "failed", now, failure.kind)


def cut_off(exchange: Exchange, reason: str, now: float) -> None:
    """End without an answer: there is nobody who would take one."""
    if exchange.attempt is not None:
        exchange.end_attempt(exchange.attempt, "cancelled", NEUTRAL, now, detail=reason)
    exchange.reply.abort(reason)
    finish(exchange, "aborted", now)


def shut_down(exchange: Exchange, now: float) -> None:
    """The gateway's drain time is over."""
    problem = Problem(ErrorKind.UNAVAILABLE, "the gateway is shutting down", retry_after=1.0)
    if exchange.attempt is not None:
        exchange.end_attempt(exchange.attempt, "cancelled", NEUTRAL, now, detail=problem.message)
    tell_problem(exchange, problem, now)
    finish(exchange, "aborted", now, problem.kind)


def keep_alive(exchange: Exchange, now: float) -> None:
    """Show life in a silence; before the commit point this fixes the status at 200, and fail-over goes on."""
    state = exchange.state
    if not exchange.reply.status:
        exchange.reply.start(200, list(_JSON_ARRAY if exchange.request.array else _EVENT_STREAM))
    opening = _releasable_opening(exchange, state, now) if isinstance(state, Prelude) else b""
    exchange.reply.keep_alive(opening + exchange.dialect.keepalive, now)


def _releasable_opening(exchange: Exchange, state: Prelude, now: float) -> bytes:
    """Take the held events that open the reply; a later attempt's own are swallowed then."""
    attempt, reader = state.attempt, state.reader
    released = [event for _, event in takewhile(lambda held: held[0] is EventClass.OPENING, state.held)]
    del state.held[: len(released)]
    for event in released:
        exchange.released.setdefault(reader.opening_name(event), attempt.number)
        state.size -= len(event)
    if released:
        exchange.hold_reply(state.size)
        if exchange.released_id is None:
            exchange.released_id, exchange.last_reader = reader.reply_id, reader
        keep_first_id(exchange, reader)
        pin_streamed(exchange, attempt, reader, now)  # the client knows the id now, and may come back for it
    return exchange.renamed(b"".join(released))


def keep_first_id(exchange: Exchange, reader: StreamReader) -> None:
    """Where the client has seen an earlier attempt's opening, this one's id is replaced by that one's."""
    first, own = exchange.released_id, reader.reply_id
    if first is not None and own is not None and first != own:
        exchange.renaming.append((msgspec.json.encode(own), msgspec.json.encode(first)))


def pin_streamed(exchange: Exchange, attempt: Attempt, reader: StreamReader, now: float) -> None:
    """Remember who made the objects that a stream has told of since."""
    pin_objects(exchange, attempt, reader.objects, now, reader.reply_id)
    reader.objects.clear()


def pin_objects(
    exchange: Exchange, attempt: Attempt, objects: Iterable[str], now: float, own_id: str | None = None
) -> None:
    """Remember which account made the objects a reply tells of, and for which client key. *own_id*: the reply's."""
    account = attempt.lease.account
    known = [upstream_id for _, upstream_id in exchange.request.renamed]
    for object_id in objects:
        upstream_id = None
        if object_id in known or not (exchange.request.owns or is_digest(object_id)):
            continue
        if exchange.released_id is not None and object_id == own_id:
            object_id, upstream_id = exchange.released_id, object_id  # noqa: PLW2901
        pin = Pin(
            owner=exchange.request.owner,
            object_id=object_id,
            account=account.id,
            organization=account.organization,
            expires_at=now + LIFETIME,
            upstream_id=None if upstream_id == object_id else upstream_id,
        )
        if exchange.shared.pins.learn(pin, now):
            exchange.shared.emit(Save(pin))


def unpin(exchange: Exchange, now: float) -> None:
    """The object that the request named was deleted: its id means nothing any more, to us either."""
    pin = exchange.shared.pins.forget(exchange.request.owner, exchange.request.endpoint.object_id or "")
    if pin is not None:
        exchange.shared.emit(Save(attrs.evolve(pin, expires_at=now)))


def tell_problem(exchange: Exchange, problem: Problem, now: float) -> None:
    """Send an error: as a whole reply, or as the terminal event of a stream that has begun."""
    if not exchange.reply.status:
        rendered = exchange.dialect.render_error(problem, exchange.reply.request_id)
        exchange.reply.whole(rendered.status, list(rendered.headers), rendered.body, now)
        return
    reader = exchange.last_reader
    if reader is None:
        max_line = exchange.shared.config.upstream.max_sse_line
        reader = exchange.dialect.stream_reader(max_line=max_line, array=exchange.request.array)
    exchange.reply.end(exchange.renamed(reader.failure(problem, now)), now)


def _no_account(exchange: Exchange, now: float) -> Problem:
    """Why no account could even be asked."""
    scheduler, itinerary = exchange.shared.scheduler, exchange.itinerary
    pools, tokens = itinerary.pools(), itinerary.search.tokens
    kind = scheduler.refusal_kind(pools, now, tokens)
    exchange.reply.decision = scheduler.refuse(pools, itinerary.search, itinerary.tried_anywhere(), now)
    told = _reasons(pools, tokens, now, by_name=exchange.shared.config.server.expose_account)
    if (held := scheduler.held(now)) is not None:
        told.append(held.reason)
    wait = scheduler.soonest_reset(pools, now, tokens)
    model = (exchange.request.model or "this request")[:_LONGEST_NAME]
    message = f"no account is free for {model} ({', '.join(told)})"
    return Problem(kind, message, retry_after=1.0 if wait is None else wait)


def _relay_failure(exchange: Exchange, failure: Failure, now: float) -> None:
    """Send a provider's own error reply; ``retry-after`` becomes the soonest of all accounts."""
    assert failure.status is not None
    headers, wait = to_client(failure.headers), failure.outcome.retry_after
    if failure.outcome.blames_account:
        soonest = _soonest(exchange, now)
        if soonest is None and wait is not None:
            soonest = 1.0  # what this account asks for is no reason to keep away from the others
        if soonest is not None:
            headers = [pair for pair in headers if pair[0] not in {b"retry-after", b"retry-after-ms"}]
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(soonest))))
            wait = soonest
    if wait is not None:
        headers += _no_retry(headers, wait)
    exchange.served = failure.record
    account = None if failure.record is None else failure.record.account
    exchange.reply.whole(failure.status, headers, failure.body, now, account)


def _soonest(exchange: Exchange, now: float) -> float | None:
    """Seconds until the first of the route's accounts may be asked again; None where one may be asked now."""
    return exchange.shared.scheduler.soonest_reset(exchange.itinerary.pools(), now, sure=True)


def _record(exchange: Exchange, outcome: str, now: float, error: ErrorKind | None) -> RequestRecord:
    request, reply, served = exchange.request, exchange.reply, exchange.served
    found = request.head.found
    return RequestRecord(
        request_id=reply.request_id,
        operation=found.operation.name if isinstance(found, Endpoint) else "none",
        dialect=exchange.dialect.name,
        method=request.head.event.method,
        model_asked=None if request.model is None else request.model[:_LONGEST_NAME],
        model_served=None if served is None else served.model,
        account=None if served is None else served.account,
        stream=request.stream,
        status=reply.status,
        outcome=outcome,
        error=None if error is None else error.value,
        attempts=tuple(exchange.records),
        bytes_in=exchange.body_size,
        bytes_out=reply.bytes_out,
        usage=exchange.usage,
        started_at=exchange.started_at,
        first_byte=None if reply.first_byte_at is None else reply.first_byte_at - exchange.started_at,
        duration=now - exchange.started_at,
        session=request.session,
        keepalives=reply.keepalives,
        translation=() if exchange.translation.report is None else tuple(exchange.translation.report.entries),
        fault=exchange.failed_at,
    )


def _reasons(pools: Sequence[Pool], tokens: int, now: float, *, by_name: bool) -> list[str]:
    """Say why the accounts of *pools* cannot serve *tokens*; which ones they are is the operator's business."""
    if by_name:
        blocks = [pair for pool in pools for pair in (*pool.passed_over(), *pool.too_small(tokens, now))]
        return [f"{account.id}: {block.reason}" for account, block in blocks][:8]
    counts: dict[str, int] = {}
    for pool in pools:
        for reason, number in pool.outlook(()).reasons:
            counts[reason] = counts.get(reason, 0) + number
        for _, block in pool.too_small(tokens, now):
            counts[block.reason] = counts.get(block.reason, 0) + 1
    return [f"{number} {reason}" for reason, number in counts.items()]


def _no_retry(headers: list[Header], wait: float) -> list[Header]:
    told = any(name == b"x-should-retry" for name, _ in headers)
    return [(b"x-should-retry", b"false")] if wait > _LONG_WAIT and not told else []
