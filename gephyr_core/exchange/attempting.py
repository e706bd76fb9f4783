"""Accounts and attempts: taking one, calling it, and going on to the next when it fails before the commit point."""

from functools import partial

import attrs

from gephyr_core.errors import Fault, Sent
from gephyr_core.events import TimePassed, UpstreamFailed
from gephyr_core.exchange.attempts import UNLIMITED, Attempt, Failure, of_closed_route, of_cut_reply, of_fault
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.plan import upstream_call
from gephyr_core.exchange.states import Answered, Calling, Collecting, Computing, Done, Waiting
from gephyr_core.exchange.translating import asking_on, give_up, note_losses, opens, prepare
from gephyr_core.scheduling import NEUTRAL, Choice, Claim, Denied, Granted, Lease, Pool, Wait
from gephyr_core.shared import Leg


def acquire(exchange: Exchange, now: float) -> None:
    """Choose an account and claim it; wait for one; or give up.

    Choosing, claiming (:meth:`claimed`) and calling (:meth:`begin`) are steps. Each begins with the result of the
    one before. A ledger in memory answers a claim at once.
    """
    if len(exchange.failures) >= exchange.shared.most_attempts:
        give_up(exchange, now)
        return
    itinerary, search = exchange.itinerary, exchange.itinerary.search
    waits: list[Pool] = []
    refused: list[Pool] = []
    for leg in itinerary.open_legs():
        if leg.dialect and not exchange.translation.prepared:
            if prepare(exchange, now, partial(acquire, exchange)):
                acquire(exchange, now)
            return
        if not opens(exchange, leg, now, partial(acquire, exchange)):
            if isinstance(exchange.state, Computing | Done):
                return
            continue
        pool = exchange.shared.pool(leg)
        answer = exchange.shared.scheduler.choose(pool, search, itinerary.tried_for(leg), now)
        if isinstance(answer, Choice):
            claim = exchange.shared.scheduler.claim(answer, search)
            claimed(exchange, leg, answer, claim, exchange.shared.scheduler.ledger.claim(claim, now), now)
            return
        if isinstance(answer, Wait):
            waits.append(answer.pool)
            continue
        refused.append(pool)
    if waits and now < search.until:
        exchange.enter(Waiting(search))
        exchange.shared.scheduler.queue.enter(exchange.id, [*waits, *refused])
    elif exchange.shared.scheduler.clear_estimates(itinerary.open_pools(), search, itinerary.tried_anywhere(), now):
        exchange.enter(Waiting(search))  # for no time at all: whoever waited before is asked first
        exchange.shared.scheduler.queue.enter(exchange.id, itinerary.open_pools())
    else:
        give_up(exchange, now)


def waited_long_enough(exchange: Exchange, _state: Waiting, _event: TimePassed, now: float) -> None:
    """The wait for an account is over: take what there is, or give up."""
    acquire(exchange, now)


def claimed(exchange: Exchange, leg: Leg, choice: Choice, claim: Claim, answer: Granted | Denied, now: float) -> None:
    """Take the ledger's answer to a claim: call the account that it granted. If others were faster, and it denied
    the claim, choose anew: the accounts' views show the blocks."""
    if isinstance(answer, Denied):
        acquire(exchange, now)
        return
    begin(exchange, exchange.shared.scheduler.granted(choice, exchange.itinerary.search, claim, answer, now), leg, now)


def begin(exchange: Exchange, lease: Lease, leg: Leg, now: float) -> None:
    """Call the account of a lease, by an outbound route that the operator set for it."""
    route = exchange.itinerary.way_to(lease.account, now)
    if route is not None:
        _call(exchange, Attempt(0, lease, leg, UNLIMITED, now, now, route=route))
        return
    exchange.shared.scheduler.release(lease, NEUTRAL, now)
    exchange.itinerary.no_way_to(lease.account)
    exchange.failures.append(of_closed_route())
    acquire(exchange, now)


