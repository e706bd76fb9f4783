"""What the scheduler learns from how requests end, and from what providers say of their limits."""

import math
from collections.abc import Callable

from gephyr_core.commands import Command, Observe, Save
from gephyr_core.config import ComplianceConfig
from gephyr_core.errors import ErrorKind
from gephyr_core.http import Headers
from gephyr_core.providers.limits import read_quotas
from gephyr_core.records import AccountEvent, Cooldown, Saved
from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.bindings import BindingChange, Bindings
from gephyr_core.scheduling.cooldowns import EVERY_MODEL, FAILING
from gephyr_core.scheduling.lease import Lease
from gephyr_core.scheduling.outcomes import Outcome, Says
from gephyr_core.scheduling.search import Search
from gephyr_core.scheduling.strikes import Avoidance, Strike

RISKY = (401, 403, 429, 500, 503, 529)
"""Statuses after which ``compliance.risk_cooldown_seconds`` leaves an account alone."""
_OF_THE_ORGANIZATION = (ErrorKind.RATE_LIMIT, ErrorKind.MONEY)
"""Limits that are met by all accounts that share a quota."""
_OF_THE_MODEL = (ErrorKind.SERVER, ErrorKind.OVERLOADED, ErrorKind.MODEL_NOT_FOUND)
"""Failures that say nothing of other models, whichever provider it is."""


