"""``gephyr accounts remove | enable | disable``."""

from pathlib import Path

import click

from gephyr.cli.accounts.known import account_argument, fail, known_accounts
from gephyr.cli.check import config_option
from gephyr.runtime.stored_accounts import stored_accounts
from gephyr_core.config.problems import path_text
from gephyr_core.routing.mappings import mappings_left_by


@click.command()
@config_option
@account_argument
def remove(config_path: Path | None, account: str) -> None:
    """Remove an account that was added by command, with its credential, tokens and state.

    The last account of a provider that [models] names stays: without it, the gateway would not start.
    """
    with known_accounts(config_path) as known:
        known.require(account)
        if account not in known.by_command:
            fail(f"{account!r} stands in {known.file}: remove it there, or use 'gephyr accounts disable {account}'")
        added = stored_accounts(Path(known.loaded.config.server.data_dir).expanduser()) or []
        if needed := list(mappings_left_by(known.loaded.config, added, account)):
            for path, message in needed:
                click.echo(f"error: {path_text(path)}: {message}", err=True)
            fail(f"{account!r} is not removed: it is the last account that {known.file} needs there")
        known.book.remove_account(account)
    click.echo(f"removed {account}")


@click.command()
@config_option
@account_argument
def enable(config_path: Path | None, account: str) -> None:
    """Put an account back into service, for whatever reason it is out of it: your own command, a provider's limit, a
    refused credential, money that has been paid since."""
    with known_accounts(config_path) as known:
        known.require(account)
        if any(settings.id == account and not settings.enabled for settings in known.loaded.config.accounts):
            fail(f"{known.file} says enabled = false of {account!r}: change it there")
        known.book.enable(account, known.scopes(account))
    click.echo(f"enabled {account}")


@click.command()
@config_option
@account_argument
def disable(config_path: Path | None, account: str) -> None:
    """Take an account out of service until it is enabled again. Requests that it serves now are not cut."""
    with known_accounts(config_path) as known:
        known.require(account)
        known.book.disable(account)
    click.echo(f"disabled {account}")
