"""One request's search for an account, and what comes of it: a choice, a wait, or a refusal."""

from collections.abc import Mapping, Sequence

import attrs
import msgspec

from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.decisions import Rule
from gephyr_core.scheduling.pool import Pool
from gephyr_core.scheduling.strikes import Strike


class Choice(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The result of choosing: accounts for a request, before the ledger books one. Made for every attempt."""

    pool: Pool
    accounts: tuple[Account, ...]
    """Those that will do, the best one first."""
    rule: Rule
    tried: Sequence[Account]
    """Those that failed the request before."""
    session: str = ""
    """Key of the binding that is made or renewed with a grant; empty: none is."""
    scores: tuple[tuple[Account, float], ...] = ()
    """Of the accounts that were compared."""


@attrs.frozen
class Wait:
    """No account now, but soon: *pool* has one when something changes, or at a time."""

    pool: Pool


@attrs.frozen
class Refused:
    """No account within a reasonable wait."""


REFUSED = Refused()
_NOTHING: Mapping[str, list[str]] = {}


class Search(msgspec.Struct, eq=False):
    """One request's search for an account, over all its attempts."""

    exchange: int
    session: str | None
    tokens: int
    """What the request may spend, estimated."""
    since: float
    """When the search, or the search after the latest failure, began; seconds since the epoch."""
    until: float
    """When the wait is over, seconds since the epoch."""
    owner: str = ""
    """Digest of the client key; empty where auth is off."""
    kept: bool = False
    """It was recorded that the session keeps its account over a short wait."""
    cleared_estimates: bool = False
    """Estimates were cleared for it: once is enough."""
    bound: str = ""
    """Why the session's own account is not asked."""
    held: str = ""
    """Why no account is asked: the limit on all requests together."""
    avoided: tuple[Account, ...] = ()
    """Accounts of the pool that was asked last that failed the session twice in a row, and those of ``unreachable``."""
    avoids: Mapping[str, list[str]] = _NOTHING
    """Ids of the accounts that failed the session twice in a row, by model, as the request came upon them."""
    unreachable: tuple[Account, ...] = ()
    """Accounts of hosts to which the request got no connection, and which it does not ask again."""
    strikes: tuple[Strike, ...] = ()
    """Failures of its attempts that may be the accounts' fault."""
    claimed: int = 0
    """Number of its latest claim, so that a fault of our own can release it; 0 if it was released."""

    @property
    def who(self) -> str:
        """Whose request it is, where it matters whether two failures are one client's: the session's, or else the
        client key's. Requests without either are one client's: they cannot be told from each other's repetitions."""
        return f"key {self.owner}" if self.session is None else self.session
