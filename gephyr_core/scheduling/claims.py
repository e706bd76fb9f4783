"""Claims: what a request asks of the ledger before an account is called for it, and what the ledger answers.

All of it is values, without a reference to anything that changes, so that a claim can be sent to a ledger that several
processes share. What is made for every attempt is kept from the garbage collector (``gc=False``, here and in the
modules beside): nothing that it refers to refers back, so it is never part of a cycle, and it costs less.
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


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A request's claim on one of several accounts."""

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


class Granted(msgspec.Struct, frozen=True, gc=False):
    """The ledger has booked the claim."""

    account: str
    """Id of the candidate that has it."""


class Denied(msgspec.Struct, frozen=True):
    """The ledger has booked nothing."""

    blocks: Mapping[str, Block]
    """The block on each candidate, by its account's id, with the time at which it opens. The account's view shows the
    same block from now on."""
    everywhere: Block | None = None
    """The block on the request, whoever serves it: the limit on all requests together."""


class Ledger(Protocol):
    """Books claims. The only writer of windows, requests in flight, cooldowns, remaining quotas and bindings."""

    bindings: Bindings
    """Which account each session keeps. Others read it, and note events that change no binding."""
    in_flight: int
    """Claims that are granted and not released, including those on accounts that are gone."""

    def open(self, candidate: Candidate, view: View | None = None) -> View:
        """Open the books of an account, and return their view. *view*: continue these books, with other limits."""
        ...

    def close(self, view: View) -> None:
        """Close the books of an account that is gone. Claims on it can still be released."""
        ...

    def view(self, account: str) -> View:
        """Return the view of an account. Raises ``KeyError`` if its books are not open."""
        ...

    def blocked(self, scopes: Sequence[Scope], now: float) -> Block | None:
        """Return the block on every request that has to fit in *scopes*, or None."""
        ...

    def claim(self, claim: Claim, now: float) -> Granted | Denied:
        """Book a claim on its first candidate that has room. It is booked in every scope, or in none."""
        ...

    def release(self, number: int, spent: int | None, outcome: Outcome, now: float) -> None:
        """Release a claim. *spent*: tokens, as the provider counted them; None if that is not known. *outcome* makes or
        ends cooldowns of the account. Raises ``BrokenLawError`` for a claim that is not out."""
        ...

    def renew(self, numbers: Sequence[int]) -> Sequence[int]:
        """Extend the claims of these numbers. Return those that are not out."""
        ...

    def unbind(self, session: str, change: BindingChange, model: str, now: float, reason: str) -> None:
        """Release a session from its account."""
        ...

    def unbind_account(self, account: str, now: float, reason: str) -> None:
        """Release every session of an account that is out of service."""
        ...

    def heard(self, view: View, model: str, quotas: Sequence[Quota], now: float) -> None:
        """Record the remaining quota that a reply's headers report."""
        ...

    def suspect(self, view: View, model: str, fault: str, now: float) -> None:
        """Bench the account for *model* on an estimate, after failures in a row. *fault* names the latest."""
        ...

    def take_back(self, view: View, model: str, estimate: Estimate | None, now: float) -> None:
        """Replace the latest estimate by *estimate*, the one before it: the failures that made it do not count."""
        ...

    def clear_estimates(self, view: View, model: str, now: float) -> None:
        """End the account's estimated cooldowns early (the optimistic reset)."""
        ...

    def renew_credential(self, view: View, now: float) -> None:
        """End the cooldowns that the account's old credential led to: it has another one."""
        ...

    def reset(self, view: View, now: float) -> None:
        """End all cooldowns of the account and of its organisation: the operator says that it is well."""
        ...

    def restore(self, cooldowns: Sequence[Cooldown], bindings: Sequence[Binding], now: float) -> None:
        """Restore the cooldowns and bindings that an earlier process saved."""
        ...
