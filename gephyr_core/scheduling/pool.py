"""A pool: the accounts that can serve one model, with those that may be asked now at hand.

The cost of a choice must not grow with the pool. So a pool keeps, for each priority, a list of accounts that are
*ready* as far as it knows, and draws from it; one that turns out to be blocked is *parked* with its reason until a time
comes or a hint tells that something changed. Each change is paid for once, and the predicate has the last word.
"""

import heapq
import math
import random
import re
from collections.abc import Sequence
from itertools import islice

import attrs

from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.blocks import Block, Nature
from gephyr_core.scheduling.hints import Hints

_FAMILY = re.compile(r"[A-Za-z]+")
_MOST_NAMED = 32
"""Accounts whose reasons a decision tells one by one."""


@attrs.frozen
class Outlook:
    """What the parked accounts of a pool have to say, together."""

    soonest: float
    """When the first cooldown ends, seconds since the epoch; ``math.inf`` where none does."""
    room: bool
    """One of them is at its own limits, and will be free without anybody's word."""
    busy: bool
    """One of them will be so as soon as a request ends, or a token comes."""
    clearable: bool
    """One of them is left alone on an estimate that may be cleared."""
    estimated: bool
    """One of them is left alone on an estimate."""
    reasons: tuple[tuple[str, int], ...]
    """Each with the number of accounts it keeps away."""
    limited: bool
    """Every one of them is kept away by a rate limit."""


