"""``gephyr accounts recover``: what a damaged store still holds of accounts and tokens, into the present one."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gephyr.cli.accounts.known import EXIT_FAILED, KnownAccounts, fail, known_accounts
from gephyr.cli.check import config_option
from gephyr.runtime.account_book import Readable
from gephyr.runtime.store_file import FILE_NAME, StoreError
from gephyr.runtime.store_salvage import salvage
from gephyr_core.config import ConfigError

_OTHER_KEY = "it is damaged, or was encrypted with another key than the present one"
Line = tuple[bool, str]
"""Whether all is well with it, and what became of it."""


@click.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
def recover(config_path: Path | None, file: Path) -> None:
    """Bring accounts, tokens and your own 'disable' back from a store that was set aside, as far as FILE can be read.

    FILE is left as it is. What the present store has is never replaced, but by a newer token. A gateway that runs uses
    at once what was recovered. The same command may be given again. Exit status 1: not everything came back.
    """
    with known_accounts(config_path) as known:
        file = file.with_name(file.name.removesuffix("-wal"))
        if file.resolve() == (Path(known.loaded.config.server.data_dir).expanduser() / FILE_NAME).resolve():
            fail(f"{file} is the store in use: where it is damaged, gephyr serve sets it aside when it starts")
        try:
            found = salvage(file)
        except StoreError as error:
            fail(str(error))
        readable = known.book.read(found)
        ids = {*known.of_the_file, *known.by_command}
        lines = [*_accounts(known, readable, ids), *_tokens(known, readable, ids), *_states(known, readable, ids)]
        if found.missing:
            lines.append((False, f"the file is cut off: {found.missing} of its pages are gone, with what they held"))
    if not lines:
        lines = [(False, "no account and no token was found")]
    for _, line in lines:
        click.echo(line)
    if not all(well for well, _ in lines):
        raise SystemExit(EXIT_FAILED)


def _accounts(known: KnownAccounts, found: Readable, ids: set[str]) -> Iterator[Line]:
    """Recover accounts, add them to *ids*, and tell what became of each."""
    tables = [added.table for added in known.added]
    for added in found.accounts:
        name = added.account
        if name in ids:
            yield True, f"account {name}: there is one; it was left as it is"
        elif problem := _problem(known, [*tables, added.table]):
            yield False, f"account {name}: not recovered: {problem}"
        else:
            known.book.add_account(added.table)
            tables.append(added.table)
            ids.add(name)
            yield True, f"account {name}: recovered"
    for name in found.unreadable_accounts:
        yield False, f"account {name}: not recovered: {_OTHER_KEY}"


def _tokens(known: KnownAccounts, found: Readable, ids: set[str]) -> Iterator[Line]:
    """Recover tokens of the accounts *ids*, and tell what became of each."""
    for token in found.tokens:
        if token.account not in ids:
            yield False, f"token of {token.account}: not recovered: there is no such account"
        elif known.book.recover_token(token):
            yield True, f"token of {token.account}: recovered"
        else:
            yield True, f"token of {token.account}: there is one that is as new; it was left as it is"
    for name in found.unreadable_tokens:
        yield False, f"token of {name}: not recovered: {_OTHER_KEY}"


def _states(known: KnownAccounts, found: Readable, ids: set[str]) -> Iterator[Line]:
    """Take out of service what the operator had taken out of it."""
    for state in found.disabled:
        if state.account in ids and known.book.recover_disabled(state):
            yield True, f"account {state.account}: disabled, as it was"


def _problem(known: KnownAccounts, tables: Sequence[Mapping[str, Any]]) -> str:
    """Return why an account does not fit the configuration any more; empty where it does."""
    try:
        known.loaded.with_accounts(tables)
    except ConfigError as error:
        return "; ".join(str(problem) for problem in error.problems)
    return ""
