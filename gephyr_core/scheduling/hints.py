"""Hints: telling pools that an account may be asked again.

A pool that passes an account over watches it here, under the account's id. Whoever changes something about an account
gives a hint: the ledger when a claim is released or a cooldown ends early, the sign-in when a token comes, the operator
when an account is enabled. What ends by time alone needs no hint: each block tells when it opens.
"""

from typing import Protocol

from gephyr_core.scheduling.accounts import Account


class Watcher(Protocol):
    """Passes accounts over until a hint comes."""

    @property
    def is_waited_for(self) -> bool:
        """Whether any request waits for it."""
        ...

    def restore(self, account: Account) -> None:
        """Offer the account again."""
        ...


class Hints:
    """The watchers of all accounts of one scheduler."""

    __slots__ = ("_watched",)

    def __init__(self) -> None:
        self._watched: dict[str, dict[Watcher, Account]] = {}
        """Ids of accounts to those that watch them, each with the account as it knows it."""

    def watch(self, watcher: Watcher, account: Account) -> None:
        """Send *watcher* the next hint for the account."""
        watchers = self._watched.get(account.id)
        if watchers is None:
            watchers = self._watched[account.id] = {}
        watchers[watcher] = account

    def unwatch(self, watcher: Watcher, account: Account) -> None:
        """Send *watcher* no hint for the account."""
        watchers = self._watched.get(account.id, {})
        watchers.pop(watcher, None)
        if not watchers:
            self._watched.pop(account.id, None)

    def watchers(self, account: str) -> list[Watcher]:
        """Return the watchers of the account of this id."""
        return list(self._watched.get(account, ()))

    def opened(self, account: str) -> None:
        """Hint that a block on the account of this id may be gone."""
        watchers = self._watched.get(account)
        if watchers is not None:
            for watcher, known in list(watchers.items()):
                watcher.restore(known)

    def forget_idle(self, account: str) -> None:
        """Drop the watchers of one account for which no request waits. One that is used all the same learns anew."""
        for watcher, known in list(self._watched.get(account, {}).items()):
            if not watcher.is_waited_for:
                watcher.restore(known)

    @property
    def accounts(self) -> list[str]:
        """Ids of the accounts that are watched."""
        return list(self._watched)
