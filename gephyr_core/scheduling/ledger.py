"""The ledger in memory: books the claims of one process, at once and exactly.

It is the only writer of windows, requests in flight, cooldowns, remaining quotas and bindings. Everything else reads
its views. It tells by a hint when an account may be asked again before the time that a block told.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from gephyr_core.commands import Command, Observe, Save
from gephyr_core.dates import LONGEST_WAIT
from gephyr_core.errors import BrokenLawError, ErrorKind
from gephyr_core.providers.classification import Verdict
from gephyr_core.providers.limits import Quota
from gephyr_core.records import AccountEvent, Binding, Cooldown
from gephyr_core.scheduling.bindings import BindingChange, Bindings
from gephyr_core.scheduling.blocks import Block, Nature
from gephyr_core.scheduling.claims import Claim, Denied, Granted
from gephyr_core.scheduling.cooldowns import EVERY_MODEL, FAILING, Estimate
from gephyr_core.scheduling.outcomes import SUCCESS, Outcome, Says
from gephyr_core.scheduling.scopes import Candidate, Cost, Kind, Scope
from gephyr_core.scheduling.views import Organization, View
from gephyr_core.scheduling.windows import RequestWindow, Spent, TokenWindow

RISKY = (401, 403, 429, 500, 503, 529)
"""Statuses after which ``compliance.risk_cooldown_seconds`` leaves an account alone."""
_OF_THE_ORGANIZATION = (ErrorKind.RATE_LIMIT, ErrorKind.MONEY)
"""Limits that are met by all accounts that share a quota."""
_OF_THE_MODEL = (ErrorKind.SERVER, ErrorKind.OVERLOADED, ErrorKind.MODEL_NOT_FOUND)
"""Failures that say nothing of other models, whichever provider it is."""


_HELD = "the gateway's own limit of {} requests per minute on all accounts together"
_Window = TypeVar("_Window", RequestWindow, TokenWindow)


class _Booked(msgspec.Struct, eq=False, gc=False):
    """A claim that is out."""

    view: View
    model: str
    tokens: int
    entry: Spent | None = None
    """Its tokens in the account's window."""
    probes: Sequence[Estimate] = ()
    """Estimates that its request tries."""


