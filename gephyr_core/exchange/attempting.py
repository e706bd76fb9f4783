"""Accounts and attempts: taking one, calling it, and going on to the next when it fails before the commit point."""

from collections.abc import Sequence

import attrs

from gephyr_core.errors import ErrorKind, Fault, Sent
from gephyr_core.events import UpstreamFailed
from gephyr_core.exchange.attempts import UNLIMITED, Attempt, Failure, of_cut_reply, of_fault
from gephyr_core.exchange.plan import upstream_call
from gephyr_core.exchange.state import State
from gephyr_core.exchange.translating import Translating
from gephyr_core.scheduling import NEUTRAL, Account, Lease, Wait


class Attempting(Translating):
    """Leads an exchange from account to account."""

    def acquire(self, now: float) -> None:
        """Take an account and call it; wait for one; or give up."""
        assert self.plan is not None
        if len(self.failures) >= self.shared.config.upstream.max_attempts:
            self.give_up(now)
            return
        wait_until: float | None = None
        for leg in self.legs:
            if leg.target in self.dead_targets or leg in self.closed_legs:
                continue
            if leg.dialect and not self.prepared:
                if self.prepare(now):
                    self.acquire(now)
                return
            if leg.dialect and not self.opens(leg):
                continue
            if self.estimates:
                self.answer_estimate(now)
                return
            tried = [account for where, account in self.tried if where is None or where == leg.target]
            answer = self.shared.scheduler.acquire(leg.accounts, tried, now)
            if isinstance(answer, Lease):
                self._call(Attempt(0, answer, leg, UNLIMITED, now, now))
                return
            if isinstance(answer, Wait):
                wait_until = answer.until if wait_until is None else min(wait_until, answer.until)
        if wait_until is None or now >= self.acquire_until:
            self.give_up(now)
            return
        self.wait_until = wait_until
        self.enter(State.WAITING)
        self.shared.waiting[self.id] = None

    def waits_for(self, free: Sequence[Account]) -> bool:
        """Whether one of the accounts that are *free* may serve this exchange, which waits."""
        assert self.plan is not None
        return any(account in free for leg in self.legs for account in leg.accounts)

    def _call(self, attempt: Attempt) -> None:
        assert self.plan is not None
        self.shared.waiting.pop(self.id, None)
        self.attempt_number += 1
        call = upstream_call(
            self.id,
            self.attempt_number,
            self.plan.method,
            self.asking(attempt.leg),
            attempt.lease.account,
            self.shared.config.upstream,
            fresh=attempt.fresh,
        )
        attempt.number, attempt.limits = self.attempt_number, call.limits
        self.note_losses(attempt.leg)
        self.attempt = attempt
        self.enter(State.CALLING)
        self.shared.emit(call)

    def fail(self, failure: Failure, now: float, *, cancel: bool = False) -> None:
        """Take in the failure of the attempt under way: before the commit point, go on to the next account."""
        assert self.attempt is not None
        everywhere = failure.status is None or failure.kind in {ErrorKind.CREDENTIAL, ErrorKind.MONEY}
        self.tried.append((None if everywhere else self.attempt.target, self.attempt.lease.account))
        if failure.next_target:
            self.dead_targets.append(self.attempt.target)
        self.end_attempt(
            failure.label, failure.outcome, now, detail=(failure.detail or failure.message)[:200], cancel=cancel
        )
        self.failures.append(attrs.evolve(failure, record=self.records[-1]))
        self.acquire_until = now + self.shared.config.scheduling.acquire_timeout
        if failure.fail_over or (failure.next_target and self._has_targets_left()):
            self.acquire(now)
        else:
            self.give_up(now)

    def _has_targets_left(self) -> bool:
        return self.plan is not None and any(leg.target not in self.dead_targets for leg in self.plan.route)

    def broken(self, event: UpstreamFailed, now: float) -> None:
        """The call broke before the commit point."""
        attempt, plan = self.live
        repeatable = plan.repeatable or event.sent is Sent.NONE
        if event.reused and not attempt.fresh and event.fault is Fault.RESET and repeatable:
            # A kept connection was closed before any byte of a response: the provider had let it go (RFC 9112
            # section 9.3.1), and what may be repeated is sent once more on a fresh one (RFC 9110 section 9.2.2).
            self.end_attempt("stale_connection", NEUTRAL, now, detail=event.detail, stale=True)
            self._call(Attempt(0, attempt.lease, attempt.leg, attempt.limits, now, now, fresh=True))
            return
        self.fault(event.fault, event.detail, now, sent=event.sent, cancel=False)

    def fault(self, fault: Fault, detail: str, now: float, *, sent: Sent = Sent.ALL, cancel: bool = True) -> None:
        """The call is of no use any more: what it failed by counts, unless an error status came before."""
        attempt, plan = self.live
        side = plan.endpoint.operation.side
        if self.state is State.COLLECTING and attempt.status >= 300:
            failure = of_cut_reply(attempt.status, attempt.headers, detail, now, side=side)
        else:
            failure = of_fault(fault, detail, sent, repeatable=plan.repeatable, side=side)
        self.fail(failure, now, cancel=cancel)
