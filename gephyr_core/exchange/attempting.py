"""Accounts and attempts: taking one, calling it, and going on to the next when it fails before the commit point."""

import attrs

from gephyr_core.errors import ErrorKind, Fault, Sent
from gephyr_core.events import TimePassed, UpstreamFailed
from gephyr_core.exchange.attempts import UNLIMITED, Attempt, Failure, of_closed_route, of_cut_reply, of_fault
from gephyr_core.exchange.plan import upstream_call
from gephyr_core.exchange.states import Answered, Calling, Collecting, Computing, Done, Waiting
from gephyr_core.exchange.translating import Translating
from gephyr_core.scheduling import NEUTRAL, Account, Choice, Claim, Denied, Granted, Lease, Pool, Says, Wait
from gephyr_core.scheduling.scheduler import LONGEST_COOLDOWN_WAIT
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
        waits: list[Pool] = []
        refused: list[Pool] = []
        for leg in self.legs:
            if leg.target in self.dead_targets or leg in self.closed_legs:
                continue
            if leg.dialect and not self.prepared:
                if self.prepare(now):
                    self.acquire(now)
                return
            if not self.opens(leg, now):
                if isinstance(self.state, Computing | Done):
                    return
                continue
            tried = [account for where, account in self.tried if where is None or where == leg.target]
            pool = self.shared.pool(leg)
            answer = self.shared.scheduler.choose(pool, self.search, tried, now)
            if isinstance(answer, Choice):
                claim = self.shared.scheduler.claim(answer, self.search)
                self.claimed(leg, answer, claim, self.shared.scheduler.ledger.claim(claim, now), now)
                return
            if isinstance(answer, Wait):
                waits.append(answer.pool)
                continue
            refused.append(pool)
        if waits and now < self.search.until:
            self.enter(Waiting(self.search))
            self.shared.scheduler.queue.enter(self.id, [*waits, *refused])
        elif self.shared.scheduler.clear_estimates(self._open_pools(), self.search, self._tried_anywhere(), now):
            self.enter(Waiting(self.search))  # for no time at all: whoever waited before is asked first
            self.shared.scheduler.queue.enter(self.id, self._open_pools())
        else:
            self.give_up(now)

    def waited_long_enough(self, _state: Waiting, _event: TimePassed, now: float) -> None:
        """The wait for an account is over: take what there is, or give up."""
        self.acquire(now)

    def _open_pools(self) -> list[Pool]:
        """Pools of the legs on which the request can still be asked."""
        legs = [leg for leg in self.legs if leg.target not in self.dead_targets and leg not in self.closed_legs]
        return list(dict.fromkeys(self.shared.pool(leg) for leg in legs))

    def _tried_anywhere(self) -> list[Account]:
        return [account for _, account in self.tried]

    def claimed(self, leg: Leg, choice: Choice, claim: Claim, answer: Granted | Denied, now: float) -> None:
        """Take the ledger's answer to a claim: call the account that it granted. If others were faster, and it denied
        the claim, choose anew: the accounts' views show the blocks."""
        if isinstance(answer, Denied):
            self.acquire(now)
            return
        self.begin(self.shared.scheduler.granted(choice, self.search, claim, answer, now), leg, now)

    def begin(self, lease: Lease, leg: Leg, now: float) -> None:
        """Call the account of a lease, by an outbound route that the operator set for it."""
        route = self._way_to(lease.account, now)
        if route is not None:
            self._call(Attempt(0, lease, leg, UNLIMITED, now, now, route=route))
            return
        self.shared.scheduler.release(lease, NEUTRAL, now)
        self.tried.append((None, lease.account))
        self.failures.append(of_closed_route())
        self.acquire(now)

    def _way_to(self, account: Account, now: float) -> str | None:
        """Choose an outbound route: none that failed this request before, and none by which the host is known dead."""
        avoiding = self.failed_routes
        if self.dead_ends:
            avoiding = [*avoiding, *(route for origin, route in self.dead_ends if origin == account.origin)]
        if self.shared.origins.dead:
            avoiding = [*avoiding, *self.shared.origins.dead_routes(account.origin, now)]
        return self.shared.proxies.choose(account.id, now, avoiding)

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
        lease = attempt.lease
        everywhere = failure.status is None or failure.kind in {ErrorKind.CREDENTIAL, ErrorKind.MONEY}
        if failure.label == Fault.PROXY.value:
            self.shared.proxy_failed(attempt.route, now)
            self.failed_routes.append(attempt.route)
        elif failure.outcome.says is Says.UNREACHABLE:
            self._note_dead_end(attempt, failure, now)
        renewed = self._signs_in_again(failure, lease, now)
        if not (renewed or self._goes_another_way(failure, lease, now) or self._soon_over(failure)):
            self.tried.append((None if everywhere else attempt.target, lease.account))
        if failure.next_target:
            self.dead_targets.append(attempt.target)
        outcome = NEUTRAL if renewed else failure.outcome
        self.end_attempt(attempt, failure.label, outcome, now, detail=failure.detail or failure.message)
        self.failures.append(attrs.evolve(failure, record=self.records[-1]))
        self.hold_reply(0)
        self.search.since, self.search.until = now, now + self.shared.config.scheduling.acquire_timeout
        if failure.fail_over or (failure.next_target and self._has_targets_left()):
            self.acquire(now)
        else:
            self.give_up(now)

    def _goes_another_way(self, failure: Failure, lease: Lease, now: float) -> bool:
        """Whether the account can be asked again through another proxy than those that failed."""
        if not self.shared.config.proxy_pool.auto_failover:
            return False
        if failure.outcome.says is Says.UNREACHABLE:
            account = lease.current
            return any(
                (account.origin, route) not in self.dead_ends for route in self.shared.proxies.routes(account.id)
            )
        if failure.label != Fault.PROXY.value:
            return False
        route = self.shared.proxies.choose(lease.account.id, now, self.failed_routes)
        return route is not None and route not in self.failed_routes

    def _note_dead_end(self, attempt: Attempt, failure: Failure, now: float) -> None:
        """No connection could be made: the accounts of the host are not asked in vain by the same routes.

        A failure that came fast (a refusal, a name that is not found) may be a moment's: the host is tried a second
        time where it may be tried again soon. A failure that took longer is not waited for twice.
        """
        shared, origin = self.shared, attempt.lease.account.origin
        shared.origin_failed(origin, attempt.route, self.id, attempt.called_at, failure.detail or failure.label, now)
        end = (origin, attempt.route)
        lost = max(now - attempt.called_at, shared.origins.dead[end].until - now)
        if end in self.dead_ends or lost > LONGEST_COOLDOWN_WAIT:
            self.closed_ends.append(end)
        self.dead_ends.append(end)
        self.search.unreachable = tuple(
            account
            for account in shared.scheduler.accounts.values()
            if all((account.origin, route) in self.closed_ends for route in shared.proxies.routes(account.id))
        )

    def _soon_over(self, failure: Failure) -> bool:
        """Whether the provider itself asks to come back so soon that it is waited for."""
        wait = failure.outcome.retry_after
        return failure.outcome.blames_account and wait is not None and 0.0 < wait <= LONGEST_COOLDOWN_WAIT

    def _signs_in_again(self, failure: Failure, lease: Lease, now: float) -> bool:
        """A 401 for a token that should be good: another one is had, once for a request, and the account asked again.

        Then the refusal was the token's, and says nothing against the account.
        """
        account = lease.account
        if failure.status != 401 or account in self.signed_in_again:
            return False
        if not self.shared.sign_in.rejected(account, lease.token_number, now):
            return False
        self.signed_in_again.append(account)
        return True

    def _has_targets_left(self) -> bool:
        return any(leg.target not in self.dead_targets for leg in self.legs)

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
