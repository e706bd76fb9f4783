"""``gephyr serve``: the gateway, with the operator's accounts."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import click
import structlog

from gephyr.cli.check import EXIT_BAD_CONFIGURATION, report
from gephyr.cli.serving import ignored_signals, run_server
from gephyr.runtime.configuration import find_config, load
from gephyr.runtime.credentials import digest, generate_key
from gephyr.runtime.observers import LogFormat, Observers, RequestLog, background_output, configure_logging
from gephyr.runtime.service import Service, open_store, socket_service
from gephyr.runtime.store import Store, StoreError
from gephyr.runtime.stored_accounts import stored_accounts
from gephyr_core.config import Config, ConfigError, is_loopback
from gephyr_core.config.environment import Setting

_log = structlog.get_logger()


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how to log."""
    level = click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
    form = click.option(
        "--log-format",
        type=click.Choice(["auto", "json", "console"]),
        default="auto",
        help="JSON lines, or lines for people; auto: for people on a terminal.",
    )
    return level(form(command))


@click.command()
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration file; else gephyr.toml in $ABV_DATA_DIR or in ~/.gephyr.",
)
@click.option("--host", help="Address to listen on, instead of server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of server.port; 0: a free one.")
@click.option("--insecure-no-auth", is_flag=True, help="Honour auth.mode = off, on a loopback address only.")
@log_options
def serve(
    *,
    config_path: Path | None,
    host: str | None,
    port: int | None,
    insecure_no_auth: bool,
    log_level: str,
    log_format: LogFormat,
) -> None:
    """Serve clients from the configured accounts."""
    with background_output() as lines, ignored_signals():
        configure_logging(log_level, log_format, file=lines)
        log = RequestLog(lines, level=log_level, log_format=log_format)
        code = _serve(config_path, host, port, Observers(request_log=log, lines=lines), allow_no_auth=insecure_no_auth)
    raise SystemExit(code)


def _serve(
    config_path: Path | None, host: str | None, port: int | None, observers: Observers, *, allow_no_auth: bool
) -> int:
    """Serve until a signal comes; return the exit code."""
    overrides: dict[Setting, object] = {
        ("server", name): value for name, value in (("host", host), ("port", port)) if value is not None
    }
    try:
        loaded = load(find_config(config_path, os.environ), os.environ, overrides, stored=stored_accounts)
    except ConfigError as error:
        report(error)
        return EXIT_BAD_CONFIGURATION
    for warning in loaded.warnings:
        _log.warning(warning)
    try:
        store = open_store(loaded)
        config = harden(loaded.config, store, allow_no_auth=allow_no_auth)
    except (StoreError, sqlite3.Error) as error:
        click.echo(f"error: server.data_dir: {error}", err=True)
        return EXIT_BAD_CONFIGURATION
    loaded = attrs.evolve(loaded, config=config)
    if not loaded.config.accounts:
        _log.warning("no account is configured: every request will be answered 503")

    def make_service(on_stop: Callable[[], None]) -> Service:
        return socket_service(loaded, store=store, observers=observers, on_stop=on_stop)

    return run_server(loaded.config, make_service)


def harden(config: Config, store: Store, *, allow_no_auth: bool) -> Config:
    """Return the configuration as a standalone server may have it: never open by accident.

    ``auth.mode = "off"`` becomes ``strict``, unless the listener is loopback and *allow_no_auth*. Where a key is needed
    and none is set, one is generated, shown once and kept as a digest.
    """
    auth = config.auth
    if auth.mode == "off":
        if allow_no_auth and is_loopback(config.server.host):
            return config
        _log.warning("auth.mode = off is not honoured by a standalone server: using strict (see --insecure-no-auth)")
        auth = attrs.evolve(auth, mode="strict")
    if not auth.api_keys:
        known = store.generated_key_digest()
        if known is None:
            key = generate_key()
            known = digest(key.encode())
            store.remember_generated_key(known)
            click.echo(f"generated client key (shown this once): {key}", err=True)
        else:
            _log.info("clients use the key that was generated at the first start")
        auth = attrs.evolve(auth, api_keys=(known,))
    return attrs.evolve(config, auth=auth)
