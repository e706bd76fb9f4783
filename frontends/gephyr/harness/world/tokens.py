"""The token endpoints of accounts that sign in: access tokens that expire, refreshed unless a fault forbids it."""

import random
from collections.abc import Callable, Mapping
from functools import cache

from gephyr.harness.world.chance import Spread as Quantiles
from gephyr.harness.world.faults import faults_of, under_way
from gephyr.harness.world.queue import Agenda
from gephyr.harness.world.settings import Fault, ProviderSettings, Spread
from gephyr_core.commands import RefreshToken
from gephyr_core.events import Event, TokenRefreshed, TokenRefreshFailed


@cache
def quantiles(spread: Spread) -> Quantiles:
    """Return what draws from *spread*: one table for all that have the same."""
    return Quantiles(spread.median, max(spread.median, spread.p95))


class TokenEndpoints:
    """Every account's token endpoint, and what the provider takes for a good token."""

    def __init__(
        self,
        settings: Mapping[str, ProviderSettings],
        faults: tuple[Fault, ...],
        agenda: Agenda,
        feed: Callable[[Event], None],
        rng: random.Random,
    ) -> None:
        """*settings* are by account id; *feed* takes the answers."""
        self._settings = settings
        self._faults = {name: faults_of(name, faults) for name in settings}
        self._paces = {name: quantiles(one.token_endpoint) for name, one in settings.items()}
        self._begin = agenda.now
        self._agenda = agenda
        self._feed = feed
        self._rng = rng
        self._good_until: dict[str, float] = {}
        self.refreshes = 0
        """How often a token endpoint was asked."""

    def is_good(self, account: str, now: float) -> bool:
        """Whether the account's latest token is good. False where it never had one."""
        return self._good_until.get(account, 0.0) > now

    def refresh(self, command: RefreshToken) -> None:
        """Ask the endpoint; the answer comes later."""
        self.refreshes += 1
        seconds = min(self._paces[command.account].draw(self._rng), command.timeout)
        self._agenda.add(self._agenda.now + seconds, self._answer, command.account)

    def _answer(self, account: str) -> None:
        now = self._agenda.now
        at, faults = now - self._begin, self._faults[account]
        if under_way(faults, "revoked_token", at):
            self._feed(TokenRefreshFailed(account, "invalid_grant", "revoked", permanent=True))
        elif under_way(faults, "token_endpoint_down", at):
            self._feed(TokenRefreshFailed(account, "http_503"))
        else:
            expires_at = now + self._settings[account].token_lifetime
            self._good_until[account] = expires_at
            self._feed(TokenRefreshed(account, expires_at))
