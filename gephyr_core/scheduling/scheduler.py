"""Takes turns: of the accounts that can serve a request, the one with the fewest requests in flight."""

import math
from collections.abc import Sequence

import attrs

from gephyr_core.errors import ErrorKind, LocalProtocolError
from gephyr_core.scheduling.accounts import Account, Outcome


@attrs.frozen
class Wait:
    """No account now, but soon: at *until* (``math.inf``: whenever a lease is given back)."""

    until: float


@attrs.frozen
class Refused:
    """No account within a reasonable wait."""


REFUSED = Refused()


class Lease:
    """The right to one request on an account. Given back exactly once."""

    __slots__ = ("_open", "_scheduler", "account")

    def __init__(self, scheduler: "Scheduler", account: Account) -> None:
        self.account = account
        self._scheduler = scheduler
        self._open = True
        account.in_flight += 1
        scheduler.leases += 1
        account.last_lease = scheduler.leases

    def done(self, outcome: Outcome, now: float) -> None:
        """Give the lease back and tell how it went. Raises ``LocalProtocolError`` the second time."""
        if not self._open:
            raise LocalProtocolError(f"the lease on account {self.account.id!r} was given back twice")
        self._open = False
        if not self.account.has_room:
            self._scheduler.freed.append(self.account)
        self.account.in_flight -= 1
        self.account.learn(outcome, now)


class Scheduler:
    """Chooses accounts. Belongs to one gateway."""

    longest_cooldown_wait = 2.0
    """Seconds: a cooldown that ends within them is waited out, a longer one is refused at once."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.accounts = {account.id: account for account in accounts}
        self.leases = 0
        self.freed: list[Account] = []
        """Full accounts on which a lease was given back since the waiters were last asked; cleared by who asks them."""

    @property
    def in_flight(self) -> int:
        """Leases that are out."""
        return sum(account.in_flight for account in self.accounts.values())

    def acquire(self, candidates: Sequence[Account], tried: Sequence[Account], now: float) -> Lease | Wait | Refused:
        """Choose among *candidates* that were not *tried* yet for this request, and claim a place on the best."""
        best: Account | None = None
        best_rank: tuple[int, bool, int, int] | None = None
        busy, soonest = False, math.inf
        for account in candidates:
            if account in tried:
                continue
            if account.is_free(now):
                rank = (
                    -account.priority,
                    account.doubtful_until > now,
                    account.in_flight,
                    account.last_lease,
                )
                if best_rank is None or rank < best_rank:
                    best, best_rank = account, rank
            elif account.stated_until > now:
                soonest = min(soonest, account.stated_until)
            else:
                busy = True
        if best is not None:
            return Lease(self, best)
        if soonest <= now + self.longest_cooldown_wait:
            return Wait(soonest)
        if busy:
            return Wait(soonest)  # whichever comes first: a lease given back, or the end of a cooldown
        return REFUSED

    def soonest_reset(self, candidates: Sequence[Account], now: float) -> float | None:
        """Return the seconds until the first cooldown that a provider stated ends; None if an account is free."""
        waits = [account.stated_until - now for account in candidates]
        return min(waits) if waits and min(waits) > 0 else None

    def refusal_kind(self, candidates: Sequence[Account], now: float) -> ErrorKind:
        """What to tell a client when none of *candidates* can be had: a limit only if every one is rate limited."""
        limited = all(
            account.stated_until > now and account.stated_kind is ErrorKind.RATE_LIMIT for account in candidates
        )
        return ErrorKind.RATE_LIMIT if limited and candidates else ErrorKind.OVERLOADED