class LocalLedger:
    """Books the claims of one gateway. Fulfils :class:`~gephyr_core.scheduling.claims.Ledger`."""

    def __init__(
        self,
        bindings: Bindings,
        risk_cooldown: float | None,
        emit: Callable[[Command], None],
        opened: Callable[[str], None],
    ) -> None:
        """*risk_cooldown*: seconds for which an account is left alone after one of the ``RISKY`` statuses; None: it is
        not. *emit* takes what the operator is told, and what is for the disk; *opened* hints that the account of an id
        may be asked again."""
        self.bindings = bindings
        self.in_flight = 0
        self._risk_cooldown = risk_cooldown
        self._emit = emit
        self._opened = opened
        self._views: dict[str, View] = {}
        self._organizations: dict[str, Organization] = {}
        self._windows: dict[str, RequestWindow] = {}
        """Those that are no account's own, by the key of the scope."""
        self._out: dict[int, _Booked] = {}
        """Claims that were granted and not released, by number."""

    # -- accounts -------------------------------------------------------------------------------------------------

    def open(self, candidate: Candidate, view: View | None = None) -> View:
        """Open the books of an account, and return their view. *view*: continue these books, with other limits."""
        scopes = {(scope.kind, scope.cost): scope for scope in candidate.scopes}
        organization = self._organization(scopes[Kind.QUOTA, Cost.ONE].key)
        organization.members.append(candidate.account)
        if view is None:
            view = View(candidate, organization, None, None)
        view.candidate, view.organization = candidate, organization
        view.per_model = scopes[Kind.QUOTA, Cost.ONE].per_model
        view.most_in_flight = scopes[Kind.GAUGE, Cost.ONE].limit
        view.requests = _resized(RequestWindow, scopes.get((Kind.WINDOW, Cost.ONE)), view.requests)
        view.tokens = _resized(TokenWindow, scopes.get((Kind.WINDOW, Cost.TOKENS)), view.tokens)
        self._views[candidate.account] = view
        return view

    def close(self, view: View) -> None:
        """Close the books of an account that is gone. Claims on it can still be released."""
        del self._views[view.account]
        view.organization.members.remove(view.account)

    def view(self, account: str) -> View:
        """Return the view of an account. Raises ``KeyError`` if its books are not open."""
        return self._views[account]

    def _organization(self, key: str) -> Organization:
        organization = self._organizations.get(key)
        if organization is None:
            organization = self._organizations[key] = Organization(key)
        return organization

    # -- claims ---------------------------------------------------------------------------------------------------

    def blocked(self, scopes: Sequence[Scope], now: float) -> Block | None:
        """Return the block on every request that has to fit in *scopes*, or None."""
        for scope in scopes:
            opens_at = self._window(scope).opens_at()
            if opens_at > now:
                return Block(opens_at, Nature.ROOM, _HELD.format(scope.limit))
        return None

    def _window(self, scope: Scope) -> RequestWindow:
        window = self._windows.get(scope.key)
        if window is None:
            assert scope.limit is not None
            window = self._windows[scope.key] = RequestWindow(scope.limit)
        return window

    def claim(self, claim: Claim, now: float) -> Granted | Denied:
        """Book a claim on its first candidate that has room. It is booked in every scope, or in none."""
        everywhere = self.blocked(claim.scopes, now) if claim.scopes else None
        if claim.again:
            return self._claim_again(claim, everywhere, now)
        blocks: dict[str, Block] = {}
        if everywhere is None:
            for candidate in claim.candidates:
                view = self._views[candidate.account]
                block = view.block(claim.model, claim.tokens, now)
                if block is None:
                    self._grant(claim, view, now)
                    return Granted(candidate.account)
                blocks[candidate.account] = block
        return Denied(blocks, everywhere)

    def _grant(self, claim: Claim, view: View, now: float) -> None:
        model, number = claim.model, claim.number
        booked = self._out[number] = _Booked(view, model, claim.tokens)
        view.in_flight += 1
        view.last_claim = number
        self.in_flight += 1
        self._count(claim, booked, now)
        own, shared = view.cooldowns, view.organization.cooldowns
        if own.estimates or shared.estimates:
            booked.probes = [*own.probe(model, now), *shared.probe(model, now)]
        if claim.session:
            self.bindings.bind(claim.session, view.candidate.account, model, now)

    def _count(self, claim: Claim, booked: _Booked, now: float) -> None:
        view = booked.view
        for scope in claim.scopes:
            self._window(scope).add(now)
        if view.requests is not None:
            view.requests.add(now)
        if view.tokens is not None:
            booked.entry = view.tokens.add(claim.tokens, now)
        if view.organization.remaining:
            remaining = view.remaining(claim.model)
            if remaining is not None:
                remaining.claim(claim.tokens, now)

    def _claim_again(self, claim: Claim, everywhere: Block | None, now: float) -> Granted | Denied:
        """Book one more request of a claim whose call the provider did not read. That call spent no tokens."""
        booked = self._out[claim.number]
        view = booked.view
        block = view.stated(claim.model, now)
        if block is None and everywhere is None:
            block = view.paced(now)
            if block is None:
                self._settle(booked, 0)
                block = view.spent(claim.tokens, now)
        if block is not None or everywhere is not None:
            return Denied({} if block is None else {view.account: block}, everywhere)
        self._count(claim, booked, now)
        return Granted(view.account)

    def release(self, number: int, spent: int | None, outcome: Outcome, now: float) -> None:
        """Release a claim. *spent*: tokens, as the provider counted them; None if that is not known. *outcome* makes or
        ends cooldowns of the account. Raises ``BrokenLawError`` for a claim that is not out."""
        booked = self._out.pop(number, None)
        if booked is None:
            raise BrokenLawError(f"claim {number} is not out: it was released before, or never granted")
        view = booked.view
        most = view.most_in_flight
        makes_room = most is not None and view.in_flight >= most
        view.in_flight -= 1  # at once: whatever fails from here on, the place is free
        self.in_flight -= 1
        if spent is not None:
            self._settle(booked, spent)
        try:
            if outcome is not SUCCESS or view.cooldowns.estimates or view.organization.cooldowns.estimates:
                self._learn(view, booked.model, outcome, now)  # before the probes end: one that fails is a failure more
        finally:
            for estimate in booked.probes:
                estimate.probing = False
        if booked.probes:
            self._opened_all(view.organization)
        elif makes_room:
            self._opened(view.account)

    def _settle(self, booked: _Booked, tokens: int) -> None:
        window = booked.view.tokens
        if window is None or booked.entry is None:
            return
        window.settle(booked.entry, tokens)
        if tokens < booked.tokens:
            self._opened(booked.view.account)

    def renew(self, numbers: Sequence[int]) -> Sequence[int]:
        """Return those of *numbers* that are not out. In memory no claim lapses, so there is nothing to extend."""
        return [number for number in numbers if number not in self._out]

    def unbind(self, session: str, change: BindingChange, model: str, now: float, reason: str) -> None:
        """Release a session from its account."""
        self.bindings.release(session, change, model, now, reason)

    def unbind_account(self, account: str, now: float, reason: str) -> None:
        """Release every session of an account that is out of service."""
        self.bindings.release_account(account, now, reason)

    # -- quotas and cooldowns -------------------------------------------------------------------------------------

    def heard(self, view: View, model: str, quotas: Sequence[Quota], now: float) -> None:
        """Record the remaining quota that a reply's headers report."""
        remaining = view.organization.remaining_of(view.scope(model))
        scarce = remaining.scarce
        remaining.learn(quotas, now)
        if scarce:
            self._opened_all(view.organization)

    def suspect(self, view: View, model: str, fault: str, now: float) -> None:
        """Bench the account for *model* on an estimate, after failures in a row. *fault* names the latest."""
        until = view.cooldowns.suspect(model, ErrorKind.SERVER, now, FAILING)
        self._tell_cooldown(view, model, f"{FAILING}: {fault}", until, now)

    def take_back(self, view: View, model: str, estimate: Estimate | None, now: float) -> None:
        """Replace the latest estimate by *estimate*, the one before it: the failures that made it do not count."""
        view.cooldowns.restore(model, estimate)
        self._opened(view.account)
        self._tell(AccountEvent(view.account, "recovered", now, model, "the same request failed elsewhere too"))

    def clear_estimates(self, view: View, model: str, now: float) -> None:
        """End the account's estimated cooldowns early (the optimistic reset)."""
        shared, scope = view.organization, view.scope(model)
        view.cooldowns.clear_estimates(model, now)
        cleared = shared.remaining.pop(scope, None) is not None
        if shared.cooldowns.clear_estimates(model, now) or cleared:
            self._opened_all(shared)
        self._opened(view.account)

    def renew_credential(self, view: View, now: float) -> None:
        """End the cooldowns that the account's old credential led to: it was refused, or had no credit.

        A lack of credit that several accounts share stays.
        """
        books = [(view.account, view.cooldowns, ErrorKind.CREDENTIAL)]
        shared = view.organization
        if shared.members == [view.account]:
            books.append((shared.id, shared.cooldowns, ErrorKind.MONEY))
        for scope, book, kind in books:
            self._forget(scope, book.forget(kind), now)
        self._opened(view.account)

    def reset(self, view: View, now: float) -> None:
        """End all cooldowns of the account and of its organisation: the operator says that it is well."""
        shared = view.organization
        for scope, book in ((view.account, view.cooldowns), (shared.id, shared.cooldowns)):
            self._forget(scope, book.stated, now)
            book.clear()
        shared.remaining.clear()
        self._opened_all(shared)

    def restore(self, cooldowns: Sequence[Cooldown], bindings: Sequence[Binding], now: float) -> None:
        """Restore the cooldowns and bindings that an earlier process saved. A cooldown is cut to the longest that a
        provider may state."""
        for cooldown in cooldowns:
            kind = _kind(cooldown.kind)
            own, shared = self._views.get(cooldown.scope), self._organizations.get(cooldown.scope)
            if kind in _OF_THE_ORGANIZATION or own is None:
                book = None if shared is None else shared.cooldowns
            else:
                book = own.cooldowns
            if book is not None and kind is not None and cooldown.until > now:
                until = cooldown.until if cooldown.until == math.inf else min(cooldown.until, now + LONGEST_WAIT)
                book.state(cooldown.model, until, kind, kind.value.replace("_", " "))
        self.bindings.restore(bindings, now)

    def _learn(self, view: View, model: str, outcome: Outcome, now: float) -> None:
        if outcome.says is Says.WELL:
            self._recover(view, model, now)
        elif outcome.says is Says.REFUSED and outcome.verdict is not None:
            self._refused(view, model, outcome.verdict, outcome.status, now)

    def _recover(self, view: View, model: str, now: float) -> None:
        ended = view.cooldowns.succeeded(model, now)
        if ended:
            self._opened(view.account)
        shared = view.organization.cooldowns.succeeded(model, now)
        if shared:
            self._opened_all(view.organization)
        for name in (*ended, *shared):
            self._tell(AccountEvent(view.account, "recovered", now, name))

    def _refused(self, view: View, model: str, verdict: Verdict, status: int, now: float) -> None:
        """The provider refused in its own words: bench the account, or its organisation."""
        kind, wait = verdict.kind, verdict.retry_after
        reason = verdict.reason or kind.value
        of_all = kind in _OF_THE_ORGANIZATION
        book = view.organization.cooldowns if of_all else view.cooldowns
        name = _model_of(view, model, verdict)
        if wait or verdict.lasting:
            until = now + wait if wait else math.inf
            if book.state(name, until, kind, reason.replace("_", " ")):
                scope = view.organization.id if of_all else view.account
                self._emit(Save(Cooldown(scope, name, kind.value, until)))
                self._tell_cooldown(view, name, reason, until, now, stated=True)
        else:
            self._tell_cooldown(view, name, reason, book.suspect(name, kind, now, verdict.reason), now)
        if self._risk_cooldown and status in RISKY:
            until = now + self._risk_cooldown
            if view.cooldowns.state(EVERY_MODEL, until, kind, "compliance"):
                self._tell_cooldown(view, EVERY_MODEL, "compliance", until, now, stated=True)

    def _forget(self, scope: str, models: Iterable[str], now: float) -> None:
        """Have the store forget the stated cooldowns of *scope* for *models*."""
        for model in models:
            self._emit(Save(Cooldown(scope, model, "", now)))

    def _opened_all(self, organization: Organization) -> None:
        for account in organization.members:
            self._opened(account)

    def _tell_cooldown(
        self, view: View, model: str, reason: str, until: float, now: float, *, stated: bool = False
    ) -> None:
        self._tell(AccountEvent(view.account, "cooldown", now, model, reason, until, stated))

    def _tell(self, event: AccountEvent) -> None:
        self._emit(Observe(event))


def _resized(kind: type[_Window], scope: Scope | None, older: _Window | None) -> _Window | None:
    """Return the window of a scope, which goes on where the older one ends; None where there is no limit."""
    if scope is None or scope.limit is None:
        return None
    window = kind(scope.limit)
    if older is not None:
        window.take_over(older)
    return window


def _model_of(view: View, model: str, verdict: Verdict) -> str:
    """The model that a refusal is for; empty for all."""
    if verdict.scope:
        return model if verdict.scope == "model" else EVERY_MODEL
    if verdict.kind is ErrorKind.RATE_LIMIT:
        return view.scope(model)
    return model if verdict.kind in _OF_THE_MODEL else EVERY_MODEL


def _kind(value: str) -> ErrorKind | None:
    return next((kind for kind in ErrorKind if kind.value == value), None)
