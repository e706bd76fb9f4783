"""``TokenRefresh``: gets access tokens, one request at a time for an account, and has them on the disk before use.

The order (decision 15) makes a crash cost as little as it can: the store notes that a refresh begins, the request goes
out, the new token and a rotated refresh token are kept, and only then the vault uses them and the core is told. When to
refresh, and what a failure means for the account, is the core's to decide.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

import attrs
import structlog

from gephyr.runtime.credentials import Vault
from gephyr.runtime.store_tokens import StoredToken, TokenStore
from gephyr.runtime.tokens.endpoint import LostAnswerError
from gephyr.runtime.tokens.grants import LONGEST_LIFE, Grant, GrantError, TokenAnswer, TokenRequest, read_answer
from gephyr_core.commands import RefreshToken
from gephyr_core.events import TokenRefreshed, TokenRefreshFailed
from gephyr_core.http import Headers
from gephyr_core.records import TokenState

_log = structlog.get_logger()

_FOR_THE_DISK = 0.5
"""Seconds of a refresh's time that are left for keeping the token."""
_STILL_NEWS = 60.0
"""Seconds that a token which nobody waited for any more answers the next command."""
_LAST_WAIT = 5.0
"""Seconds that refreshes under way get when the gateway stops: a rotated refresh token must not be lost."""

Answer = TokenRefreshed | TokenRefreshFailed
P = ParamSpec("P")
T = TypeVar("T")


class Poster(Protocol):
    """What is needed of :class:`gephyr.runtime.tokens.endpoint.TokenEndpoint`."""

    async def post(self, request: TokenRequest, route: str, timeout: float) -> tuple[int, Headers, bytes]:  # noqa: ASYNC109
        """Return status, headers and body. Raises ``GrantError``."""


@attrs.define(eq=False)
class _Account:
    """What is known of one account."""

    grant: Grant
    token: StoredToken | None = None
    """The newest, on the disk."""
    unsaved: StoredToken | None = None
    """One that the disk refused, and that must not be lost: the refresh token before it is void."""
    form: int = 0
    """Which of the grant's requests its endpoint understood last."""
    answer_lost: bool = False
    """A refresh was sent and its answer never read, so that the refresh token may be void."""
    flight: asyncio.Task[Answer] | None = None

    @property
    def refresh_token(self) -> str:
        kept = self.token.refresh_token if self.token is not None else ""
        return kept or self.grant.refresh_token

    @property
    def secrets(self) -> tuple[str, ...]:
        """What an endpoint might repeat besides what it was just sent."""
        kept = (self.token.access_token, self.token.refresh_token) if self.token is not None else ()
        return (*kept, self.grant.refresh_token)


