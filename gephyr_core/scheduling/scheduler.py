"""Chooses accounts: the preferred one, the session's own, the last used, or the better of two drawn at random.

The rules in their order, each of which asks the one predicate (:meth:`Account.block`):

1. ``scheduling.preferred_account``, whenever it can serve the request;
2. the account that the session is bound to (not in ``performance_first``). If it is limited, it is waited for in
   ``cache_first``; else the request runs elsewhere, and the binding is kept or let go by how long the wait is;
3. for a request without a session, the account of the last one (not in ``performance_first``);
4. the better of two (:mod:`gephyr_core.scheduling.score`).

If nobody can be asked: wait for what will be free soon, clear the estimates on which accounts are left alone, and
refuse only then.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from msgspec import structs

from gephyr_core.commands import Command, Save
from gephyr_core.config import ComplianceConfig, SchedulingConfig
from gephyr_core.errors import BrokenLawError, ErrorKind
from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.bindings import BindingChange, Bindings
from gephyr_core.scheduling.blocks import Block, Nature
from gephyr_core.scheduling.claims import Claim, Granted, Ledger
from gephyr_core.scheduling.decisions import FAILED_REQUEST, FAILED_SESSION, Decision, Decisions, Rule
from gephyr_core.scheduling.hints import Hints
from gephyr_core.scheduling.learning import Learning
from gephyr_core.scheduling.lease import Lease
from gephyr_core.scheduling.ledger import LocalLedger
from gephyr_core.scheduling.outcomes import NEUTRAL, Outcome
from gephyr_core.scheduling.outlook import is_limited, soonest_account
from gephyr_core.scheduling.pool import Pool
from gephyr_core.scheduling.queue import WaitingRoom
from gephyr_core.scheduling.scopes import ALL, Cost, Kind, Scope
from gephyr_core.scheduling.score import better
from gephyr_core.scheduling.search import REFUSED, Choice, Refused, Search, Wait

LONGEST_COOLDOWN_WAIT = 2.0
"""Seconds: a cooldown that ends within them is waited out, a longer one is refused at once."""
_ROOM_OF_THE_LAST_USED = 16
"""Requests in flight up to which an account without ``max_concurrency`` has room for one more without a session."""
_CANDIDATE = attrgetter("view.candidate")
_MOST_LAST_USED = 256
_MOST_OWN_POOLS = 4096
_MOST_REMOVED = 1024


class Scheduler:
    """Chooses accounts, and has the ledger book what was chosen. Belongs to one gateway.

    A request comes to an account in three steps: :meth:`choose`, :meth:`claim`, which the ledger answers, and
    :meth:`granted`. Nothing is booked before the ledger has answered, so the answer may come later.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        config: SchedulingConfig,
        compliance: ComplianceConfig,
        rng: random.Random,
        emit: Callable[[Command], None],
    ) -> None:
        """*rng* is the only source of chance. *emit* takes the commands that the scheduler has to give."""
        self._config = config
        self._rng = rng
        self.sticky = config.mode != "performance_first"
        self.accounts: dict[str, Account] = {}
        self.hints = Hints()
        save = (lambda binding: emit(Save(binding))) if config.persist_session_bindings else None
        self.bindings = Bindings(config.binding_idle_seconds, config.max_bindings, save)
        rails = compliance.in_force
        self.ledger: Ledger = LocalLedger(self.bindings, rails.risk_cooldown_seconds, emit, self.hints.opened)
        self.learning = Learning(self.ledger)
        self.claims = 0
        """How many there have been."""
        self.decisions = Decisions(f"{rng.getrandbits(32):08x}")
        self.queue = WaitingRoom()
        most = rails.max_global_requests_per_minute
        self._scopes = () if most is None else (Scope(ALL, Kind.WINDOW, Cost.ONE, most),)
        """What every request has to fit in: the limit on all of them together, where ``[compliance]`` sets one."""
        self._last_used: dict[tuple[str, str], tuple[Account, float]] = {}
        self._removed: dict[str, Account] = {}
        """Accounts that are gone and may come back."""
        self._own_pools: dict[tuple[str, str], Pool] = {}
        for account in accounts:
            self.add(account)

    # -- the accounts -------------------------------------------------------------------------------------------

    def add(self, account: Account) -> None:
        """Add an account. One that was removed before takes over the state it had."""
        self.accounts[account.id] = account
        older = self._removed.pop(account.id, None)
        if older is not None and account.goes_on_as(older):
            account.take_over(older)
            self.learning.take_over(account, older)
            account.view = self.ledger.open(account.candidate(), older.view)
        else:
            account.view = self.ledger.open(account.candidate())
            if older is not None:
                self.learning.forget(older)

    def remove(self, account: Account, now: float, *, comes_back: bool = False) -> None:
        """Remove an account. Its running requests go on, and no request begins on it. Its sessions are released, unless
        it *comes_back* at once, changed."""
        del self.accounts[account.id]
        self.ledger.close(account.view)
        account.disabled = account.disabled or "removed"
        self._removed[account.id] = account
        if len(self._removed) > _MOST_REMOVED:
            self.learning.forget(self._removed.pop(next(iter(self._removed))))
        if not comes_back:
            self.ledger.unbind_account(account.id, now, "removed")
        self.hints.opened(account.id)  # who waited for it alone learns that it does not come

    def enable(self, account: Account, now: float) -> None:
        """Put an account into service, and end its cooldowns and strikes: the operator says that it is well."""
        account.disabled = ""
        self.learning.enabled(account)
        self.ledger.reset(account.view, now)

    def pool(self, model: str, accounts: Sequence[Account]) -> Pool:
        """Return a new pool of accounts that can be asked for a model in one way."""
        return Pool(model, accounts, self.hints)

    def forget_idle_pools(self) -> None:
        """Drop the pools in which no request waits, so that no hint reaches them. One that is used again fills anew."""
        self._own_pools = {name: one for name, one in self._own_pools.items() if one.waiters}
        for account in dict.fromkeys((*self.accounts, *self.hints.accounts)):
            self.hints.forget_idle(account)

    # -- choosing -----------------------------------------------------------------------------------------------

    def choose(self, pool: Pool, search: Search, tried: Sequence[Account], now: float) -> Choice | Wait | Refused:
        """Choose among the accounts of *pool* that were not *tried* yet for this request."""
        if self._scopes and (held := self.held(now)) is not None:
            self.queue.held_until = held.until
            return Wait(pool)
        search.bound = ""
        avoidance = self.learning.avoidance
        search.avoided = self._avoided(pool, search, now) if avoidance.rows or search.avoids else ()
        if search.unreachable:
            search.avoided += search.unreachable
        preferred = self.accounts.get(self._config.preferred_account)
        if preferred is not None and self._may_ask(preferred, pool, search, tried, now):
            return Choice(pool, (preferred,), Rule.PREFERRED, tried)
        key, rule = "", Rule.BEST_OF_TWO
        if self.sticky and search.session is not None:
            key = f"{pool.group} {search.session}"
            answer = self._ask_bound(key, pool, search, tried, now)
            if answer is not None:
                return answer
            if search.bound:
                key, rule = "", Rule.FALLBACK
        elif self.sticky and (last := self._last_used_of(pool, search, tried, now)) is not None:
            return Choice(pool, (last,), Rule.LAST_USED, tried)
        drawn = pool.draw(2, [*tried, *search.avoided], search.tokens, now, self._rng)
        if not drawn:
            return self._nobody(pool, [*tried, *search.avoided], now)
        if len(drawn) == 1:
            return Choice(pool, (drawn[0],), rule if rule is Rule.FALLBACK else Rule.ONLY_ONE, tried, key)
        first, second = drawn
        chosen, one, other = better(first, second, pool.model, now)
        accounts = (first, second) if chosen is first else (second, first)
        return Choice(pool, accounts, rule, tried, key, ((first, one), (second, other)))

    def _may_ask(self, account: Account, pool: Pool, search: Search, tried: Sequence[Account], now: float) -> bool:
        if account in tried or account in search.avoided or not pool.holds(account):
            return False
        return account.block(pool.model, search.tokens, now) is None

    def _avoided(self, pool: Pool, search: Search, now: float) -> tuple[Account, ...]:
        """The accounts of *pool* that the session leaves alone, unless it was found to have no others. What a request
        begins with it ends with, so that nobody who waits has to be told of a change."""
        if search.cleared_estimates:
            return ()
        names = search.avoids.get(pool.model)
        if names is None:
            names = self.learning.avoidance.avoided(search.who, pool.model, now)
            search.avoids = {**search.avoids, pool.model: names}
        accounts = map(self.accounts.get, names)
        return tuple(account for account in accounts if account is not None and pool.holds(account))

    def _ask_bound(
        self, key: str, pool: Pool, search: Search, tried: Sequence[Account], now: float
    ) -> Choice | Wait | None:
        """Ask the session's own account. None: another one is to be taken; ``search.bound`` says why, if the binding
        is kept meanwhile."""
        name = self.bindings.find(key, now)
        if name is None:
            return None
        account = self.accounts.get(name)
        if account is None or account.disabled or not pool.holds(account):
            reason = "gone" if account is None else account.disabled or "does not serve the model"
            self.ledger.unbind(key, BindingChange.RELEASED_MISSING, pool.model, now, reason)
            return None
        block = account.block(pool.model, search.tokens, now)
        if block is None:
            if account in tried or account in search.avoided:
                search.bound = FAILED_REQUEST if account in tried else FAILED_SESSION
                return None
            return Choice(pool, (account,), Rule.BOUND, tried, key)
        wait = 0.0 if block.nature is Nature.ROOM and block.until == math.inf else block.until - now
        if wait > self._config.max_wait_seconds:
            self.ledger.unbind(key, BindingChange.RELEASED_FOR_A_LONG_WAIT, pool.model, now, block.reason)
            return None
        if not search.kept:
            search.kept = True
            change = BindingChange.KEPT_FOR_A_SHORT_WAIT
            self.bindings.note(key, name, change, pool.model, now, block.reason)
        if self._config.mode == "cache_first" and account not in tried and now + wait < search.until:
            own = self._own_pool(account, pool.model)
            if not own.any_free(search.tokens, now):
                return Wait(own)
        search.bound = block.reason
        return None

    def _own_pool(self, account: Account, model: str) -> Pool:
        """Return the pool that is one account alone, for those who wait for just that one."""
        key = (account.id, model)
        pool = self._own_pools.get(key)
        if pool is None or pool.accounts[0] is not account:
            if len(self._own_pools) >= _MOST_OWN_POOLS:
                self.forget_idle_pools()
            pool = self._own_pools[key] = self.pool(model, (account,))
        return pool

    def _last_used_of(self, pool: Pool, search: Search, tried: Sequence[Account], now: float) -> Account | None:
        """Return the account of the latest request without a session, if it is recent and may be asked again."""
        account, at = self._last_used.get((pool.group, pool.family), (None, 0.0))
        if account is None or at + self._config.last_used_lock_seconds <= now:
            return None
        if account.view.most_in_flight is None and account.view.in_flight >= _ROOM_OF_THE_LAST_USED:
            return None
        return account if self._may_ask(account, pool, search, tried, now) else None

    # -- claiming -----------------------------------------------------------------------------------------------

    def claim(self, choice: Choice, search: Search) -> Claim:
        """Return the claim for a choice. The caller passes it to the ledger."""
        self.claims += 1
        search.claimed = self.claims
        candidates = tuple(map(_CANDIDATE, choice.accounts))
        return Claim(self.claims, candidates, choice.pool.model, search.tokens, choice.session, self._scopes)

    def granted(self, choice: Choice, search: Search, claim: Claim, granted: Granted, now: float) -> Lease:
        """Record the decision for a claim that the ledger granted, and return the lease."""
        pool, account = choice.pool, choice.accounts[0]
        if account.id != granted.account:
            account = next(one for one in choice.accounts if one.id == granted.account)
        account.health.began(now)
        if search.session is None and self.sticky and self._config.last_used_lock_seconds:
            self._last_used.pop((pool.group, pool.family), None)
            self._last_used[pool.group, pool.family] = (account, now)  # the latest used is last
            if len(self._last_used) > _MOST_LAST_USED:
                del self._last_used[next(iter(self._last_used))]
        decision = self._decide(pool, search, account.id, choice.rule, now, choice.tried, choice.scores)
        if choice.rule is Rule.FALLBACK:
            key = f"{pool.group} {search.session}"
            self.bindings.note(key, account.id, BindingChange.FALLBACK_USED, pool.model, now, search.bound)
        return Lease(claim.number, account, choice, search, decision.id, decision.waited, account.token_number)

    def claim_again(self, lease: Lease) -> Claim:
        """Return the claim for sending the call of a lease a second time."""
        candidates, tokens = (lease.current.view.candidate,), lease.search.tokens
        return Claim(lease.claim, candidates, lease.model, tokens, scopes=self._scopes, again=True)

    def granted_again(self, lease: Lease, now: float) -> None:
        """Count the second call of a lease, which the ledger granted."""
        lease.current.health.began(now)

    def release(self, lease: Lease, outcome: Outcome, now: float, spent: int | None = None) -> None:
        """Release a lease, and learn from *outcome*. *spent*: tokens, as the provider counted them; None if that is not
        known. Raises ``BrokenLawError`` the second time."""
        search = lease.search
        if search.claimed != lease.claim:
            raise BrokenLawError(f"the lease on account {lease.account.id!r} was given back twice")
        self.learning.ended(lease, outcome, now)
        self.ledger.release(lease.claim, spent, outcome, now)
        search.claimed = 0

    def abandon(self, search: Search, now: float) -> None:
        """Release the claim of a search that a fault of our own ended, if the claim is out."""
        number, search.claimed = search.claimed, 0
        if number and not self.ledger.renew([number]):
            self.ledger.release(number, None, NEUTRAL, now)

    def _decide(
        self,
        pool: Pool,
        search: Search,
        account: str | None,
        rule: Rule,
        now: float,
        tried: Sequence[Account],
        scores: tuple[tuple[Account, float], ...] = (),
    ) -> Decision:
        decision = Decision(
            self.decisions.next_id(),
            now,
            search.exchange,
            pool.model,
            search.session,
            rule,
            account,
            len(tried),
            now - search.since,
            scores,
            tuple(tried),
            pool.passed_over() if pool.parked else (),
            pool.not_drawn(),
            search.bound,
            len(pool.accounts),
            search.held,
            search.avoided,
        )
        self.decisions.latest.append(decision)
        return decision

    # -- nobody -------------------------------------------------------------------------------------------------

    def _nobody(self, pool: Pool, tried: Sequence[Account], now: float) -> Wait | Refused:
        outlook = pool.outlook(tried)
        soonest, room = outlook.soonest, outlook.room
        for block in pool.too_large_for.values():
            soonest, room = min(soonest, block.until), room or block.nature is Nature.ROOM
        return Wait(pool) if room or soonest <= now + LONGEST_COOLDOWN_WAIT else REFUSED

    def clear_estimates(self, pools: Iterable[Pool], search: Search, tried: Sequence[Account], now: float) -> bool:
        """The optimistic reset: ask accounts again that are left alone on an estimate, or by the session alone. Return
        whether there are any.

        Once for each request. What a provider stated, what ``[compliance]`` says, and that a credential is refused or
        the credit is spent, is never cleared.
        """
        if search.cleared_estimates or self.held(now) is not None:
            return False
        cleared = False
        for pool in pools:
            if any(account not in tried for account in self._avoided(pool, search, now)):
                pool.fresh = self.queue.ask_again = cleared = True
            for account, block in [*pool.parked.items(), *pool.too_large_for.items()]:
                if block.yields and account not in tried and account not in search.unreachable:
                    if account.origins is not None:
                        account.origins.clear_estimate(account.id, account.origin, now)
                    self.ledger.clear_estimates(account.view, pool.model, now)
                    self.queue.ask_again = cleared = True
        search.cleared_estimates = True
        return cleared

    def refuse(self, pools: Sequence[Pool], search: Search, tried: Sequence[Account], now: float) -> str:
        """Record that nobody could be asked; return the decision's id."""
        pool, held = pools[0] if pools else self.pool("", ()), self.held(now)
        if held is not None:
            search.held = held.reason
        decision = self._decide(pool, search, None, Rule.REFUSED, now, tried)
        too_small = pool.too_small(search.tokens, now)
        if too_small:
            decision = self.decisions.latest[-1] = structs.replace(decision, parked=(*decision.parked, *too_small))
        return decision.id

    def held(self, now: float) -> Block | None:
        """Return the block on every request, whoever serves it: the limit on all together. None if there is room."""
        return self.ledger.blocked(self._scopes, now) if self._scopes else None

    def soonest_reset(self, pools: Sequence[Pool], now: float, tokens: int = 0, *, sure: bool = False) -> float | None:
        """Return the seconds until the first account of *pools* may be asked for *tokens*; None where one may be now,
        or where no time is known. Where it has to be *sure*, a time of our own guessing is none."""
        soonest, held = soonest_account(pools, now, tokens, sure=sure), self.held(now)
        return soonest if held is None else max(soonest or 0.0, held.until - now)

    def refusal_kind(self, pools: Sequence[Pool], now: float, tokens: int = 0) -> ErrorKind:
        """What to tell a client when nobody can be had: a limit only if every account is at one, or could be asked
        but for the limit on all of them together."""
        held = self.held(now) is not None
        limited = all(held or is_limited(pool, now, tokens) for pool in pools)
        return ErrorKind.RATE_LIMIT if limited and pools else ErrorKind.OVERLOADED
