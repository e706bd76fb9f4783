"""What happens to accounts beside requests: tokens, what the store kept, what the operator does."""

import math

from gephyr_core.commands import Observe, RefreshToken, Save
from gephyr_core.config import AccountConfig
from gephyr_core.events import AdminChanged, ProxyChecked, StateRestored, TokenRefreshed, TokenRefreshFailed
from gephyr_core.records import AccountEvent, AccountState
from gephyr_core.scheduling import Account
from gephyr_core.scheduling.sign_in import TIMEOUT
from gephyr_core.shared import Shared, make_account

NOT_SIGNED_IN = "not_signed_in"
"""What is said of an account for which nobody has signed in yet: it waits for that, and is not at fault."""


class Operations:
    """Keeps the accounts of one gateway in step with the world."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._configured: dict[str, AccountConfig] = {
            account.id: account for account in shared.config.accounts if account.enabled
        }

    # -- what was, and what the operator does -------------------------------------------------------------------

    def restore(self, event: StateRestored, now: float) -> None:
        """Take in what an earlier process kept."""
        scheduler = self._shared.scheduler
        for state in event.states:
            if state.account in scheduler.accounts:
                account = scheduler.accounts[state.account]
                account.disabled, account.enabled_at = state.disabled, 0.0 if state.disabled else min(state.since, now)
        scheduler.ledger.restore(event.cooldowns, event.bindings, now)
        known = {token.account: token.expires_at for token in event.tokens}
        for account in scheduler.accounts.values():
            if account.signs_in:
                self._shared.sign_in.add(account, known.get(account.id, 0.0), now)

    def admin_changed(self, event: AdminChanged, now: float) -> None:
        """Bring the accounts in step with what the operator has made of them."""
        shared, scheduler = self._shared, self._shared.scheduler
        wanted = {account.id: account for account in event.accounts if account.enabled}
        tokens = {token.account: token.expires_at for token in event.tokens}
        for name, account in list(scheduler.accounts.items()):
            if wanted.get(name) != self._configured.get(name):
                scheduler.remove(account, now, comes_back=name in wanted)
                shared.sign_in.forget(account)
                shared.proxies.bind(name, "")
                self._tell(AccountEvent(name, "removed", now))
        for name, settings in wanted.items():
            if name not in scheduler.accounts:
                account = make_account(settings, shared.config)
                account.origins = shared.origins
                scheduler.add(account)
                shared.proxies.bind(account.id, account.route)
                if account.signs_in:
                    shared.sign_in.add(account, tokens.get(name, 0.0), now)
                self._tell(AccountEvent(name, "added", now))
        if wanted != self._configured:
            self._configured = wanted
            shared.accounts_changed(tuple(wanted.values()))
        disabled = {state.account: state.disabled for state in event.states if state.disabled}
        enabled = {state.account: state.since for state in event.states if not state.disabled}
        for account in list(scheduler.accounts.values()):
            self._set_state(account, disabled.get(account.id, ""), enabled.get(account.id, 0.0), now)
            if shared.sign_in.signed_in(account.id, tokens.get(account.id, 0.0), now) or account.id in event.renewed:
                scheduler.ledger.renew_credential(account.view, now)

    def _set_state(self, account: Account, disabled: str, enabled_at: float, now: float) -> None:
        scheduler = self._shared.scheduler
        commanded = enabled_at > account.enabled_at
        account.enabled_at = max(account.enabled_at, enabled_at)
        if disabled:
            if not account.disabled:
                self._disable(account, disabled, now)
        elif account.disabled or commanded:
            scheduler.enable(account, now)
            self._shared.sign_in.enabled(account, now)
            self._tell(AccountEvent(account.id, "enabled", now))

    def _disable(self, account: Account, reason: str, now: float) -> None:
        account.disabled = reason
        self._shared.scheduler.ledger.unbind_account(account.id, now, reason)
        self._tell(AccountEvent(account.id, "disabled", now, reason=reason, until=math.inf))
        self._shared.scheduler.hints.opened(account.id)  # who waited for it alone learns that it does not come

    def _tell(self, event: AccountEvent) -> None:
        self._shared.emit(Observe(event))

    # -- proxies ------------------------------------------------------------------------------------------------

    def check_proxies(self, now: float) -> None:
        """Begin the health checks that are due."""
        for command in self._shared.proxies.due(now):
            self._shared.emit(command)

    def proxy_checked(self, event: ProxyChecked, now: float) -> None:
        """A proxy let a health check through, or did not."""
        change = self._shared.proxies.checked(event, now)
        if change is not None:
            self._shared.emit(Observe(change))

    # -- tokens -------------------------------------------------------------------------------------------------

    def refresh_tokens(self, now: float) -> None:
        """Begin the refreshes that are due."""
        for account in self._shared.sign_in.due(now):
            route = self._shared.proxies.choose(account.id, now)
            if route is None:
                self.token_refresh_failed(TokenRefreshFailed(account.id, "proxy", "no proxy is available"), now)
            else:
                self._shared.emit(RefreshToken(account.id, route, TIMEOUT))

    def token_refreshed(self, event: TokenRefreshed, now: float) -> None:
        """An account has a new token. One that comes expired is none: asking on would be a storm."""
        if event.expires_at <= now:
            self.token_refresh_failed(TokenRefreshFailed(event.account, "expired"), now)
            return
        if self._shared.sign_in.refreshed(event.account, event.expires_at, now):
            until = event.expires_at
            self._tell(AccountEvent(event.account, "token_refreshed", now, until=until))

    def token_refresh_failed(self, event: TokenRefreshFailed, now: float) -> None:
        """An account has no new token: for now, or for good."""
        account = self._shared.sign_in.failed(event.account, event.retry_after, event.code, now)
        if account is None:
            return
        reason = f"{event.code}: {event.detail}" if event.detail else event.code
        self._tell(AccountEvent(event.account, "token_refresh_failed", now, reason=reason))
        if event.permanent and event.code != NOT_SIGNED_IN and not account.disabled:
            self._disable(account, event.code, now)
            self._shared.emit(Save(AccountState(account.id, event.code, now)))
