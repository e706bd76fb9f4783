"""Errands: token refreshes and health checks of proxies, done beside the traffic, each within its time limit."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

from gephyr.runtime.faults import failure
from gephyr.runtime.ports import Feed
from gephyr_core.commands import CheckProxy, RefreshToken
from gephyr_core.events import ProxyChecked, TokenRefreshed, TokenRefreshFailed
from gephyr_core.records import TokenState

_OUR_FAULT = "a fault of the gateway"


class TokenRefresher(Protocol):
    """Gets access tokens."""

    def restore(self) -> Sequence[TokenState]:
        """Use the tokens that an earlier process kept, and return what there is. May block; for the start."""

    async def refresh(self, command: RefreshToken) -> TokenRefreshed | TokenRefreshFailed:
        """Get a new token, and have it on the disk before this returns."""

    async def aclose(self) -> None:
        """Let what is under way end in good order, within some seconds."""


class ProxyChecker(Protocol):
    """Tries proxies."""

    async def check(self, command: CheckProxy) -> ProxyChecked:
        """Ask for the URL through the proxy."""


class Errands:
    """Implements :class:`gephyr.runtime.ports.ErrandPort`. Belongs to the running event loop."""

    def __init__(self, refresher: TokenRefresher | None = None, checker: ProxyChecker | None = None) -> None:
        """Without a *refresher* every refresh fails; without a *checker* every proxy is healthy."""
        self._refresher = refresher
        self._checker = checker
        self._tasks: dict[asyncio.Task[None], None] = {}

    def restore_tokens(self) -> Sequence[TokenState]:
        """Return the tokens that there are at the start. May block."""
        return () if self._refresher is None else self._refresher.restore()

    def refresh_token(self, command: RefreshToken, feed: Feed) -> None:
        """Feed ``TokenRefreshed`` or ``TokenRefreshFailed``."""
        self._start(self._refresh(command, feed))

    def check_proxy(self, command: CheckProxy, feed: Feed) -> None:
        """Feed ``ProxyChecked``."""
        self._start(self._check(command, feed))

    async def aclose(self) -> None:
        """Give up what is under way; nothing is fed any more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._refresher is not None:
            await self._refresher.aclose()

    def _start(self, errand: Awaitable[None]) -> None:
        task = asyncio.ensure_future(errand)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _refresh(self, command: RefreshToken, feed: Feed) -> None:
        if self._refresher is None:
            detail = "this gateway gets no tokens"
            feed(TokenRefreshFailed(command.account, "unavailable", detail, permanent=True))
            return
        try:
            async with asyncio.timeout(command.timeout):
                answer = await self._refresher.refresh(command)
        except TimeoutError:
            answer = TokenRefreshFailed(command.account, "timeout", f"no token within {command.timeout:g} s")
        except Exception as error:
            feed(failure(error, "RefreshToken"))
            answer = TokenRefreshFailed(command.account, "internal", _OUR_FAULT)
        feed(answer)

    async def _check(self, command: CheckProxy, feed: Feed) -> None:
        if self._checker is None:
            feed(ProxyChecked(command.proxy, healthy=True))
            return
        try:
            async with asyncio.timeout(command.timeout):
                answer = await self._checker.check(command)
        except TimeoutError:
            answer = ProxyChecked(command.proxy, healthy=False, detail=f"no answer within {command.timeout:g} s")
        except Exception as error:
            feed(failure(error, "CheckProxy"))
            answer = ProxyChecked(command.proxy, healthy=None, detail=_OUR_FAULT)
        feed(answer)
