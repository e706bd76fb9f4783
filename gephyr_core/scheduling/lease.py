"""Leases: the right to one request on an account, claimed at once with everything that counts it."""

from typing import TYPE_CHECKING

from gephyr_core.errors import BrokenLawError
from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.cooldowns import Estimate
from gephyr_core.scheduling.decisions import Rule
from gephyr_core.scheduling.outcomes import Outcome
from gephyr_core.scheduling.windows import Spent

if TYPE_CHECKING:
    from gephyr_core.scheduling.pool import Pool
    from gephyr_core.scheduling.scheduler import Scheduler
    from gephyr_core.scheduling.search import Search


class Lease:
    """The right to one request on an account. Given back exactly once."""

    __slots__ = (
        "_open",
        "_scheduler",
        "account",
        "decision",
        "model",
        "pool",
        "probes",
        "rule",
        "search",
        "spent",
        "token_number",
        "tokens",
        "waited",
    )

    def __init__(self, scheduler: "Scheduler", account: Account, pool: "Pool", search: "Search", now: float) -> None:
        """Claim a place on *account* of *pool*, in every window that counts its requests."""
        self.account = account
        self.pool = pool
        self.search = search
        self.model = model = pool.model
        self.tokens = search.tokens
        """What the request may spend, as estimated."""
        self.token_number = account.token_number
        self.decision = ""
        self.rule = Rule.ONLY_ONE
        self.waited = 0.0
        self.probes: list[Estimate] = []
        """Estimates that this request tries."""
        self.spent: list[Spent] = []
        self._scheduler = scheduler
        self._open = True
        search.lease = self
        account.in_flight += 1
        scheduler.leases += 1
        scheduler.in_flight += 1
        account.last_lease = scheduler.leases
        self._count(now)
        if account.cooldowns.estimates:
            self.probes += account.cooldowns.probe(model, now)
        if account.shared.cooldowns.estimates:
            self.probes += account.shared.cooldowns.probe(model, now)

    @property
    def current(self) -> Account:
        """The account as it is now, if the operator has changed it since."""
        return self.account.current

    @property
    def is_open(self) -> bool:
        """Whether it was not given back yet."""
        return self._open

    def _count(self, now: float) -> None:
        account, window = self.current, self._scheduler.all_requests
        if window is not None:
            window.add(now)
        if account.requests is not None:
            account.requests.add(now)
        if account.tokens is not None:
            self.spent.append(account.tokens.add(self.tokens, now))
        if account.shared.remaining:
            remaining = account.shared.remaining.get(account.scope(self.model))
            if remaining is not None:
                remaining.claim(self.tokens, now)
        account.health.began(now)

    def again(self, now: float) -> bool:
        """Count one more request on the account, for a call that is sent a second time. Return whether it may be.

        The first one is taken for unread: its tokens were not spent.
        """
        account, window = self.current, self._scheduler.all_requests
        if account.disabled or account.token_until <= now or account.is_told_off(self.model, now):
            return False
        if window is not None and window.opens_at() > now:
            return False
        if account.requests is not None and account.requests.opens_at() > now:
            return False
        self.settle(0)
        if account.tokens is not None and account.tokens.opens_at(self.tokens, now) > now:
            return False
        self._count(now)
        return True

    def settle(self, tokens: int) -> None:
        """The request has spent *tokens*, as the provider says."""
        account = self.current
        if account.tokens is None or not self.spent:
            return
        account.tokens.settle(self.spent[-1], tokens)
        if tokens < self.tokens:
            account.changed()

    def done(self, outcome: Outcome, now: float) -> None:
        """Give the lease back and tell how it went. Raises ``BrokenLawError`` the second time."""
        if not self._open:
            raise BrokenLawError(f"the lease on account {self.account.id!r} was given back twice")
        account = self.current
        makes_room = account.full
        self._open = False
        self.search.lease = None  # or the two would hold each other until the garbage collector comes
        account.in_flight -= 1
        self._scheduler.in_flight -= 1
        try:
            self._scheduler.learn(self, outcome, now)  # before its probes end: one that fails is a failure more
        finally:
            for estimate in self.probes:
                estimate.probing = False
        if self.probes:
            account.shared.changed()
        elif makes_room:
            account.changed()
