"""Claims: what a request asks of the ledger before an account is called for it, and what the ledger answers.

All of it is values, without a reference to anything that changes, so that a claim can be sent to a ledger that several
processes share.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from gephyr_core.providers.limits import Quota
from gephyr_core.records import Binding, Cooldown
from gephyr_core.scheduling.bindings import BindingChange, Bindings
from gephyr_core.scheduling.blocks import Block
from gephyr_core.scheduling.cooldowns import Estimate
from gephyr_core.scheduling.outcomes import Outcome
from gephyr_core.scheduling.scopes import Candidate, Scope
from gephyr_core.scheduling.views import View


class Claim(msgspec.Struct, frozen=True):
    """One request's wish for an account."""

    number: int
    """Grows from claim to claim, except for one that is made *again*."""
    candidates: tuple[Candidate, ...]
    """The accounts that will do, the best one first. The ledger grants the first that has room."""
    model: str
    tokens: int
    """What the request may spend, as estimated."""
    session: str = ""
    """Key of the binding that a grant makes or renews; empty: it leaves bindings as they are."""
    scopes: tuple[Scope, ...] = ()
    """What the request has to fit in whoever serves it: the limit on all requests together."""
    again: bool = False
    """The claim of this number is out: the provider did not read its call, which is sent once more. It has its place in
    flight already, and estimates do not stand in its way."""


class Granted(msgspec.Struct, frozen=True):
    """The ledger has booked the claim."""

    account: str
    """Id of the candidate that has it."""


class Denied(msgspec.Struct, frozen=True):
    """The ledger has booked nothing."""

    blocks: Mapping[str, Block]
    """What stands in the way of each candidate, by its account's id, with the time at which it opens. A view of the
    account tells the same from now on."""
    everywhere: Block | None = None
    """What stands in the way of the request whoever serves it."""


class Ledger(Protocol):
    """Books claims. The only writer of windows, requests in flight, cooldowns, remaining quotas and bindings."""

    bindings: Bindings
    """Which account each session keeps. To be read; changes of a session that leave its binding are noted here."""
    in_flight: int
    """Claims that are granted and not released, those on accounts that were closed meanwhile too."""

    def open(self, candidate: Candidate, view: View | None = None) -> View:
        """Keep books for an account from now on; *view*: go on with these, within other limits."""
        ...

    def close(self, view: View) -> None:
        """The account is gone. What was claimed on it can still be released."""
        ...

    def view(self, account: str) -> View:
        """Return what the choice and the score read of an account. Raises ``KeyError`` for one that is not open."""
        ...

    def blocked(self, scopes: Sequence[Scope], now: float) -> Block | None:
        """Return what stands in the way of every request that has to fit in *scopes*."""
        ...

    def claim(self, claim: Claim, now: float) -> Granted | Denied:
        """Book a claim on the first of its candidates that has room: everywhere or nowhere."""
        ...

    def release(self, number: int, spent: int | None, outcome: Outcome, now: float) -> None:
        """Give a claim back. *spent*: tokens, as the provider counts them; None where that is not known. *outcome*
        says what becomes of the account. Raises ``BrokenLawError`` for a claim that is not out."""
        ...

    def renew(self, numbers: Sequence[int]) -> Sequence[int]:
        """Keep claims from lapsing. Return those that are not out."""
        ...

    def unbind(self, session: str, change: BindingChange, model: str, now: float, reason: str) -> None:
        """Let a session go from its account."""
        ...

    def unbind_account(self, account: str, now: float, reason: str) -> None:
        """Let every session of an account go, which is out of service."""
        ...

    def heard(self, view: View, model: str, quotas: Sequence[Quota], now: float) -> None:
        """Take in what the head of a reply says is left of the account's quota."""
        ...

    def suspect(self, view: View, model: str, fault: str, now: float) -> None:
        """Make an estimate: the account is broken for *model*, as failures in a row say, the latest by *fault*."""
        ...

    def take_back(self, view: View, model: str, estimate: Estimate | None, now: float) -> None:
        """Go back to the estimate before the latest one, or to none: what led to it does not count."""
        ...

    def clear_estimates(self, view: View, model: str, now: float) -> None:
        """End the account's estimated cooldowns early (the optimistic reset)."""
        ...

    def renew_credential(self, view: View, now: float) -> None:
        """The account has another credential: cooldowns that its old one led to end."""
        ...

    def reset(self, view: View, now: float) -> None:
        """The operator says that the account is well: its cooldowns end, and those of its organisation."""
        ...

    def restore(self, cooldowns: Sequence[Cooldown], bindings: Sequence[Binding], now: float) -> None:
        """Take in what an earlier process kept."""
        ...
