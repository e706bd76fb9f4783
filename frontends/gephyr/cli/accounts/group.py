"""The command group ``gephyr accounts``."""

import sys

import click

from gephyr.cli.accounts.adding import add
from gephyr.cli.accounts.listing import list_accounts
from gephyr.cli.accounts.login import login
from gephyr.cli.accounts.recovering import recover
from gephyr.cli.accounts.switching import disable, enable, remove
from gephyr.cli.accounts.testing import test_account
from gephyr.runtime.observers import configure_logging
from gephyr.runtime.observers.lines import binary


@click.group()
def accounts() -> None:
    """List, add, remove, switch, test and sign in accounts. A running gateway follows within a second.

    Exit status: 0 done, 1 it cannot be done or the account does not work, 2 the configuration or the input is wrong.
    """
    configure_logging("warning", file=binary(sys.stderr))


for _command in (list_accounts, add, remove, enable, disable, test_account, login, recover):
    accounts.add_command(_command)