class Pool:
    """Accounts that can be asked for one model in one way. Belongs to one scheduler."""

    __slots__ = (
        "_heap",
        "_members",
        "_outlook",
        "_rooms",
        "_serial",
        "accounts",
        "family",
        "fresh",
        "group",
        "hints",
        "model",
        "opens_at",
        "parked",
        "tiers",
        "too_large_for",
        "waiters",
    )

    def __init__(self, model: str, accounts: Sequence[Account], hints: Hints) -> None:
        """*hints* tell when an account that is passed over may be asked again."""
        self.model = model
        self.accounts = accounts
        self.hints = hints
        self.group = "+".join(dict.fromkeys(account.provider for account in accounts))
        """The kinds of account there are: a session has one account of each such group."""
        self.family = _family(model)
        tiers: dict[int, list[Account]] = {}
        for account in accounts:
            tiers.setdefault(account.priority, []).append(account)
        self.tiers = tuple((priority, tiers[priority]) for priority in sorted(tiers, reverse=True))
        self.parked: dict[Account, Block] = {}
        self.waiters: dict[int, int] = {}
        """Exchanges that wait for one of these accounts, with their places in the queue; first come first."""
        self.fresh = False
        """An account came back since the waiters were last asked."""
        self.opens_at = math.inf
        """When one that was passed over for a request's size may take it, seconds since the epoch."""
        self.too_large_for: dict[Account, Block] = {}
        """Accounts that the latest draw passed over for the request's size."""
        self._heap: list[tuple[float, int, Account]] = []
        self._serial = 0
        self._rooms = 0
        """Parked accounts that are at their own limits."""
        self._members: dict[Account, None] | None = None
        self._outlook: Outlook | None = None

    def holds(self, account: Account) -> bool:
        """Whether it is one of these accounts."""
        if self._members is None:
            self._members = dict.fromkeys(self.accounts)
        return account in self._members

    @property
    def is_waited_for(self) -> bool:
        """Whether any request waits for one of its accounts."""
        return bool(self.waiters)

    @property
    def ready_count(self) -> int:
        """How many accounts may be asked, as far as is known without looking."""
        return len(self.accounts) - len(self.parked)

    @property
    def is_worth_asking(self) -> bool:
        """Whether those who wait may learn something: an account may be had, as far as is known without looking, or
        none of them is waited for any more, since they are all limited."""
        return self.ready_count > 0 or not self._rooms

    def draw(self, count: int, avoid: list[Account], tokens: int, now: float, rng: random.Random) -> list[Account]:
        """Return up to *count* accounts that may be asked, drawn evenly from the highest priority that has any.

        None of *avoid*, to which those that are drawn are added. Those that turn out blocked are parked, unless it is
        for the request's size alone.
        """
        self.unpark_due(now)
        self.too_large_for.clear()
        drawn: list[Account] = []
        for _, ready in self.tiers:
            while len(drawn) < count and ready:
                account = self._first_free(ready, int(rng.random() * len(ready)), avoid, tokens, now)
                if account is None:
                    break
                drawn.append(account)
                avoid.append(account)
            if drawn:
                break
        return drawn

    def _first_free(
        self, ready: list[Account], at: int, avoid: list[Account], tokens: int, now: float
    ) -> Account | None:
        """Return the first account from the place *at* on that may be asked."""
        left = len(ready)
        while left:
            if at >= len(ready):
                at = 0
            account = ready[at]
            if account not in avoid:
                block = account.block(self.model, tokens, now)
                if block is None:
                    return account
                if not block.sized:
                    self._park(ready, at, block)
                    left = len(ready)  # the last one has come here
                    continue
                self.too_large_for[account] = block
                self.opens_at = min(self.opens_at, block.until)
                self.hints.watch(self, account)
            at += 1
            left -= 1
        return None

    def _park(self, ready: list[Account], at: int, block: Block) -> None:
        account = ready[at]
        ready[at] = ready[-1]
        ready.pop()
        self.parked[account] = block
        self._rooms += block.nature is Nature.ROOM
        self._outlook = None
        self.hints.watch(self, account)
        if block.look_at < math.inf:
            self._serial += 1
            heapq.heappush(self._heap, (block.look_at, self._serial, account))

    def restore(self, account: Account) -> None:
        """Offer the account again."""
        self.fresh = True
        self.hints.unwatch(self, account)
        block = self.parked.pop(account, None)
        if block is None:
            return  # it was passed over for a request's size alone
        self._rooms -= block.nature is Nature.ROOM
        self._outlook = None
        for priority, ready in self.tiers:
            if priority == account.priority:
                ready.append(account)

    def unpark_due(self, now: float) -> None:
        """Offer those again whose time has come."""
        if self.opens_at <= now:
            self.opens_at, self.fresh = math.inf, True
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, _, account = heapq.heappop(heap)
            block = self.parked.get(account)
            if block is not None and block.look_at == at:
                self.restore(account)

    def next_change(self) -> float:
        """When the next account is to be looked at again; ``math.inf`` where no time is known."""
        return min(self.opens_at, self._next_parked())

    def _next_parked(self) -> float:
        heap = self._heap
        while heap:
            at, _, account = heap[0]
            block = self.parked.get(account)
            if block is not None and block.look_at == at:
                return at
            heapq.heappop(heap)
        return math.inf

    def any_free(self, tokens: int, now: float) -> bool:
        """Whether an account may be asked, by looking. Parks those that may not."""
        self.unpark_due(now)
        for _, ready in self.tiers:
            while ready:
                block = ready[-1].block(self.model, tokens, now)
                if block is None or block.sized:
                    return True
                self._park(ready, len(ready) - 1, block)
        return False

    def too_small(self, tokens: int, now: float) -> list[tuple[Account, Block]]:
        """Return the accounts that may be asked, but not for a request of this size, each with what is in its way."""
        found = []
        for _, ready in self.tiers:
            for account in ready:
                block = account.block(self.model, tokens, now)
                if block is not None and block.sized:
                    found.append((account, block))
        return found

    def outlook(self, tried: Sequence[Account]) -> Outlook:
        """Sum up what keeps the parked accounts away, those in *tried* left out."""
        if not tried and self._outlook is not None:
            return self._outlook
        soonest, room, busy, clearable, estimated = math.inf, False, False, False, False
        limited = bool(self.parked)
        reasons: dict[str, int] = {}
        for account, block in self.parked.items():
            reasons[block.reason] = reasons.get(block.reason, 0) + 1
            limited = limited and block.limits
            if account in tried:
                continue
            if block.nature is Nature.ROOM:
                room, busy = True, busy or block.until == math.inf
            elif block.nature is Nature.ESTIMATED:
                clearable, estimated = clearable or block.yields, True
            if block.nature is not Nature.OUT:
                soonest = min(soonest, block.until)
        outlook = Outlook(soonest, room, busy, clearable, estimated, tuple(reasons.items()), limited)
        if not tried:
            self._outlook = outlook
        return outlook

    def passed_over(self) -> tuple[tuple[Account, Block], ...]:
        """Return parked accounts with their reasons, as many as are told one by one."""
        return tuple(islice(self.parked.items(), _MOST_NAMED))

    def not_drawn(self) -> tuple[Account, ...]:
        """Return accounts that are ready, as many as are told one by one."""
        if len(self.tiers) == 1:
            return tuple(self.tiers[0][1][:_MOST_NAMED])
        return tuple(account for _, ready in self.tiers for account in ready[:_MOST_NAMED])[:_MOST_NAMED]


def _family(model: str) -> str:
    """Return what models of one family have in common: ``claude``, ``gpt``, ``gemini``."""
    match = _FAMILY.match(model.rpartition("/")[2])
    return match[0] if match else model
