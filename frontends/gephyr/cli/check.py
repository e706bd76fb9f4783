"""``gephyr check``: says what is wrong with a configuration, or what it amounts to."""

import contextlib
import os
import random
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import attrs
import click

from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.configuration import Loaded, find_config, load
from gephyr.runtime.store_file import StoreError
from gephyr.runtime.stored_accounts import stored_accounts
from gephyr_core.config import AccountConfig, ComplianceConfig, ConfigError
from gephyr_core.routing import Target
from gephyr_core.scheduling import Account
from gephyr_core.shared import Shared, make_account

EXIT_BAD_CONFIGURATION = 2
_NO_MODEL = "\0"


config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration file; else gephyr.toml in $ABV_DATA_DIR or in ~/.gephyr.",
)
"""``--config``, for every command that needs a configuration."""


@click.command()
@config_option
def check(config_path: Path | None) -> None:
    """Validate the configuration and show where each model goes."""
    try:
        loaded = _with_added(load(find_config(config_path, os.environ), os.environ, stored=stored_accounts))
    except ConfigError as error:
        report(error)
        raise SystemExit(EXIT_BAD_CONFIGURATION) from None
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    for line in summary(loaded):
        click.echo(line)


def _with_added(loaded: Loaded) -> Loaded:
    """Return the configuration with the accounts that commands added. Raises ``ConfigError`` where they do not fit it,
    so that a gateway would not start; what cannot be read is left out."""
    directory = Path(loaded.config.server.data_dir)
    if not stored_accounts(directory):
        return loaded
    try:
        with contextlib.closing(AccountBook.open(directory)) as book:
            tables = [added.table for added in book.added_accounts()]
    except (StoreError, sqlite3.Error) as error:
        warning = f"server.data_dir: {error}; accounts that were added by command are not shown"
        return attrs.evolve(loaded, warnings=(*loaded.warnings, warning))
    return attrs.evolve(loaded.with_accounts(tables), warnings=loaded.warnings)


def report(error: ConfigError) -> None:
    """Print every mistake of a configuration to stderr."""
    for problem in error.problems:
        click.echo(f"error: {problem}", err=True)


def summary(loaded: Loaded) -> Iterator[str]:
    """Describe a configuration, line by line, without secrets."""
    config = loaded.config
    scheme = "https" if config.server.tls_cert else "http"
    keys = len(config.auth.api_keys)
    yield f"configuration  {loaded.path or 'none: defaults and environment only'}"
    host = f"[{config.server.host}]" if ":" in config.server.host else config.server.host
    yield f"listens on     {scheme}://{host}:{config.server.port}"
    yield f"auth           {config.auth.mode}, {keys} key{'' if keys == 1 else 's'}"
    yield f"data           {config.server.data_dir}"
    yield f"compliance     {_compliance(config.compliance)}"
    yield ""
    if not config.accounts:
        yield "no account: every request will be answered 503"
        return
    yield "accounts"
    for account in config.accounts:
        yield f"  {_account_line(account, make_account(account, config))}"
    yield ""
    yield "models"
    yield from _model_lines(loaded)


def _compliance(settings: ComplianceConfig) -> str:
    """Say which guard rails hold, and which of them are switched off one by one."""
    if not settings.enabled:
        return "off"
    rails = {
        "max_global_requests_per_minute": "{} requests a minute in all",
        "max_account_requests_per_minute": "{} a minute on each account",
        "max_account_concurrency": "{} at a time on each account",
        "risk_cooldown_seconds": "{:g} s of rest after a risky status",
        "max_retry_attempts": "{} retries",
    }
    values = {name: getattr(settings, name) for name in rails}
    off = [name for name, value in values.items() if not value and name != "max_retry_attempts"]
    told = [words.format(values[name]) for name, words in rails.items() if name not in off]
    return "; ".join([*told, *([f"off: {', '.join(off)}"] if off else [])])


def _account_line(settings: AccountConfig, account: Account) -> str:
    models = ", ".join(settings.models) or "every model"
    parts = [settings.id, f"{account.provider} at {account.origin}{account.base_path}", models]
    if settings.proxy:
        parts.append(f"through {settings.proxy}")
    if not settings.enabled:
        parts.append("not enabled")
    return "; ".join(parts)


def _model_lines(loaded: Loaded) -> Iterator[str]:
    """Show each mapping and each model that is listed: its targets in order, with the accounts that serve them."""
    config = loaded.config
    shared = Shared(config, random.Random(0))
    accounts = shared.scheduler.accounts.values()
    listed = [pattern.text for account in accounts for pattern in account.models]
    for name in dict.fromkeys([*config.models.routes, *config.models.list, *listed]):
        yield f"  {name} -> {_targets(shared.models.resolve(name), accounts)}"
    if config.models.default:
        # A name that no route matches, for it holds what no name of a model does.
        yield f"  any other -> {_targets(shared.models.resolve(_NO_MODEL), accounts)}"
    elif everything := [account.id for account in accounts if not account.models]:
        yield f"  any other -> itself ({', '.join(everything)})"


def _targets(targets: Iterable[Target], accounts: Collection[Account]) -> str:
    texts = []
    for target in targets:
        serving = [
            account.id for account in accounts if any(account.serves(target, dialect) for dialect in account.dialects)
        ]
        texts.append(f"{target} ({', '.join(serving) or 'no account'})")
    return ", then ".join(texts)
