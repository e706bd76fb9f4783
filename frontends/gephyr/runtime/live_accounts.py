"""The accounts of a running service: those of the configuration and those that commands added, kept up to date."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs
import structlog

from gephyr.runtime.account_watch import AccountWatch
from gephyr.runtime.configuration import Loaded
from gephyr.runtime.faults import failure
from gephyr.runtime.ports import Feed
from gephyr.runtime.store import Store, StoreError
from gephyr.runtime.tokens import Grant
from gephyr_core.config import ConfigError
from gephyr_core.events import AdminChanged
from gephyr_core.records import AccountState, TokenState

_log = structlog.get_logger()


class Refresher(Protocol):
    """What is needed of :class:`gephyr.runtime.tokens.TokenRefresh`."""

    async def reload(self, grants: Mapping[str, Grant]) -> Sequence[TokenState]:
        """Take over what commands changed; return the tokens that there are now."""


def with_added_accounts(loaded: Loaded, store: Store) -> Loaded:
    """Return the configuration with the accounts that commands added. Raises ``ConfigError``: they may not fit any
    more what the file says, or have the id of an account there."""
    added = store.accounts.added_accounts()
    if not added:
        return loaded
    try:
        fresh = loaded.with_accounts([account.table for account in added])
    except ConfigError:
        _log.error("accounts that commands added do not fit the file", added=[account.account for account in added])
        raise
    config = attrs.evolve(loaded.config, accounts=fresh.config.accounts)
    return attrs.evolve(fresh, config=config, warnings=loaded.warnings)


class LiveAccounts:
    """Brings what commands change into the running service. Belongs to the running event loop."""

    def __init__(self, loaded: Loaded, store: Store) -> None:
        """*loaded* is the configuration without added accounts. Watches from now on.

        Raises ``ConfigError`` as :func:`with_added_accounts`, and ``sqlite3.Error``.
        """
        self._file = loaded
        self._store = store
        self._refresher: Refresher | None = None
        self._feed: Feed | None = None
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._watch = AccountWatch(store.directory, self.changed)
        try:
            self.loaded = with_added_accounts(loaded, store)
            """The configuration with all accounts. Its vault and routes are those in use, and are changed in place."""
        except BaseException:
            self._watch.close()
            raise
        self._digests = dict(self.loaded.credential_digests)
        """The digest of each account's credential, of those that are gone too: they may come back."""
        self._routes = dict(self.loaded.routes)
        self.loaded = attrs.evolve(self.loaded, routes=self._routes)
        store.credential_digests = self.loaded.credential_digests

    def attach(self, refresher: Refresher, feed: Feed) -> None:
        """The service is there: tell it of changes from now on."""
        self._refresher, self._feed = refresher, feed

    def changed(self) -> None:
        """A command changed something: look at all of it, one time after the other."""
        self._again = True
        if self._feed is not None and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._bring_in())

    async def aclose(self) -> None:
        """Watch no more."""
        self._watch.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _bring_in(self) -> None:
        assert self._refresher is not None
        assert self._feed is not None
        while self._again:
            self._again = False
            try:
                loaded = await asyncio.to_thread(with_added_accounts, self._file, self._store)
                self.loaded.vault.update(loaded.vault)
                self._routes.update(loaded.routes)
                self._store.credential_digests = loaded.credential_digests
                tokens = await self._refresher.reload(loaded.grants)
                states = await asyncio.to_thread(self._states)
            except ConfigError as error:
                for problem in error.problems:
                    _log.error("the accounts stay as they were", problem=str(problem))
            except (StoreError, sqlite3.Error) as error:
                _log.error("the accounts stay as they were", problem=str(error))
            except Exception as error:
                self._feed(failure(error, "accounts that a command changed"))
            else:
                renewed = [name for name, is_now in loaded.credential_digests.items() if self._is_new(name, is_now)]
                self._digests.update(loaded.credential_digests)
                self._feed(AdminChanged(loaded.config.accounts, states, tokens, renewed))

    def _is_new(self, account: str, credential_digest: str) -> bool:
        return self._digests.get(account, credential_digest) != credential_digest

    def _states(self) -> list[AccountState]:
        return [*self._store.load_states(), *self._store.load_enabled()]
