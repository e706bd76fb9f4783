"""What the scheduler learns from how requests end: how well accounts do, and which of them are broken.

What a request's end means for limits and cooldowns is the ledger's business; what is here is local to one process.
"""

from gephyr_core.http import Headers
from gephyr_core.providers.limits import read_quotas
from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.bindings import BindingChange
from gephyr_core.scheduling.claims import Ledger
from gephyr_core.scheduling.lease import Lease
from gephyr_core.scheduling.outcomes import Outcome, Says
from gephyr_core.scheduling.search import Search
from gephyr_core.scheduling.strikes import Avoidance, Strike, Strikes


class Learning:
    """Keeps health and strikes up to date, and has the ledger bench accounts that are broken."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._strikes: dict[Account, Strikes] = {}
        """Of the accounts that failed without a word."""
        self.avoidance = Avoidance()

    def strikes_of(self, account: Account) -> Strikes:
        """Return the strikes of an account. Makes a record if there is none."""
        strikes = self._strikes.get(account)
        if strikes is None:
            strikes = self._strikes[account] = Strikes()
        return strikes

    def take_over(self, account: Account, older: Account) -> None:
        """Move the strikes of *older* to *account*, which the operator has made of it."""
        strikes = self._strikes.pop(older, None)
        if strikes is not None:
            self._strikes[account] = strikes

    def forget(self, account: Account) -> None:
        """Drop the strikes of an account that does not come back."""
        self._strikes.pop(account, None)

    def heard(self, lease: Lease, headers: Headers, seconds: float, now: float) -> None:
        """Learn speed and remaining quota from the head of a reply without error, which came after *seconds*."""
        account = lease.current
        account.health.time(seconds, now)
        account.accepted_token = max(account.accepted_token, lease.token_number)
        quotas = read_quotas(headers, now)
        if quotas:
            self._ledger.heard(account.view, lease.model, quotas, now)

    def waited_in_vain(self, lease: Lease, seconds: float, now: float) -> None:
        """A client left before a reply began. That is no failure; yet the account takes *seconds* at least, and one
        that hangs until clients lose patience is known as slow."""
        health = lease.current.health
        if seconds > health.latency(now):
            health.time(seconds, now)

    def ended(self, lease: Lease, outcome: Outcome, now: float) -> None:
        """Learn from the outcome of a request."""
        account = lease.current
        match outcome.says:
            case Says.WELL:
                account.health.judge(success=True, now=now)
                if self._strikes and (strikes := self._strikes.get(account)) is not None:
                    strikes.rows.pop(lease.model, None)
                if self.avoidance.rows:
                    self.avoidance.served(lease.search.who, lease.model, account.id)
            case Says.FAILED:
                self._failed(lease, account, outcome.fault, now)
            case Says.REFUSED if outcome.verdict is not None:
                account.health.judge(success=False, now=now)

    def enabled(self, account: Account) -> None:
        """Drop the strikes of an account that the operator says is well."""
        strikes = self._strikes.get(account)
        if strikes is not None:
            strikes.rows.clear()
        self.avoidance.forget(account.id)

    # -- failures without a word ----------------------------------------------------------------------------------

    def _failed(self, lease: Lease, account: Account, fault: str, now: float) -> None:
        """An attempt failed without a word about why. It is a strike, unless its request failed alike before."""
        search, model = lease.search, lease.model
        binding = "" if search.session is None else f"{lease.choice.pool.group} {search.session}"
        strike = Strike(account, model, fault, search.who, binding, now)
        alike = [one for one in search.strikes if one.fault == fault and one.account.id != account.id]
        search.strikes = (*search.strikes, strike)
        self.strikes_of(account).note(model, fault, strike.who, now)
        if not alike or any(self._others_met(one, fault, strike.who, now) for one in (strike, *alike)):
            self._count(strike, now)
            return
        strike.pardoned = True
        for one in alike:
            if not one.pardoned:
                self._pardon(one, now)

    def _others_met(self, strike: Strike, fault: str, who: str, now: float) -> bool:
        return self.strikes_of(strike.account.current).others_met(strike.model, fault, who, now)

    def _count(self, strike: Strike, now: float) -> None:
        account, model = strike.account, strike.model
        account.health.provisional += 1
        strikes = self.strikes_of(account)
        strikes.add(strike)
        if strikes.are_many(model):
            estimates = account.view.cooldowns.estimates
            strike.before = estimates.get(model)
            self._ledger.suspect(account.view, model, strike.fault, now)
            strike.made = estimates[model]

    def _pardon(self, strike: Strike, now: float) -> None:
        """Take back a strike, since the request failed alike on another account."""
        strike.pardoned = True
        account, model = strike.account.current, strike.model
        account.health.provisional -= 1
        strikes = self.strikes_of(account)
        row = strikes.rows.get(model, ())
        strikes.take_back(strike)
        current = account.view.cooldowns.estimates.get(model)
        if current is None:
            return
        maker = strike if strike.made is current else next((one for one in row if one.made is current), None)
        if maker is strike or (maker is not None and not strikes.are_many(model)):
            self._ledger.take_back(account.view, model, maker.before, now)

    def conclude(self, search: Search, now: float) -> None:
        """A request is over: what failed it without a word counts for good, against the account and for the session."""
        bindings = self._ledger.bindings
        for strike in search.strikes:
            if strike.pardoned:
                continue
            account = strike.account
            account.health.provisional -= 1
            account.health.judge(success=False, now=now)
            if self.avoidance.failed(strike, now) and bindings.find(strike.binding, now) == account.id:
                reason = f"failed twice in a row: {strike.fault}"
                self._ledger.unbind(strike.binding, BindingChange.RELEASED_FAILING, strike.model, now, reason)
        search.strikes = ()
