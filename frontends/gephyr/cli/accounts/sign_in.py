"""An account's access token, for a command: the kept one, or a fresh one that is kept before it is used."""

import asyncio
from collections.abc import Callable

import attrs

from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.configuration import Loaded
from gephyr.runtime.tokens import TokenEndpoint, TokenRefresh
from gephyr_core.commands import RefreshToken
from gephyr_core.events import TokenRefreshFailed

_LEAST_LEFT = 30.0
"""Seconds that a kept token must last in order to be used."""
_REFRESH_TIMEOUT = 30.0
_OTHERS_TURN = 10.0
"""Seconds that a gateway gets for a refresh that it has begun."""
_POLL = 0.1


class SignInError(Exception):
    """There is no access token; the message says why, without secrets."""


class _TellingTokens:
    """The book's tokens as a :class:`gephyr.runtime.store_tokens.TokenStore`; a running gateway learns of new ones."""

    def __init__(self, book: AccountBook) -> None:
        self.tokens = book.tokens.tokens
        self.begin_refresh = book.tokens.begin_refresh
        self.keep_token = book.sign_in
        self.abandon_refresh = book.tokens.abandon_refresh
        self.forget_token = book.tokens.forget_token

    def interrupted_refreshes(self) -> list[str]:
        """Return none: a gateway that runs may be in the middle of one."""
        return []


@attrs.frozen
class SignedIn:
    """How an account came to its access token, which is in the vault."""

    until: float
    """When the token expires, seconds since the epoch."""
    is_new: bool


async def signed_in(
    account: str, loaded: Loaded, book: AccountBook, route: str, clock: Callable[[], float]
) -> SignedIn:
    """Have the account's access token in the vault of *loaded*, through *route* where a new one is needed.

    Raises :class:`SignInError`, and ``OSError`` if ``outbound.ca_file`` is bad.
    """
    grant = loaded.grants[account]
    endpoint = TokenEndpoint(loaded.routes, ca_file=loaded.config.outbound.ca_file)
    refresher = TokenRefresh(
        {account: grant}, vault=loaded.vault, store=_TellingTokens(book), endpoint=endpoint, clock=clock
    )
    try:
        if grant.is_used_up:
            await _wait_for_others(account, book)
        until = max((token.expires_at for token in await asyncio.to_thread(refresher.restore)), default=0.0)
        if until > clock() + _LEAST_LEFT:
            return SignedIn(until, is_new=False)
        answer = await refresher.refresh(RefreshToken(account, route, _REFRESH_TIMEOUT))
    finally:
        await refresher.aclose()
    if isinstance(answer, TokenRefreshFailed):
        raise SignInError(f"{answer.code}: {answer.detail}" if answer.detail else answer.code)
    return SignedIn(answer.expires_at, is_new=True)


async def _wait_for_others(account: str, book: AccountBook) -> None:
    """Let a refresh that another process has begun end: a refresh token that is sent twice may void both answers.

    A process that crashed never ends its own, so that the wait has a limit.
    """
    deadline = asyncio.get_running_loop().time() + _OTHERS_TURN
    while account in await asyncio.to_thread(book.tokens.interrupted_refreshes):
        if asyncio.get_running_loop().time() >= deadline:
            return
        await asyncio.sleep(_POLL)
