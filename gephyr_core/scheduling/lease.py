"""Leases: the right to one request on an account, which the ledger has granted."""

import msgspec

from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.decisions import Rule
from gephyr_core.scheduling.search import Choice, Search


class Lease(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The right to one request on an account. Released exactly once, by the scheduler that made it."""

    claim: int
    """Number of the claim that was granted."""
    account: Account
    choice: Choice
    search: Search
    decision: str
    """Id of the decision that chose the account."""
    waited: float
    """Seconds from the beginning of the search."""
    token_number: int
    """Which of the account's access tokens the call carries."""

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self.choice.pool.model

    @property
    def rule(self) -> Rule:
        """What chose the account."""
        return self.choice.rule

    @property
    def current(self) -> Account:
        """The account as it is now, if the operator has changed it since."""
        account = self.account
        return account if account.successor is None else account.current
