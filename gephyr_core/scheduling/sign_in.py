"""The life of access tokens (RFC 6749): refreshed ahead of their end, once, however many requests wait.

A token is refreshed within a window before its end, at a moment of chance, so that accounts that signed in together do
not refresh together. While it is good, requests go on with it; once it is not, they wait for the new one. A refresh
token that is refused for good takes the account out of service until the operator signs in again.

A provider may refuse a token before its end: then another one is fetched. If that one is refused too before it has
served a request, the account is at fault and not its token, so a third one is not fetched for a while.
"""

import heapq
import math
import random
from collections.abc import Callable

import attrs

from gephyr_core.errors import ErrorKind, Fault
from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.blocks import Block, Nature

WINDOW = 300.0
"""Seconds before its end in which a token is refreshed, or a fifth of its life if that is shorter."""
TIMEOUT = 30.0
"""Seconds a refresh may take."""
RETRIES = (2.0, 5.0, 15.0, 60.0, 300.0)
"""Seconds until the first, second, ... new try after a refresh that failed; the last one repeats."""
RENEWALS = (0.0, 600.0, 1800.0, 3600.0)
"""Seconds from one renewal of a refused token to the next, by how many tokens in a row were refused and had served
nothing; the last one repeats."""
_FASTEST_RENEWALS = 60.0
"""Seconds in which tokens that served before they were refused are renewed no more than twice."""
_OURS = (Fault.LOCAL.value, Fault.GATEWAY.value)
"""Codes of failures that say nothing of the account."""
_NO_ANSWER = 2 * TIMEOUT
_SIGNING_IN = Block(math.inf, Nature.ROOM, "signing in")


@attrs.define(eq=False)
class _Life:
    account: Account
    due: float
    """When the token is to be refreshed, seconds since the epoch; ``math.inf`` while the account is out of service."""
    on_disk: float
    """When the token ends that was last known to be on the disk; a provider may have refused it since."""
    failures: int = 0
    renewed_at: tuple[float, float] = (-math.inf, -math.inf)
    """When a refused token was last renewed, and when the time before."""
    useless: int = 0
    """How many tokens were fetched in place of refused ones since one served a request."""

    def reset(self) -> None:
        """Forget failures and renewals: the operator has seen to the account."""
        self.failures = self.useless = 0
        self.renewed_at = (-math.inf, -math.inf)

    def renews(self, now: float) -> bool:
        """Whether another token may be had in place of one that the provider refused. Counts it."""
        if self.account.accepted_token == self.account.token_number:
            self.useless = 0
        last, before = self.renewed_at
        if now < max(last + RENEWALS[min(self.useless, len(RENEWALS) - 1)], before + _FASTEST_RENEWALS):
            return False
        self.useless += 1
        self.renewed_at = (now, last)
        return True


class SignIn:
    """The tokens of all accounts that sign in."""

    def __init__(self, rng: random.Random, opened: Callable[[str], None]) -> None:
        """*opened* hints that the account of an id may be asked again."""
        self._rng = rng
        self._opened = opened
        self.lives: dict[str, _Life] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._serial = 0
        self._awaited: dict[str, float] = {}
        """Accounts that are being refreshed, with the time after which an answer is taken for lost. Outlives them."""

    def add(self, account: Account, expires_at: float, now: float) -> None:
        """An account has a token until *expires_at*, or has to get one (0)."""
        account.token_until = expires_at
        account.token_block = _SIGNING_IN
        life = self.lives[account.id] = _Life(account, math.inf, expires_at)
        self._plan_refresh(life, now)

    def forget(self, account: Account) -> None:
        """The account is gone."""
        self.lives.pop(account.id, None)

    @property
    def deadline(self) -> float:
        """When the next refresh is due; ``math.inf`` where none is."""
        heap = self._heap
        while heap:
            at, _, name = heap[0]
            life = self.lives.get(name)
            if life is not None and life.due == at:
                return at
            heapq.heappop(heap)
        return math.inf

    def due(self, now: float) -> list[Account]:
        """Return the accounts whose tokens are to be refreshed now."""
        begun = []
        while self.deadline <= now:
            _, _, name = heapq.heappop(self._heap)
            life = self.lives[name]
            if life.account.disabled:
                life.due = math.inf
                continue
            self._awaited[name] = now + _NO_ANSWER
            begun.append(life.account)
            life.account.token_block = _SIGNING_IN
            self._plan(life, now + _NO_ANSWER)  # an answer is promised; if it is lost, this is tried again
        return begun

    def refreshed(self, name: str, expires_at: float, now: float) -> bool:
        """There is a new token. Return whether anybody asked for it."""
        self._awaited.pop(name, None)
        life = self.lives.get(name)
        if life is None:
            return False
        self._take(life, expires_at, now)
        return True

    def signed_in(self, name: str, expires_at: float, now: float) -> bool:
        """The disk has a token until *expires_at*. Return whether it is another than before."""
        life = self.lives.get(name)
        if life is None or expires_at <= now or expires_at == life.on_disk:
            return False
        life.reset()
        self._take(life, expires_at, now)
        return True

    def _take(self, life: _Life, expires_at: float, now: float) -> None:
        account = life.account
        life.failures, life.on_disk = 0, expires_at
        account.token_until, account.token_number = expires_at, account.token_number + 1
        self._plan_refresh(life, now)
        self._opened(account.id)

    def failed(self, name: str, retry_after: float | None, reason: str, now: float) -> Account | None:
        """There is no new token, and there may be one later. Return the account."""
        self._awaited.pop(name, None)
        life = self.lives.get(name)
        if life is None:
            return None
        kind: ErrorKind | None = None
        wait = RETRIES[0]
        if reason not in _OURS:
            kind = ErrorKind.CREDENTIAL
            wait = max(retry_after or 0.0, RETRIES[min(life.failures, len(RETRIES) - 1)])
            life.failures += 1
        life.account.token_block = Block(now + wait, Nature.STATED, f"sign-in failed: {reason}", kind)
        self._plan(life, now + wait)
        self._opened(name)  # who waited for the token learns that it does not come
        return life.account

    def enabled(self, account: Account, now: float) -> None:
        """The account is back in service: try again at once if it has no token."""
        life = self.lives.get(account.id)
        if life is None:
            return
        life.reset()
        if account.token_until <= now:
            account.token_block = _SIGNING_IN
        self._plan_refresh(life, now)

    def rejected(self, account: Account, token_number: int, now: float) -> bool:
        """The provider answered 401 to a token that should be good: get another, unless that would be of no use.

        Return whether the account has another one, or gets one.
        """
        life = self.lives.get(account.id)
        if life is None:
            return False
        account = life.account  # the operator may have changed it meanwhile
        if token_number == account.token_number and account.token_until > now:
            if not life.renews(now):
                return False
            account.token_until, account.token_block = 0.0, _SIGNING_IN
            self._plan_refresh(life, now)
        return True

    def _plan_refresh(self, life: _Life, now: float) -> None:
        """Plan the next refresh by the token's end; while one is under way, its answer is awaited first."""
        lost_at = self._awaited.get(life.account.id, 0.0)
        self._plan(life, lost_at if lost_at > now else self._moment(life.account.token_until, now))

    def _plan(self, life: _Life, at: float) -> None:
        life.due = at
        self._serial += 1
        heapq.heappush(self._heap, (at, self._serial, life.account.id))

    def _moment(self, expires_at: float, now: float) -> float:
        window = min(WINDOW, (expires_at - now) / 5)
        return now if window <= 0.0 else expires_at - window * (0.5 + 0.5 * self._rng.random())
