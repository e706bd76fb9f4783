"""``gephyr accounts add``: an account that the data directory keeps, validated as a whole before it is written."""

import re
from pathlib import Path
from typing import Any

import click

from gephyr.cli.accounts.known import KnownAccounts, known_accounts
from gephyr.cli.accounts.options import SETTINGS, described, option_of
from gephyr.cli.check import EXIT_BAD_CONFIGURATION, config_option
from gephyr_core.config import ConfigError, ConfigProblem

_ASKED_LATER = "asked-later"
"""Stands for the key while everything else is looked at: nobody types one in for an account that cannot be."""
_PLACE = re.compile(r"accounts\[(\d+)\]\.(.+)")


@click.command(params=[setting.parameter() for setting in SETTINGS])
@click.option("--no-api-key", is_flag=True, help="The endpoint wants none (openai-compatible only).")
@config_option
def add(config_path: Path | None, *, no_api_key: bool, **values: Any) -> None:
    """Add an account. It is kept in the data directory, its secrets encrypted; the file is not touched.

    A key is never given on the command line itself: it is named (env:NAME, file:PATH), read from standard input (-), or
    asked for. Either way it is read now, once.
    """
    with known_accounts(config_path) as known:
        account = described(values)
        table, problems = account.table, dict(account.problems)
        if no_api_key and "api_key" in table:
            problems["--no-api-key"] = "contradicts --api-key"
        asks = not no_api_key and not {"api_key", "oauth", "service_account"} & table.keys()
        problems |= _id_problem(known, table)
        _refuse(known, {**table, "api_key": _ASKED_LATER} if asks else table, problems)
        if asks:
            table["api_key"] = click.prompt(f"API key of {table['id']}", hide_input=True, err=True).strip()
            _refuse(known, table, {})
        known.book.add_account(table)
    click.echo(f"added {table['id']}; a gateway that runs serves it within a second")
    if "oauth" in table and not table["oauth"].get("refresh_token"):
        click.echo(f"it has yet to sign in: gephyr accounts login {table['id']}")


def _id_problem(known: KnownAccounts, table: dict[str, Any]) -> dict[str, str]:
    account = table.get("id")
    if account in known.of_the_file:
        return {"--id": f"{account!r} is an account of {known.file}: change it there"}
    if account in known.by_command:
        return {"--id": f"{account!r} was added before; 'gephyr accounts remove {account}' removes it"}
    return {}


def _refuse(known: KnownAccounts, table: dict[str, Any], problems: dict[str, str]) -> None:
    """End the command, with every mistake, unless the account fits. *problems*, by option, are known already."""
    lines = [f"{option}: {message}" for option, message in problems.items()]
    try:
        known.loaded.with_accounts([*(added.table for added in known.added), table])
    except ConfigError as error:
        lines += [line for problem in error.problems if (line := _line(problem, known, problems))]
    if lines:
        for line in lines:
            click.echo(f"error: {line}", err=True)
        raise SystemExit(EXIT_BAD_CONFIGURATION)


def _line(problem: ConfigProblem, known: KnownAccounts, problems: dict[str, str]) -> str:
    """Name the option, or the account, that a problem is about; empty where the option's mistake is known."""
    match = _PLACE.fullmatch(problem.path)
    number = -1 if match is None else int(match[1]) - len(known.of_the_file)
    if match is None or number < 0:
        return str(problem)
    if number < len(known.added):
        return f"account {known.added[number].account!r}, added before: {match[2]}: {problem.message}"
    option = option_of(match[2])
    if option in problems:
        return ""
    return f"{option or match[2]}: {problem.message}"