def _call(exchange: Exchange, attempt: Attempt) -> None:
    exchange.shared.scheduler.queue.leave(exchange.id)
    exchange.attempt_number += 1
    call = upstream_call(
        exchange.id,
        exchange.attempt_number,
        exchange.request.head.event.method,
        asking_on(exchange, attempt.leg),
        attempt.lease.account,
        exchange.shared.config.upstream,
        attempt.route,
        fresh=attempt.fresh,
    )
    attempt.number, attempt.limits = exchange.attempt_number, call.limits
    note_losses(exchange, attempt.leg)
    exchange.shared.proxies.opened(attempt.route)
    if exchange.shared.origins.dead:
        connected_by = attempt.called_at + call.limits.connect
        exchange.shared.origins.opened(call.origin, attempt.route, exchange.id, connected_by)
    exchange.reply.decision = attempt.lease.decision
    exchange.enter(Calling(attempt))  # from here on there is a call to be cancelled
    exchange.shared.emit(call)


def fail(exchange: Exchange, attempt: Attempt, failure: Failure, now: float) -> None:
    """Take in the failure of the attempt under way: before the commit point, go on to the next account."""
    renewed = exchange.itinerary.failed(attempt, failure, now)
    outcome = NEUTRAL if renewed else failure.outcome
    exchange.end_attempt(attempt, failure.label, outcome, now, detail=failure.detail or failure.message)
    exchange.failures.append(attrs.evolve(failure, record=exchange.records[-1]))
    exchange.hold_reply(0)
    exchange.itinerary.look_again(now)
    if failure.fail_over or (failure.next_target and exchange.itinerary.has_targets_left):
        acquire(exchange, now)
    else:
        give_up(exchange, now)


def broken(exchange: Exchange, state: Calling | Answered, event: UpstreamFailed, now: float) -> None:
    """The call broke before the commit point."""
    attempt = state.attempt
    repeatable = exchange.request.repeatable or event.sent is Sent.NONE
    stale = event.reused and not attempt.fresh and event.fault is Fault.RESET
    if stale and repeatable and attempt.lease.current.may_be_called(now):
        claim = exchange.shared.scheduler.claim_again(attempt.lease)
        claimed_again(exchange, attempt, event, exchange.shared.scheduler.ledger.claim(claim, now), now)
        return
    fail_by_fault(exchange, attempt, event.fault, event.detail, now, sent=event.sent)


def claimed_again(
    exchange: Exchange, attempt: Attempt, event: UpstreamFailed, answer: Granted | Denied, now: float
) -> None:
    """Take the ledger's answer to a claim made again: send the call that broke once more, or fail.

    A kept connection was closed before any byte of a response: the provider had let it go (RFC 9112 section 9.3.1),
    and what may be repeated is sent once more on a fresh one (RFC 9110 section 9.2.2).
    """
    if isinstance(answer, Denied):
        fail_by_fault(exchange, attempt, event.fault, event.detail, now, sent=event.sent)
        return
    exchange.shared.scheduler.granted_again(attempt.lease, now)
    exchange.end_attempt(attempt, "stale_connection", NEUTRAL, now, detail=event.detail, stale=True)
    again = Attempt(0, attempt.lease, attempt.leg, attempt.limits, now, now, fresh=True, route=attempt.route)
    _call(exchange, again)


def fail_by_fault(
    exchange: Exchange, attempt: Attempt, fault: Fault, detail: str, now: float, *, sent: Sent = Sent.ALL
) -> None:
    """The call is of no use any more: what it failed by counts, unless an error status came before."""
    side = exchange.request.is_side
    if isinstance(exchange.state, Collecting) and attempt.status >= 300:
        failure = of_cut_reply(attempt.status, attempt.headers, detail, now, side=side)
    else:
        failure = of_fault(fault, detail, sent, repeatable=exchange.request.repeatable, side=side)
    fail(exchange, attempt, failure, now)
