"""Chooses accounts: the preferred one, the session's own, the last used, or the better of two drawn at random.

The rules in their order, each of which asks the one predicate (:meth:`Account.block`):

1. ``scheduling.preferred_account``, whenever it can serve the request;
2. the account that the session is bound to (not in ``performance_first``). If it is limited, it is waited for in
   ``cache_first``; else the request runs elsewhere, and the binding is kept or let go by how long the wait is;
3. for a request without a session, the account of the last one (not in ``performance_first``);
4. the better of two (:mod:`gephyr_core.scheduling.score`).

If nobody can be asked: wait for what will be free soon, give those the benefit of the doubt that are left alone on our
own estimate, and refuse only then.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence

from msgspec import structs

from gephyr_core.commands import Command
from gephyr_core.config import ComplianceConfig, SchedulingConfig
from gephyr_core.errors import ErrorKind
from gephyr_core.scheduling.accounts import Account, Organization
from gephyr_core.scheduling.bindings import BindingChange, Bindings
from gephyr_core.scheduling.blocks import Block, Nature
from gephyr_core.scheduling.decisions import FAILED_REQUEST, FAILED_SESSION, Decision, Decisions, Rule
from gephyr_core.scheduling.learning import Learning
from gephyr_core.scheduling.lease import Lease
from gephyr_core.scheduling.pool import Pool
from gephyr_core.scheduling.queue import WaitingRoom
from gephyr_core.scheduling.score import better
from gephyr_core.scheduling.search import REFUSED, Refused, Search, Wait
from gephyr_core.scheduling.windows import RequestWindow

LONGEST_COOLDOWN_WAIT = 2.0
"""Seconds: a cooldown that ends within them is waited out, a longer one is refused at once."""
_ROOM_OF_THE_LAST_USED = 16
"""Requests in flight up to which an account without ``max_concurrency`` has room for one more without a session."""
_MOST_LAST_USED = 256
_MOST_OWN_POOLS = 4096
_MOST_REMOVED = 1024


class Scheduler(Learning):
    """Chooses accounts. Belongs to one gateway."""

    def __init__(
        self,
        accounts: Iterable[Account],
        config: SchedulingConfig,
        compliance: ComplianceConfig,
        rng: random.Random,
        emit: Callable[[Command], None],
    ) -> None:
        """*rng* is the only source of chance. *emit* takes the commands that the scheduler has to give."""
        super().__init__(compliance, emit)
        self._config = config
        self._rng = rng
        self.sticky = config.mode != "performance_first"
        self.accounts: dict[str, Account] = {}
        self.organizations: dict[str, Organization] = {}
        self.leases = 0
        """How many there have been."""
        self.in_flight = 0
        """Leases that are out, those on accounts that were removed meanwhile too."""
        self.bindings = Bindings(
            config.binding_idle_seconds, config.max_bindings, self.save if config.persist_session_bindings else None
        )
        self.decisions = Decisions(f"{rng.getrandbits(32):08x}")
        self.queue = WaitingRoom()
        most = compliance.in_force.max_global_requests_per_minute
        self.all_requests = None if most is None else RequestWindow(most)
        """Requests on all accounts together, where ``[compliance]`` limits them."""
        self._last_used: dict[tuple[str, str], tuple[Account, float]] = {}
        self._removed: dict[str, Account] = {}
        """Accounts that are gone and may come back."""
        self._own_pools: dict[tuple[str, str], Pool] = {}
        for account in accounts:
            self.add(account)

    # -- the accounts -------------------------------------------------------------------------------------------

    def add(self, account: Account) -> None:
        """Take an account in, or back: one that was here before goes on where it was."""
        self.accounts[account.id] = account
        older = self._removed.pop(account.id, None)
        if older is not None:
            account.take_over(older)
        name = account.id
        if account.organization and account.organization != account.id:
            name = f"{account.provider}:{account.organization}"
        shared = self.organizations.get(name)
        if shared is None:
            shared = self.organizations[name] = Organization(name)
        shared.accounts.append(account)
        account.shared = shared

    def remove(self, account: Account, now: float, *, comes_back: bool = False) -> None:
        """Let an account go: what runs on it ends as it would, and nothing new begins. Its sessions stay with it where
        it *comes_back* at once, changed."""
        del self.accounts[account.id]
        account.shared.accounts.remove(account)
        account.disabled = account.disabled or "removed"
        self._removed[account.id] = account
        if len(self._removed) > _MOST_REMOVED:
            del self._removed[next(iter(self._removed))]
        if not comes_back:
            self.bindings.release_account(account.id, now, "removed")
        account.changed()  # who waited for it alone learns that it does not come

    def forget_idle_pools(self) -> None:
        """Have accounts forget the pools that nobody waits in. One that is used all the same learns anew."""
        self._own_pools = {name: one for name, one in self._own_pools.items() if one.waiters}
        for account in self.accounts.values():
            for pool in list(account.parked_in):
                if not pool.waiters:
                    pool.restore(account)

    # -- choosing -----------------------------------------------------------------------------------------------

    def acquire(self, pool: Pool, search: Search, tried: Sequence[Account], now: float) -> Lease | Wait | Refused:
        """Choose among the accounts of *pool* that were not *tried* yet for this request, and claim a place."""
        if self.all_requests is not None and (opens_at := self.all_requests.opens_at()) > now:
            self.queue.held_until = opens_at
            return Wait(pool)
        search.bound = ""
        search.avoided = self._avoided(pool, search, now) if self.avoidance.rows or search.avoids else ()
        if search.unreachable:
            search.avoided += search.unreachable
        preferred = self.accounts.get(self._config.preferred_account)
        if preferred is not None and self._may_ask(preferred, pool, search, tried, now):
            return self._lease(pool, search, preferred, Rule.PREFERRED, now, tried)
        key, rule = None, Rule.BEST_OF_TWO
        if self.sticky and search.session is not None:
            key = f"{pool.group} {search.session}"
            answer = self._ask_bound(key, pool, search, tried, now)
            if answer is not None:
                return answer
            if search.bound:
                rule = Rule.FALLBACK
        elif self.sticky and (last := self._last_used_of(pool, search, tried, now)) is not None:
            return self._lease(pool, search, last, Rule.LAST_USED, now, tried)
        drawn = pool.draw(2, [*tried, *search.avoided], search.tokens, now, self._rng)
        if not drawn:
            return self._nobody(pool, [*tried, *search.avoided], now)
        scores: tuple[tuple[Account, float], ...] = ()
        chosen = drawn[0]
        if len(drawn) == 2:
            chosen, one, other = better(drawn[0], drawn[1], pool.model, now)
            scores = ((drawn[0], one), (drawn[1], other))
        elif rule is not Rule.FALLBACK:
            rule = Rule.ONLY_ONE
        lease = self._lease(pool, search, chosen, rule, now, tried, scores)
        if key is not None:
            self._keep(key, pool, search, chosen, rule, now)
        return lease

    def _may_ask(self, account: Account, pool: Pool, search: Search, tried: Sequence[Account], now: float) -> bool:
        if account in tried or account in search.avoided or not pool.holds(account):
            return False
        return account.block(pool.model, search.tokens, now) is None

    def _avoided(self, pool: Pool, search: Search, now: float) -> tuple[Account, ...]:
        """The accounts of *pool* that the session leaves alone, unless it was found to have no others. What a request
        begins with it ends with, so that nobody who waits has to be told of a change."""
        if search.doubts_cleared:
            return ()
        names = search.avoids.get(pool.model)
        if names is None:
            names = self.avoidance.avoided(search.who, pool.model, now)
            search.avoids = {**search.avoids, pool.model: names}
        accounts = map(self.accounts.get, names)
        return tuple(account for account in accounts if account is not None and pool.holds(account))

    def _ask_bound(
        self, key: str, pool: Pool, search: Search, tried: Sequence[Account], now: float
    ) -> Lease | Wait | None:
        """Ask the session's own account. None: another one is to be taken; ``search.bound`` says why, if the binding
        is kept meanwhile."""
        name = self.bindings.find(key, now)
        if name is None:
            return None
        account = self.accounts.get(name)
        if account is None or account.disabled or not pool.holds(account):
            reason = "gone" if account is None else account.disabled or "does not serve the model"
            self.bindings.release(key, BindingChange.RELEASED_MISSING, pool.model, now, reason)
            return None
        block = account.block(pool.model, search.tokens, now)
        if block is None:
            if account in tried or account in search.avoided:
                search.bound = FAILED_REQUEST if account in tried else FAILED_SESSION
                return None
            self.bindings.bind(key, name, pool.model, now)
            return self._lease(pool, search, account, Rule.BOUND, now, tried)
        wait = 0.0 if block.nature is Nature.ROOM and block.until == math.inf else block.until - now
        if wait > self._config.max_wait_seconds:
            self.bindings.release(key, BindingChange.RELEASED_FOR_A_LONG_WAIT, pool.model, now, block.reason)
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
            pool = self._own_pools[key] = Pool(model, (account,))
        return pool

    def _last_used_of(self, pool: Pool, search: Search, tried: Sequence[Account], now: float) -> Account | None:
        """Return the account of the latest request without a session, if it is recent and may be asked again."""
        account, at = self._last_used.get((pool.group, pool.family), (None, 0.0))
        if account is None or at + self._config.last_used_lock_seconds <= now:
            return None
        if account.max_concurrency is None and account.in_flight >= _ROOM_OF_THE_LAST_USED:
            return None
        return account if self._may_ask(account, pool, search, tried, now) else None

    def _keep(self, key: str, pool: Pool, search: Search, chosen: Account, rule: Rule, now: float) -> None:
        if rule is Rule.FALLBACK:
            change = BindingChange.FALLBACK_USED
            self.bindings.note(key, chosen.id, change, pool.model, now, search.bound)
        else:
            self.bindings.bind(key, chosen.id, pool.model, now)

    def _lease(
        self,
        pool: Pool,
        search: Search,
        account: Account,
        rule: Rule,
        now: float,
        tried: Sequence[Account],
        scores: tuple[tuple[Account, float], ...] = (),
    ) -> Lease:
        lease = Lease(self, account, pool, search, now)
        if search.session is None and self.sticky and self._config.last_used_lock_seconds:
            self._last_used.pop((pool.group, pool.family), None)
            self._last_used[pool.group, pool.family] = (account, now)  # the latest used is last
            if len(self._last_used) > _MOST_LAST_USED:
                del self._last_used[next(iter(self._last_used))]
        decision = self._decide(pool, search, account.id, rule, now, tried, scores)
        lease.decision, lease.rule, lease.waited = decision.id, rule, decision.waited
        return lease

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

    def clear_doubts(self, pools: Iterable[Pool], search: Search, tried: Sequence[Account], now: float) -> bool:
        """The optimistic reset: let accounts in that are away on our own estimate, or that the session leaves alone.
        Return whether there are any.

        Once for each request. What a provider stated, what ``[compliance]`` says, and that a credential is refused or
        the credit is spent, is never cleared.
        """
        if search.doubts_cleared or self.held(now) is not None:
            return False
        cleared = False
        for pool in pools:
            if any(account not in tried for account in self._avoided(pool, search, now)):
                pool.fresh = self.queue.ask_again = cleared = True
            for account, block in [*pool.parked.items(), *pool.too_large_for.items()]:
                if block.yields and account not in tried and account not in search.unreachable:
                    self.trust(account, pool.model, now)
                    self.queue.ask_again = cleared = True
        search.doubts_cleared = True
        return cleared

    def refuse(self, pools: Sequence[Pool], search: Search, tried: Sequence[Account], now: float) -> str:
        """Record that nobody could be asked; return the decision's id."""
        pool, held = pools[0] if pools else Pool("", ()), self.held(now)
        if held is not None:
            search.held = held.reason
        decision = self._decide(pool, search, None, Rule.REFUSED, now, tried)
        too_small = pool.too_small(search.tokens, now)
        if too_small:
            decision = self.decisions.latest[-1] = structs.replace(decision, parked=(*decision.parked, *too_small))
        return decision.id

    def held(self, now: float) -> Block | None:
        """Return what stands in the way of every request, whoever serves it."""
        if self.all_requests is None or (opens_at := self.all_requests.opens_at()) <= now:
            return None
        reason = f"the gateway's own limit of {self.all_requests.limit} requests per minute on all accounts together"
        return Block(opens_at, Nature.ROOM, reason)

    def soonest_reset(self, pools: Sequence[Pool], now: float, tokens: int = 0, *, sure: bool = False) -> float | None:
        """Return the seconds until the first account of *pools* may be asked for *tokens*; None where one may be now,
        or where no time is known. Where it has to be *sure*, a time of our own guessing is none."""
        soonest, held = self._soonest_account(pools, now, tokens, sure=sure), self.held(now)
        return soonest if held is None else max(soonest or 0.0, held.until - now)

    def _soonest_account(self, pools: Sequence[Pool], now: float, tokens: int, *, sure: bool) -> float | None:
        soonest = math.inf
        for pool in pools:
            if pool.any_free(0, now):
                too_small = pool.too_small(tokens, now)
                if len(too_small) < pool.ready_count:
                    return None
                soonest = min(soonest, *(block.until for _, block in too_small))
            outlook = pool.outlook(())
            if outlook.busy or outlook.doubted or (outlook.estimated and sure):
                return None  # one that is in doubt would be asked all the same
            soonest = min(soonest, outlook.soonest)
        return soonest - now if soonest < math.inf else None

    def refusal_kind(self, pools: Sequence[Pool], now: float, tokens: int = 0) -> ErrorKind:
        """What to tell a client when nobody can be had: a limit only if every account is at one, or could be asked
        but for the limit on all of them together."""
        held = self.held(now) is not None
        limited = all(held or self._is_limited(pool, now, tokens) for pool in pools)
        return ErrorKind.RATE_LIMIT if limited and pools else ErrorKind.OVERLOADED

    def _is_limited(self, pool: Pool, now: float, tokens: int) -> bool:
        if not pool.any_free(0, now):
            return pool.outlook(()).limited
        too_small = pool.too_small(tokens, now)
        return len(too_small) == pool.ready_count and (not pool.parked or pool.outlook(()).limited)
