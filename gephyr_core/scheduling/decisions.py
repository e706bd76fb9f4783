"""Decision records: which account was chosen for a request, by which rule, and why the others were not."""

import enum
from collections import deque
from collections.abc import Iterator

import msgspec

from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.blocks import Block

MOST_DECISIONS = 4096
FAILED_REQUEST = "failed this request before"
FAILED_SESSION = "failed this session twice in a row"


class Rule(enum.Enum):
    """What chose an account."""

    PREFERRED = "preferred"
    """``scheduling.preferred_account``."""
    BOUND = "bound"
    """The session's own account."""
    FALLBACK = "fallback"
    """The best of two, while the session's own account is away for a short time."""
    LAST_USED = "last_used"
    """The account of the latest request without a session."""
    BEST_OF_TWO = "best_of_two"
    """The better of two drawn at random."""
    ONLY_ONE = "only_one"
    """Nobody else could be asked."""
    REFUSED = "refused"
    """Nobody could be asked within the time there was."""


class Decision(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One choice of an account, with what it was made of. Refers to accounts; written out when it is read.

    Made for every attempt, and so a struct, which costs a third of what a frozen attrs class does.
    """

    id: str
    at: float
    """Seconds since the epoch."""
    exchange: int
    model: str
    session: str | None
    rule: Rule
    account: str | None
    attempt: int
    """How many accounts had failed this request before."""
    waited: float
    """Seconds."""
    scores: tuple[tuple[Account, float], ...] = ()
    """Of the accounts that were compared."""
    tried: tuple[Account, ...] = ()
    parked: tuple[tuple[Account, Block], ...] = ()
    ready: tuple[Account, ...] = ()
    bound: str = ""
    """What stood in the way of the session's own account."""
    pool: int = 0
    """How many accounts serve the model."""
    held: str = ""
    """Why nobody was asked, whoever might have been: the limit on all requests together."""
    avoided: tuple[Account, ...] = ()
    """Those that failed the session twice in a row."""

    def candidates(self) -> Iterator[tuple[str, str]]:
        """Yield accounts with what became of each; of a large pool, not all of them."""
        told: dict[str, str] = {}
        if self.account is not None:
            told[self.account] = f"chosen: {self.rule.value}"
        for account in self.tried:
            told.setdefault(account.id, FAILED_REQUEST)
        for account, value in self.scores:
            told.setdefault(account.id, f"score {value:.3f} is lower")
        for account, block in self.parked:
            told.setdefault(account.id, block.reason)
        for account in self.avoided:
            told.setdefault(account.id, FAILED_SESSION)
        for account in self.ready:
            told.setdefault(account.id, self.held or "not drawn")
        yield from told.items()


class Decisions:
    """The latest decisions, and the ids of the next."""

    def __init__(self, prefix: str) -> None:
        """*prefix* tells this gateway's decisions from an earlier one's."""
        self._prefix = prefix
        self._serial = 0
        self.latest: deque[Decision] = deque(maxlen=MOST_DECISIONS)

    def next_id(self) -> str:
        """Make the id of one more."""
        self._serial += 1
        return f"dec_{self._prefix}{self._serial:x}"

    def find(self, decision_id: str) -> Decision | None:
        """Return the decision of this id, if it is among the latest."""
        return next((one for one in reversed(self.latest) if one.id == decision_id), None)
