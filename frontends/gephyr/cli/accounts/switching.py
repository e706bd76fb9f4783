"""``gephyr accounts remove | enable | disable``."""

from pathlib import Path

import click

from gephyr.cli.accounts.known import account_argument, fail, known_accounts
from gephyr.cli.check import config_option


@click.command()
@config_option
@account_argument
def remove(config_path: Path | None, account: str) -> None:
    """Remove an account that was added by command, with its credential, tokens and state."""
    with known_accounts(config_path) as known:
        known.require(account)
        if account not in known.by_command:
            fail(f"{account!r} stands in {known.file}: remove it there, or use 'gephyr accounts disable {account}'")
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
