"""Accounts and attempts: taking one, calling it, and going on to the next when it fails before the commit point."""

import attrs

from gephyr_core.errors import Fault, Sent
from gephyr_core.events import TimePassed, UpstreamFailed
from gephyr_core.exchange.attempts import UNLIMITED, Attempt, Failure, of_closed_route, of_cut_reply, of_fault
from gephyr_core.exchange.plan import upstream_call
from gephyr_core.exchange.states import Answered, Calling, Collecting, Computing, Done, Waiting
from gephyr_core.exchange.translating import Translating
from gephyr_core.scheduling import NEUTRAL, Choice, Claim, Denied, Granted, Lease, Pool, Wait
from gephyr_core.shared import Leg


class Attempting(Translating):
    """Leads an exchange from account to account."""

    def acquire(self, now: float) -> None:
        """Choose an account and claim it; wait for one; or give up.

        Choosing, claiming (:meth:`claimed`) and calling (:meth:`begin`) are steps. Each begins with the result of the
        one before. A ledger in memory answers a claim at once.
        """
        if len(self.failures) >= self.shared.most_attempts:
            self.give_up(now)
            return
        itinerary, search = self.itinerary, self.itinerary.search
        waits: list[Pool] = []
        refused: list[Pool] = []
        for leg in itinerary.open_legs():
            if leg.dialect and not self.translation.prepared:
                if self.prepare(now):
                    self.acquire(now)
                return
            if not self.opens(leg, now):
                if isinstance(self.state, Computing | Done):
                    return
                continue
            pool = self.shared.pool(leg)
            answer = self.shared.scheduler.choose(pool, search, itinerary.tried_for(leg), now)
            if isinstance(answer, Choice):
                claim = self.shared.scheduler.claim(answer, search)
                self.claimed(leg, answer, claim, self.shared.scheduler.ledger.claim(claim, now), now)
                return
            if isinstance(answer, Wait):
                waits.append(answer.pool)
                continue
            refused.append(pool)
        if waits and now < search.until:
            self.enter(Waiting(search))
            self.shared.scheduler.queue.enter(self.id, [*waits, *refused])
        elif self.shared.scheduler.clear_estimates(itinerary.open_pools(), search, itinerary.tried_anywhere(), now):
            self.enter(Waiting(search))  # for no time at all: whoever waited before is asked first
            self.shared.scheduler.queue.enter(self.id, itinerary.open_pools())
        else:
            self.give_up(now)

    def waited_long_enough(self, _state: Waiting, _event: TimePassed, now: float) -> None:
        """The wait for an account is over: take what there is, or give up."""
        self.acquire(now)

    def claimed(self, leg: Leg, choice: Choice, claim: Claim, answer: Granted | Denied, now: float) -> None:
        """Take the ledger's answer to a claim: call the account that it granted. If others were faster, and it denied
        the claim, choose anew: the accounts' views show the blocks."""
        if isinstance(answer, Denied):
            self.acquire(now)
            return
        self.begin(self.shared.scheduler.granted(choice, self.itinerary.search, claim, answer, now), leg, now)

    def begin(self, lease: Lease, leg: Leg, now: float) -> None:
        """Call the account of a lease, by an outbound route that the operator set for it."""
        route = self.itinerary.way_to(lease.account, now)
        if route is not None:
            self._call(Attempt(0, lease, leg, UNLIMITED, now, now, route=route))
            return
        self.shared.scheduler.release(lease, NEUTRAL, now)
        self.itinerary.no_way_to(lease.account)
        self.failures.append(of_closed_route())
        self.acquire(now)

    def _call(self, attempt: Attempt) -> None:
        self.shared.scheduler.queue.leave(self.id)
        self.attempt_number += 1
        call = upstream_call(
            self.id,
            self.attempt_number,
            self.request.head.event.method,
            self.asking(attempt.leg),
            attempt.lease.account,
            self.shared.config.upstream,
            attempt.route,
            fresh=attempt.fresh,
        )
        attempt.number, attempt.limits = self.attempt_number, call.limits
        self.note_losses(attempt.leg)
        self.shared.proxies.opened(attempt.route)
        if self.shared.origins.dead:
            connected_by = attempt.called_at + call.limits.connect
            self.shared.origins.opened(call.origin, attempt.route, self.id, connected_by)
        self.reply.decision = attempt.lease.decision
        self.enter(Calling(attempt))  # from here on there is a call to be cancelled
        self.shared.emit(call)

    def fail(self, attempt: Attempt, failure: Failure, now: float) -> None:
        """Take in the failure of the attempt under way: before the commit point, go on to the next account."""
        renewed = self.itinerary.failed(attempt, failure, now)
        outcome = NEUTRAL if renewed else failure.outcome
        self.end_attempt(attempt, failure.label, outcome, now, detail=failure.detail or failure.message)
        self.failures.append(attrs.evolve(failure, record=self.records[-1]))
        self.hold_reply(0)
        self.itinerary.look_again(now)
        if failure.fail_over or (failure.next_target and self.itinerary.has_targets_left):
            self.acquire(now)
        else:
            self.give_up(now)

    def broken(self, state: Calling | Answered, event: UpstreamFailed, now: float) -> None:
        """The call broke before the commit point."""
        attempt = state.attempt
        repeatable = self.request.repeatable or event.sent is Sent.NONE
        stale = event.reused and not attempt.fresh and event.fault is Fault.RESET
        if stale and repeatable and attempt.lease.current.may_be_called(now):
            claim = self.shared.scheduler.claim_again(attempt.lease)
            self.claimed_again(attempt, event, self.shared.scheduler.ledger.claim(claim, now), now)
            return
        self.fault(attempt, event.fault, event.detail, now, sent=event.sent)

    def claimed_again(self, attempt: Attempt, event: UpstreamFailed, answer: Granted | Denied, now: float) -> None:
        """Take the ledger's answer to a claim made again: send the call that broke once more, or fail.

        A kept connection was closed before any byte of a response: the provider had let it go (RFC 9112 section 9.3.1),
        and what may be repeated is sent once more on a fresh one (RFC 9110 section 9.2.2).
        """
        if isinstance(answer, Denied):
            self.fault(attempt, event.fault, event.detail, now, sent=event.sent)
            return
        self.shared.scheduler.granted_again(attempt.lease, now)
        self.end_attempt(attempt, "stale_connection", NEUTRAL, now, detail=event.detail, stale=True)
        again = Attempt(0, attempt.lease, attempt.leg, attempt.limits, now, now, fresh=True, route=attempt.route)
        self._call(again)

    def fault(self, attempt: Attempt, fault: Fault, detail: str, now: float, *, sent: Sent = Sent.ALL) -> None:
        """The call is of no use any more: what it failed by counts, unless an error status came before."""
        side = self.request.is_side
        if isinstance(self.state, Collecting) and attempt.status >= 300:
            failure = of_cut_reply(attempt.status, attempt.headers, detail, now, side=side)
        else:
            failure = of_fault(fault, detail, sent, repeatable=self.request.repeatable, side=side)
        self.fail(attempt, failure, now)
