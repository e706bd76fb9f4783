"""How an attempt ended, as far as it concerns the account that was asked."""

import enum

import attrs

from gephyr_core.providers.classification import Verdict


class Says(enum.Enum):
    """What the end of an attempt says about its account. The one place where blame is told apart."""

    WELL = "well"
    """The account served the request."""
    NOTHING = "nothing"
    """The client left, the gateway stopped, a proxy or this machine failed, or the request itself is at fault."""
    FAILED = "failed"
    """The provider failed without a word about why: a stall, a cut, an unreadable reply, a bare server error inside a
    200. It counts in the account's health; one alone benches nobody, a few in a row do."""
    REFUSED = "refused"
    """The provider refused in its own words (a limit, an overload, a credential): the account is benched at once."""
    UNREACHABLE = "unreachable"
    """No connection could be made: that says something about the provider's host, not about the account."""


@attrs.frozen
class Outcome:
    """How an attempt ended, as far as it concerns the account."""

    says: Says = Says.NOTHING
    verdict: Verdict | None = None
    """What the provider's error means, where it answered with one: its limits and waits are read here."""
    status: int = 0
    """The provider's; 0 where there was none."""
    fault: str = ""
    """What the failure was, for ``FAILED``: the name of a :class:`~gephyr_core.errors.Fault`, or ``stream_error``. Two
    failures with the same name are failures alike."""

    @property
    def retry_after(self) -> float | None:
        """Seconds until the account may be asked again, as the provider stated them."""
        return None if self.verdict is None else self.verdict.retry_after

    @property
    def blames_account(self) -> bool:
        """Whether it speaks against the account."""
        return self.says in {Says.FAILED, Says.REFUSED}


SUCCESS = Outcome(Says.WELL)
NEUTRAL = Outcome()
"""The attempt ended for reasons that are not the account's: the client left, the gateway stopped."""