class Learning:
    """Keeps cooldowns, health and remaining quotas up to date, and tells what an operator wants to know of it."""

    bindings: Bindings

    def __init__(self, compliance: ComplianceConfig, emit: Callable[[Command], None]) -> None:
        """*emit* takes what is to be told to the operator, and what is for the disk."""
        self._risk_cooldown = compliance.in_force.risk_cooldown_seconds
        self._emit = emit
        self.avoidance = Avoidance()

    def tell(self, event: AccountEvent) -> None:
        """Have an operator know."""
        self._emit(Observe(event))

    def save(self, record: Saved) -> None:
        """Have a record kept."""
        self._emit(Save(record))

    def heard(self, lease: Lease, headers: Headers, seconds: float, now: float) -> None:
        """A reply without error began after *seconds*; its head may say what is left of the quota."""
        account = lease.current
        account.health.time(seconds, now)
        account.accepted_token = max(account.accepted_token, lease.token_number)
        quotas = read_quotas(headers, now)
        if quotas:
            remaining = account.shared.remaining_of(account.scope(lease.model))
            scarce = remaining.scarce
            remaining.learn(quotas, now)
            if scarce:
                account.shared.changed()

    def waited_in_vain(self, lease: Lease, seconds: float, now: float) -> None:
        """A client left before a reply began. That is no failure; yet the account takes *seconds* at least, and one
        that hangs until clients lose patience is known as slow."""
        health = lease.current.health
        if seconds > health.latency(now):
            health.time(seconds, now)

    def learn(self, lease: Lease, outcome: Outcome, now: float) -> None:
        """A request has ended."""
        account, model = lease.current, lease.model
        match outcome.says:
            case Says.WELL:
                account.health.judge(success=True, now=now)
                if account.cooldowns.estimates or account.shared.cooldowns.estimates:
                    self._recover(account, model, now)
                if account.strikes.rows:
                    account.strikes.rows.pop(model, None)
                if self.avoidance.rows:
                    self.avoidance.served(lease.search.who, model, account.id)
            case Says.FAILED:
                self._failed(lease, account, outcome.fault, now)
            case Says.REFUSED if outcome.kind is not None:
                account.health.judge(success=False, now=now)
                self._blame(account, model, outcome, outcome.kind, now)

    # -- failures without a word ----------------------------------------------------------------------------------

    def _failed(self, lease: Lease, account: Account, fault: str, now: float) -> None:
        """An attempt failed without a word about why. It is a strike, unless its request failed alike before."""
        search, model = lease.search, lease.model
        binding = "" if search.session is None else f"{lease.pool.group} {search.session}"
        strike = Strike(account, model, fault, search.who, binding, now)
        alike = [one for one in search.strikes if one.fault == fault and one.account.id != account.id]
        search.strikes = (*search.strikes, strike)
        account.strikes.note(model, fault, strike.who, now)
        if not alike or any(
            one.account.strikes.others_met(one.model, fault, strike.who, now) for one in (strike, *alike)
        ):
            self._count(strike, now)
            return
        strike.pardoned = True
        for one in alike:
            if not one.pardoned:
                self._pardon(one, now)

    def _count(self, strike: Strike, now: float) -> None:
        account, model = strike.account, strike.model
        account.health.provisional += 1
        account.strikes.add(strike)
        if account.strikes.are_many(model):
            book, kind = account.cooldowns, ErrorKind.SERVER
            strike.before = book.estimates.get(model)
            until = book.suspect(model, kind, now, FAILING)
            strike.made = book.estimates[model]
            self._tell(account, model, f"{FAILING}: {strike.fault}", until, now)

    def _pardon(self, strike: Strike, now: float) -> None:
        """The request failed alike on another account: what it counted for on this one is taken back."""
        strike.pardoned = True
        account, model = strike.account, strike.model
        account.health.provisional -= 1
        row = account.strikes.rows.get(model, ())
        account.strikes.take_back(strike)
        current = account.cooldowns.estimates.get(model)
        if current is None:
            return
        maker = strike if strike.made is current else next((one for one in row if one.made is current), None)
        if maker is strike or (maker is not None and not account.strikes.are_many(model)):
            account.cooldowns.restore(model, maker.before)
            account.current.changed()
            self.tell(AccountEvent(account.id, "recovered", now, model, "the same request failed elsewhere too"))

    def conclude(self, search: Search, now: float) -> None:
        """A request is over: what failed it without a word counts for good, against the account and for the session."""
        for strike in search.strikes:
            if strike.pardoned:
                continue
            account = strike.account
            account.health.provisional -= 1
            account.health.judge(success=False, now=now)
            if self.avoidance.failed(strike, now) and self.bindings.find(strike.binding, now) == account.id:
                reason = f"failed twice in a row: {strike.fault}"
                self.bindings.release(strike.binding, BindingChange.RELEASED_FAILING, strike.model, now, reason)
        search.strikes = ()

    # -- limits and cooldowns -------------------------------------------------------------------------------------

    def _recover(self, account: Account, model: str, now: float) -> None:
        ended = account.cooldowns.succeeded(model, now)
        if ended:
            account.changed()
        shared = account.shared.cooldowns.succeeded(model, now)
        if shared:
            account.shared.changed()
        for name in (*ended, *shared):
            self.tell(AccountEvent(account.id, "recovered", now, name))

    def _blame(self, account: Account, model: str, outcome: Outcome, kind: ErrorKind, now: float) -> None:
        reason = outcome.reason or kind.value
        shared = kind in _OF_THE_ORGANIZATION
        book = account.shared.cooldowns if shared else account.cooldowns
        name = _scope_of(account, model, outcome, kind)
        if outcome.retry_after or outcome.lasting:
            until = now + outcome.retry_after if outcome.retry_after else math.inf
            if book.state(name, until, kind, reason.replace("_", " ")):
                scope = account.shared.id if shared else account.id
                self.save(Cooldown(scope, name, kind.value, until))
                self._tell(account, name, reason, until, now, stated=True)
        else:
            self._tell(account, name, reason, book.suspect(name, kind, now, outcome.reason), now)
        if self._risk_cooldown and outcome.status in RISKY:
            until = now + self._risk_cooldown
            if account.cooldowns.state(EVERY_MODEL, until, kind, "compliance"):
                self._tell(account, EVERY_MODEL, "compliance", until, now, stated=True)

    def _tell(
        self, account: Account, model: str, reason: str, until: float, now: float, *, stated: bool = False
    ) -> None:
        self.tell(AccountEvent(account.id, "cooldown", now, model, reason, until, stated))

    def trust(self, account: Account, model: str, now: float) -> None:
        """Let an account in that is away on our own estimate."""
        if account.origins is not None:
            account.origins.trust(account.id, account.origin, now)
        account.cooldowns.give_benefit_of_doubt(model, now)
        shared, scope = account.shared, account.scope(model)
        forgotten = scope in shared.remaining
        if forgotten:
            del shared.remaining[scope]
        if shared.cooldowns.give_benefit_of_doubt(model, now) or forgotten:
            shared.changed()
        account.changed()

    def trust_credential(self, account: Account, now: float) -> None:
        """The account has another credential: that the old one was refused, or had no credit, says nothing any more.

        Credit that several accounts share is another matter.
        """
        books = [(account.id, account.cooldowns, ErrorKind.CREDENTIAL)]
        if account.shared.accounts == [account]:
            books.append((account.shared.id, account.shared.cooldowns, ErrorKind.MONEY))
        for scope, book, kind in books:
            for model in book.forget(kind):
                self.save(Cooldown(scope, model, "", now))
        account.changed()

    def enable(self, account: Account, now: float) -> None:
        """The operator says that the account is well: nothing that was said against it holds any more."""
        for scope, book in ((account.id, account.cooldowns), (account.shared.id, account.shared.cooldowns)):
            for model in book.stated:
                self.save(Cooldown(scope, model, "", now))
            book.clear()
        account.shared.remaining.clear()
        account.strikes.rows.clear()
        self.avoidance.forget(account.id)
        account.disabled = ""
        account.shared.changed()


def _scope_of(account: Account, model: str, outcome: Outcome, kind: ErrorKind) -> str:
    """The model that a failure is for; empty for all."""
    if outcome.scope:
        return model if outcome.scope == "model" else EVERY_MODEL
    if kind is ErrorKind.RATE_LIMIT:
        return account.scope(model)
    return model if kind in _OF_THE_MODEL else EVERY_MODEL