class TokenRefresh:
    """Implements :class:`gephyr.runtime.errands.TokenRefresher`. Belongs to the running event loop."""

    def __init__(
        self,
        grants: Mapping[str, Grant],
        *,
        vault: Vault,
        store: TokenStore,
        endpoint: Poster,
        clock: Callable[[], float],
    ) -> None:
        """*grants* by account. Call :meth:`restore` next; *clock* gives seconds since the epoch."""
        self._accounts = {account: _Account(grant) for account, grant in grants.items()}
        self._vault = vault
        self._store = store
        self._endpoint = endpoint
        self._clock = clock
        self._flights = 0
        """How many refreshes were begun."""
        # Its own: a thousand refreshes at once must not keep the loop's threads from looking names up.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="gephyr-tokens")

    def restore(self) -> list[TokenState]:
        """Use the tokens that an earlier process kept, and return what there is. Blocks, for a disk; for the start.

        Left out are accounts that have no way to get a token before somebody signs in. Raises ``sqlite3.Error``.
        """
        for name in self._store.interrupted_refreshes():
            account = self._accounts.get(name)
            if account is not None:
                account.answer_lost = True
                _log.warning("a token refresh was interrupted: the account may have to sign in again", account=name)
        return self._adopt(self._store.tokens())

    async def reload(self, grants: Mapping[str, Grant]) -> list[TokenState]:
        """Take over what commands changed in configuration and store; returns what there is now, as :meth:`restore`.

        The vault is to hold the new configuration's entries before (``Vault.update``). Raises ``sqlite3.Error``.
        """
        while True:
            await asyncio.gather(*self._under_way(), return_exceptions=True)
            begun = self._flights
            stored = await self._on_disk(self._store.tokens)
            if begun == self._flights:  # else what was read may be older than what is known
                break
        known = self._accounts
        self._accounts = {name: known.get(name, _Account(grant)) for name, grant in grants.items()}
        for name, grant in grants.items():
            self._accounts[name].grant = grant
        return self._adopt(stored)

    async def refresh(self, command: RefreshToken) -> Answer:
        """Get the account a new token: however many ask at the same time, for all of them one."""
        account = self._accounts.get(command.account)
        if account is None:
            detail = "the account does not sign in by OAuth"
            return TokenRefreshFailed(command.account, "unavailable", detail, permanent=True)
        flight = account.flight
        if flight is None or (flight.done() and not self._is_news(flight)):
            self._flights += 1
            flight = account.flight = asyncio.create_task(self._fly(account, command))
            flight.add_done_callback(_look_at)
        # One that gave up waiting must not keep a token that has come from the disk.
        answer = await asyncio.shield(flight)
        if account.flight is flight:
            account.flight = None
        return answer

    async def aclose(self) -> None:
        """Let what is under way end within some seconds, and give up what does not."""
        flights = self._under_way()
        if flights:
            _, late = await asyncio.wait(flights, timeout=_LAST_WAIT)
            for flight in late:
                flight.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for account in self._accounts.values():
            if account.unsaved is not None:
                with contextlib.suppress(GrantError):
                    await self._keep(account, account.unsaved)
        self._disk.shutdown(wait=False)

    # -- what is known --------------------------------------------------------------------------------------------

    def _adopt(self, stored: Sequence[StoredToken]) -> list[TokenState]:
        """Use what the store holds, as far as it descends from what is configured now."""
        found = {token.account: token for token in stored}
        now = self._clock()
        states = []
        for name, account in self._accounts.items():
            lineage = account.grant.lineage
            if account.unsaved is not None and account.unsaved.configured != lineage:
                account.unsaved = None
            token = found.get(name)
            account.token = token if token is not None and token.configured == lineage else None
            if account.token is not None:
                self._vault.replace(name, account.token.access_token)
                states.append(TokenState(name, min(account.token.expires_at, now + LONGEST_LIFE)))
            else:
                self._vault.withdraw(name)
                if account.grant.starts_alone:
                    states.append(TokenState(name, 0.0))
        return states

    def _under_way(self) -> list[asyncio.Task[Answer]]:
        flights = [account.flight for account in self._accounts.values()]
        return [flight for flight in flights if flight is not None and not flight.done()]

    def _is_news(self, flight: asyncio.Task[Answer]) -> bool:
        """Whether a refresh ended well, just now, after the one that had asked for it gave up."""
        if flight.cancelled() or flight.exception() is not None:
            return False
        answer = flight.result()
        account = self._accounts.get(answer.account)
        if account is None or account.token is None or not isinstance(answer, TokenRefreshed):
            return False
        now = self._clock()
        return now - account.token.obtained_at < _STILL_NEWS < answer.expires_at - now

    # -- one refresh ----------------------------------------------------------------------------------------------

    async def _fly(self, account: _Account, command: RefreshToken) -> Answer:
        try:
            token = account.unsaved or await self._obtain(account, command)
            await self._keep(account, token)
        except GrantError as error:
            return TokenRefreshFailed(command.account, error.code, error.detail, error.permanent, error.wait)
        self._vault.replace(token.account, token.access_token)
        return TokenRefreshed(token.account, token.expires_at)

    async def _obtain(self, account: _Account, command: RefreshToken) -> StoredToken:
        """Ask for a token. Raises :class:`GrantError`."""
        grant, used = account.grant, account.refresh_token
        requests = grant.requests(used, self._clock())
        if not requests:
            detail = "there is no refresh token: sign in with 'gephyr accounts login'"
            raise GrantError("not_signed_in", detail, permanent=True)
        limit = max(command.timeout - _FOR_THE_DISK, command.timeout / 2)
        if grant.is_used_up:
            await self._begin(command.account)
        try:
            answer = await self._ask(account, requests, command.route, limit)
        except LostAnswerError:
            account.answer_lost = grant.is_used_up
            raise
        except GrantError as error:
            if grant.is_used_up:
                await self._abandon(command.account)
            if error.code == "invalid_grant" and account.answer_lost:
                error.detail += "; the answer to an earlier refresh was lost, and a new refresh token with it"
            raise
        account.answer_lost = False
        now = self._clock()
        return StoredToken(
            account=command.account,
            access_token=answer.access_token,
            refresh_token=answer.refresh_token or used,
            expires_at=now + answer.expires_in,
            configured=grant.lineage,
            obtained_at=now,
        )

    async def _ask(self, account: _Account, requests: Sequence[TokenRequest], route: str, limit: float) -> TokenAnswer:
        """Try the forms of the request in turn, the one that was understood last first, until one is."""
        deadline = asyncio.get_running_loop().time() + limit
        first = account.form % len(requests)
        for number in (*range(first, len(requests)), *range(first)):
            request = attrs.evolve(requests[number], secrets=(*requests[number].secrets, *account.secrets))
            left = deadline - asyncio.get_running_loop().time()
            status, headers, body = await self._endpoint.post(request, route, left)
            try:
                answer = read_answer(status, headers, body, request, self._clock())
            except GrantError as error:
                refusal = error
                if error.code != "invalid_client":
                    break
            else:
                account.form = number
                return answer
        raise refusal

    # -- the disk -------------------------------------------------------------------------------------------------

    async def _on_disk(self, do: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, partial(do, *arguments, **named))

    async def _begin(self, name: str) -> None:
        try:
            await self._on_disk(self._store.begin_refresh, name, self._clock())
        except Exception as error:
            raise _not_kept(name, error) from None

    async def _abandon(self, name: str) -> None:
        try:
            await self._on_disk(self._store.abandon_refresh, name)
        except Exception as error:  # costs a warning at the next start
            _not_kept(name, error)

    async def _keep(self, account: _Account, token: StoredToken) -> None:
        """Have the token on the disk. Raises :class:`GrantError` where it must be and cannot."""
        rotated = account.grant.is_used_up and token.refresh_token != account.refresh_token
        if rotated:
            account.unsaved = token
        try:
            await self._on_disk(self._store.keep_token, token)
        except Exception as error:
            failure = _not_kept(token.account, error)
            if rotated:
                raise failure from None
        account.token, account.unsaved = token, None


def _not_kept(name: str, error: Exception) -> GrantError:
    """Report that the store failed. What an exception says of its arguments is not shown."""
    reason = type(error).__name__
    _log.error("the store of tokens cannot be written", account=name, reason=reason)
    return GrantError("store", f"the store of tokens cannot be written ({reason})")


def _look_at(flight: asyncio.Task[Answer]) -> None:
    """Have asyncio not complain of a failure that nobody waited for."""
    if not flight.cancelled():
        flight.exception()
