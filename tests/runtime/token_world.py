"""An account that refreshes its tokens, with everything around it: a real endpoint, a vault, and a disk that fails as told."""

import contextlib
from collections.abc import AsyncIterator

import attrs

from gephyr.runtime.credentials import NoTokenError, Vault
from gephyr.runtime.store_tokens import StoredToken
from gephyr.runtime.tokens import Grant, MemoryTokens, RefreshGrant, TokenEndpoint, TokenRefresh
from gephyr.runtime.upstream import ProxyUrl
from gephyr_core.commands import RefreshToken
from gephyr_core.events import TokenRefreshed, TokenRefreshFailed
from gephyr_core.http import Origin
from tests.runtime.token_endpoint import Endpoint, token_endpoint

NOW = 1_700_000_000.0
HOME = Origin("https", "api.example.com", 443)
COMMAND = RefreshToken("a", "direct", 10.0)


class Disk(MemoryTokens):
    """Keeps tokens, tells what was done to it, and refuses as told."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.refuses: list[str] = []
        self.notes: list[str] = []
        """Accounts with a refresh that is not over."""
        self.on_keep = lambda: None

    def begin_refresh(self, account: str, now: float) -> None:
        self._do("begin")
        self.notes.append(account)

    def keep_token(self, token: StoredToken) -> None:
        self.on_keep()
        self._do("keep")
        super().keep_token(token)
        self.notes = [account for account in self.notes if account != token.account]

    def abandon_refresh(self, account: str) -> None:
        self._do("abandon")
        self.notes.remove(account)

    def interrupted_refreshes(self) -> list[str]:
        return self.notes

    def _do(self, what: str) -> None:
        self.log.append(what)
        if what in self.refuses:
            raise OSError("disk full, rt-MARKED-1")


@attrs.define
class World:
    endpoint: Endpoint
    disk: Disk
    vault: Vault
    tokens: TokenRefresh
    grant: Grant
    now: float = NOW

    async def refresh(self) -> TokenRefreshed | TokenRefreshFailed:
        return await self.tokens.refresh(COMMAND)

    async def failure(self) -> TokenRefreshFailed:
        failed = await self.refresh()
        assert isinstance(failed, TokenRefreshFailed)
        assert "MARKED" not in repr(failed)
        return failed

    @property
    def token(self) -> str | None:
        """What calls are authorized by."""
        try:
            ((_, value),) = self.vault.authorize("a", HOME)
        except NoTokenError:
            return None
        return value.decode().removeprefix("Bearer ")

    def kept(self) -> tuple[str, str]:
        (token,) = self.disk.tokens()
        return token.access_token, token.refresh_token

    def restarted(self) -> "World":
        """The same disk and endpoint, in a new process."""
        return make(self.endpoint, self.disk, self.grant)


def make(endpoint: Endpoint, disk: Disk, grant: Grant) -> World:
    vault = Vault()
    vault.await_token("a", HOME)
    routes = {"proxy:gone": ProxyUrl.parse("http://127.0.0.1:1")}
    tokens = TokenRefresh(
        {"a": grant}, vault=vault, store=disk, endpoint=TokenEndpoint(routes), clock=lambda: world.now
    )
    world = World(endpoint, disk, vault, tokens, grant)
    return world


def grant_of(endpoint: Endpoint, **changes) -> RefreshGrant:
    settings = {"client_secret": "cs-MARKED", "refresh_token": "rt-MARKED-0", **changes}
    return RefreshGrant(token_url=endpoint.url, client_id="client", **settings)


@contextlib.asynccontextmanager
async def world(**changes) -> AsyncIterator[World]:
    async with token_endpoint() as endpoint:
        made = make(endpoint, Disk(), grant_of(endpoint, **changes))
        yield made
        await made.tokens.aclose()
