"""The accounts that a command can name: those of the file, and those that were added."""

import contextlib
import difflib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import attrs
import click

from gephyr.cli.check import EXIT_BAD_CONFIGURATION, report
from gephyr.runtime.account_book import AccountBook, AddedAccount
from gephyr.runtime.configuration import Loaded, find_config, load
from gephyr.runtime.store_file import StoreError, reason_of
from gephyr_core.config import AccountConfig, ConfigError

EXIT_FAILED = 1

account_argument = click.argument("account", metavar="ID")
"""The account that a command is about."""


@attrs.frozen
class KnownAccounts:
    """The configuration, and the book beside it."""

    loaded: Loaded
    """What the file says, without the accounts that were added."""
    book: AccountBook
    added: tuple[AddedAccount, ...]
    unreadable: tuple[str, ...]
    """Accounts that were added, and whose secrets cannot be read with the present key."""

    @property
    def file(self) -> str:
        """The file, for people."""
        return str(self.loaded.path or "the configuration")

    @property
    def of_the_file(self) -> list[str]:
        """The ids of the accounts that stand in the file."""
        return [account.id for account in self.loaded.config.accounts]

    @property
    def by_command(self) -> list[str]:
        """The ids of the accounts that were added, those that cannot be read included."""
        return [*(account.account for account in self.added), *self.unreadable]

    def together(self) -> Loaded:
        """Return the configuration with the accounts that were added. Raises ``ConfigError`` where they do not fit."""
        return self.loaded.with_accounts([account.table for account in self.added])

    def require(self, account: str) -> None:
        """End the command, with a suggestion, where there is no such account."""
        ids = [*self.of_the_file, *self.by_command]
        if account in ids:
            return
        near = difflib.get_close_matches(account, ids, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "'gephyr accounts list' shows those that there are"
        fail(f"there is no account {account!r}; {hint}")

    def settings(self, account: str) -> tuple[Loaded, AccountConfig]:
        """Return the configuration with all accounts, and what it says of this one. Ends the command where there is no
        such account, or none that can be read."""
        self.require(account)
        if account in self.unreadable:
            fail(f"the secrets of {account!r} cannot be read with the present encryption key")
        loaded = self.together()
        return loaded, next(settings for settings in loaded.config.accounts if settings.id == account)

    def scopes(self, account: str) -> tuple[str, ...]:
        """Return the names under which a provider's limits for *account* are kept: its own, and its organisation's."""
        found = {entry.id: (entry.provider, entry.organization) for entry in self.loaded.config.accounts}
        for added in self.added:
            found[added.account] = (added.table.get("provider", ""), added.table.get("organization", ""))
        provider, organization = found.get(account, ("", ""))
        return (account, f"{provider}:{organization}") if organization else (account,)

    def tell_if_out(self, account: str, loaded: Loaded) -> None:
        """Say so where an account that works, or is signed in, serves nobody all the same."""
        for state in self.book.states(loaded.credential_digests):
            if state.account == account:
                click.echo(f"it is out of service ({state.disabled}): gephyr accounts enable {account}")


def fail(message: str) -> NoReturn:
    """End the command: it was understood, and cannot be done."""
    click.echo(f"error: {message}", err=True)
    raise SystemExit(EXIT_FAILED)


@contextlib.contextmanager
def known_accounts(config_path: Path | None) -> Iterator[KnownAccounts]:
    """Open configuration and book for a command, and end it with a clear line where that, or the block, fails."""
    try:
        loaded = load(find_config(config_path, os.environ), os.environ)
        book = AccountBook.open(loaded.config.server.data_dir)
        with contextlib.closing(book):
            yield KnownAccounts(loaded, book, tuple(book.added_accounts()), tuple(book.unreadable_accounts()))
    except ConfigError as error:
        report(error)
        raise SystemExit(EXIT_BAD_CONFIGURATION) from None
    except StoreError as error:
        click.echo(f"error: server.data_dir: {error}", err=True)
        raise SystemExit(EXIT_BAD_CONFIGURATION) from None
    except sqlite3.Error as error:
        reason = reason_of(error, Path(loaded.config.server.data_dir).expanduser())
        fail(f"the data directory cannot be used now, and nothing was changed: {reason}")
