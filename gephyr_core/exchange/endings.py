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
from gephyr_core.exchange.ownerless import is_digest
from gephyr_core.exchange.state import ExchangeState
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


class Endings(ExchangeState):
    """How a response comes to its end."""

    def finish(self, outcome: str, now: float, error: ErrorKind | None = None) -> None:
        """The exchange is over: nothing is held any more, the record says what happened, and the response ends.

        In this order: whoever has the last byte of a response finds its record.
        """
        self.enter(DONE)
        self.shared.scheduler.queue.leave(self.id)
        if self.itinerary.search.strikes:
            self.shared.scheduler.learning.conclude(self.itinerary.search, now)
        self.hold_nothing()
        self.shared.finished.append(self.id)
        self.shared.emit(Observe(self._record(outcome, now, error)))
        self.recorded = True
        self.reply.close()

    def refuse(self, problem: Problem, now: float, outcome: str = "refused") -> None:
        """Tell the client an error of Gephyr's own."""
        self.tell(problem, now)
        self.finish(outcome, now, problem.kind)

    def give_up(self, now: float) -> None:
        """No account is left to ask: tell the client the most useful of the failures."""
        if not self.failures:
            self.refuse(self.itinerary.refusal or self._no_account(now), now)
            return
        failure = most_useful(self.failures)
        final = self.failures[-1]
        if not final.fail_over and not final.next_target:
            failure = final  # the request itself is at fault, whatever happened before
        if failure.relayable and not self.reply.status:
            self._relay_failure(failure, now)
            self.finish("provider_error", now, failure.kind)
        else:
            problem = failure.problem
            if failure.fail_over:
                problem = attrs.evolve(problem, retry_after=self._soonest(now))
            self.tell(problem, now)
            self.finish("failed", now, problem.kind)

    def complete(self, state: Relaying, now: float, last: bytes = b"") -> None:
        """The stream has come to its own end, which may be an error event of the provider's.

        *last*: the bytes of it that the client does not have yet.
        """
        reader = state.reader
        error = reader.error
        if error is None:
            self.end_attempt(state.attempt, "ok", SUCCESS, now)
        else:
            outcome = outcome_of_told(error, now, side=self.request.is_side)
            self.end_attempt(state.attempt, STREAM_ERROR, outcome, now, detail=error.message)
        parting = self.renamed(reader.parting)
        if last and parting:
            self.reply.send(last, now)
            last = b""
        self.reply.end(last or parting, now)
        self.finish("ok" if error is None else "provider_error", now, None if error is None else error.kind)

    def break_off(self, state: Relaying, fault: Fault, detail: str, now: float) -> None:
        """The provider failed after the commit point: end the stream with one terminal event."""
        problem = Problem(fault.error_kind, f"the stream broke off: {words_for(fault)}")
        if state.reader.terminal_seen:
            self.complete(state, now)
            return
        outcome = outcome_of_fault(fault, side=self.request.is_side)
        self.end_attempt(state.attempt, fault.value, outcome, now, detail=detail)
        self.tell(problem, now)
        self.finish("failed", now, problem.kind)

    def break_off_full(self, attempt: Attempt, now: float) -> None:
        """There is no room for what has to be kept of the stream: end it, and blame nobody."""
        failure = of_full_memory()
        self.end_attempt(attempt, failure.label, failure.outcome, now, detail=failure.message)
        self.tell(failure.problem, now)
        self.finish("failed", now, failure.kind)

    def cut_off(self, reason: str, now: float) -> None:
        """End without an answer: there is nobody who would take one."""
        if self.attempt is not None:
            self.end_attempt(self.attempt, "cancelled", NEUTRAL, now, detail=reason)
        self.reply.abort(reason)
        self.finish("aborted", now)

    def shut_down(self, now: float) -> None:
        """The gateway's drain time is over."""
        problem = Problem(ErrorKind.UNAVAILABLE, "the gateway is shutting down", retry_after=1.0)
        if self.attempt is not None:
            self.end_attempt(self.attempt, "cancelled", NEUTRAL, now, detail=problem.message)
        self.tell(problem, now)
        self.finish("aborted", now, problem.kind)

    def keep_alive(self, now: float) -> None:
        """Show life in a silence; before the commit point this fixes the status at 200, and fail-over goes on."""
        state = self.state
        if not self.reply.status:
            self.reply.start(200, list(_JSON_ARRAY if self.request.array else _EVENT_STREAM))
        opening = self._releasable_opening(state, now) if isinstance(state, Prelude) else b""
        self.reply.keep_alive(opening + self.dialect.keepalive, now)

    def _releasable_opening(self, state: Prelude, now: float) -> bytes:
        """Take the held events that open the reply; a later attempt's own are swallowed then."""
        attempt, reader = state.attempt, state.reader
        released = [event for _, event in takewhile(lambda held: held[0] is EventClass.OPENING, state.held)]
        del state.held[: len(released)]
        for event in released:
            self.released.setdefault(reader.opening_name(event), attempt.number)
            state.size -= len(event)
        if released:
            self.hold_reply(state.size)
            if self.released_id is None:
                self.released_id, self.last_reader = reader.reply_id, reader
            self.keep_first_id(reader)
            self.pin_streamed(attempt, reader, now)  # the client knows the id now, and may come back for it
        return self.renamed(b"".join(released))

    def keep_first_id(self, reader: StreamReader) -> None:
        """Where the client has seen an earlier attempt's opening, this one's id is replaced by that one's."""
        first, own = self.released_id, reader.reply_id
        if first is not None and own is not None and first != own:
            self.renaming.append((msgspec.json.encode(own), msgspec.json.encode(first)))

    def pin_streamed(self, attempt: Attempt, reader: StreamReader, now: float) -> None:
        """Remember who made the objects that a stream has told of since."""
        self.pin(attempt, reader.objects, now, reader.reply_id)
        reader.objects.clear()

    def pin(self, attempt: Attempt, objects: Iterable[str], now: float, own_id: str | None = None) -> None:
        """Remember which account made the objects a reply tells of, and for which client key. *own_id*: the reply's."""
        account = attempt.lease.account
        known = [upstream_id for _, upstream_id in self.request.renamed]
        for object_id in objects:
            upstream_id = None
            if object_id in known or not (self.request.owns or is_digest(object_id)):
                continue
            if self.released_id is not None and object_id == own_id:
                object_id, upstream_id = self.released_id, object_id  # noqa: PLW2901
            pin = Pin(
                owner=self.request.owner,
                object_id=object_id,
                account=account.id,
                organization=account.organization,
                expires_at=now + LIFETIME,
                upstream_id=None if upstream_id == object_id else upstream_id,
            )
            if self.shared.pins.learn(pin, now):
                self.shared.emit(Save(pin))

    def unpin(self, now: float) -> None:
        """The object that the request named was deleted: its id means nothing any more, to us either."""
        pin = self.shared.pins.forget(self.request.owner, self.request.endpoint.object_id or "")
        if pin is not None:
            self.shared.emit(Save(attrs.evolve(pin, expires_at=now)))

    def tell(self, problem: Problem, now: float) -> None:
        """Send an error: as a whole reply, or as the terminal event of a stream that has begun."""
        if not self.reply.status:
            rendered = self.dialect.render_error(problem, self.reply.request_id)
            self.reply.whole(rendered.status, list(rendered.headers), rendered.body, now)
            return
        reader = self.last_reader
        if reader is None:
            max_line = self.shared.config.upstream.max_sse_line
            reader = self.dialect.stream_reader(max_line=max_line, array=self.request.array)
        self.reply.end(self.renamed(reader.failure(problem, now)), now)

    def _no_account(self, now: float) -> Problem:
        """Why no account could even be asked."""
        scheduler, itinerary = self.shared.scheduler, self.itinerary
        pools, tokens = itinerary.pools(), itinerary.search.tokens
        kind = scheduler.refusal_kind(pools, now, tokens)
        self.reply.decision = scheduler.refuse(pools, itinerary.search, itinerary.tried_anywhere(), now)
        told = _reasons(pools, tokens, now, by_name=self.shared.config.server.expose_account)
        if (held := scheduler.held(now)) is not None:
            told.append(held.reason)
        wait = scheduler.soonest_reset(pools, now, tokens)
        model = (self.request.model or "this request")[:_LONGEST_NAME]
        message = f"no account is free for {model} ({', '.join(told)})"
        return Problem(kind, message, retry_after=1.0 if wait is None else wait)

    def _relay_failure(self, failure: Failure, now: float) -> None:
        """Send a provider's own error reply; ``retry-after`` becomes the soonest of all accounts."""
        assert failure.status is not None
        headers, wait = to_client(failure.headers), failure.outcome.retry_after
        if failure.outcome.blames_account:
            soonest = self._soonest(now)
            if soonest is None and wait is not None:
                soonest = 1.0  # what this account asks for is no reason to keep away from the others
            if soonest is not None:
                headers = [pair for pair in headers if pair[0] not in {b"retry-after", b"retry-after-ms"}]
                headers.append((b"retry-after", b"%d" % max(1, math.ceil(soonest))))
                wait = soonest
        if wait is not None:
            headers += _no_retry(headers, wait)
        self.served = failure.record
        account = None if failure.record is None else failure.record.account
        self.reply.whole(failure.status, headers, failure.body, now, account)

    def _soonest(self, now: float) -> float | None:
        """Seconds until the first of the route's accounts may be asked again; None where one may be asked now."""
        return self.shared.scheduler.soonest_reset(self.itinerary.pools(), now, sure=True)

    def _record(self, outcome: str, now: float, error: ErrorKind | None) -> RequestRecord:
        request, reply, served = self.request, self.reply, self.served
        found = request.head.found
        return RequestRecord(
            request_id=reply.request_id,
            operation=found.operation.name if isinstance(found, Endpoint) else "none",
            dialect=self.dialect.name,
            method=request.head.event.method,
            model_asked=None if request.model is None else request.model[:_LONGEST_NAME],
            model_served=None if served is None else served.model,
            account=None if served is None else served.account,
            stream=request.stream,
            status=reply.status,
            outcome=outcome,
            error=None if error is None else error.value,
            attempts=tuple(self.records),
            bytes_in=self.body_size,
            bytes_out=reply.bytes_out,
            usage=self.usage,
            started_at=self.started_at,
            first_byte=None if reply.first_byte_at is None else reply.first_byte_at - self.started_at,
            duration=now - self.started_at,
            session=request.session,
            keepalives=reply.keepalives,
            translation=() if self.translation.report is None else tuple(self.translation.report.entries),
            fault=self.failed_at,
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
