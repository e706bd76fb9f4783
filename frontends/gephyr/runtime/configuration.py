"""Reading the configuration: finds the file, moves the secrets out of it, and hands the core what is left."""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from gephyr.runtime.credentials import Vault, digest
from gephyr.runtime.secret_sources import SecretMover, absolute_path
from gephyr.runtime.tokens import Grant, RefreshGrant
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr_core.config import Config, ConfigError, ConfigProblem, load_config, provider_kind
from gephyr_core.config.environment import Setting
from gephyr_core.config.problems import Path as ProblemPath
from gephyr_core.providers import PROVIDERS
from gephyr_core.routing.mappings import Serving, mappings_without_account
from gephyr_core.shared import make_account

FILE_NAME = "gephyr.toml"
_HOME = "~/.gephyr"
_DATA_DIR = "ABV_DATA_DIR"
_READABLE_BY_ALL = 0o004
Stored = Callable[[Path], Sequence[Serving] | None]
"""Tells what the accounts of a data directory serve."""


@attrs.frozen
class Loaded:
    """A configuration, and what was taken out of it."""

    config: Config
    """Its paths of files are absolute."""
    vault: Vault
    routes: Mapping[str, ProxyUrl]
    """The proxies behind the route ids that *config* names."""
    path: Path | None
    """The file it came from; None where there is none."""
    warnings: tuple[str, ...]
    """For the operator to read, without secrets."""
    grants: Mapping[str, Grant] = attrs.field(factory=dict)
    """How the accounts that sign in get their access tokens, by account id."""
    credential_digests: Mapping[str, str] = attrs.field(factory=dict)
    """The digest of each account's credential, by account id: when it changes, what was found wrong with it is void."""
    with_accounts: Callable[[Sequence[Mapping[str, Any]]], "Loaded"] = attrs.field(repr=False, eq=False, kw_only=True)
    """Loads the same again with more accounts, as tables that ``[[accounts]]`` could hold. Raises ``ConfigError``."""


def find_config(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file: *path*, else the one in ``$ABV_DATA_DIR``, else the one in ``~/.gephyr``.

    None where there is no such file. A *path* that was given is returned whether it exists or not.
    """
    if path is not None:
        return path
    folders = [folder for folder in (environ.get(_DATA_DIR), _HOME) if folder]
    files = [absolute_path(folder, Path.cwd()) / FILE_NAME for folder in folders]
    return next((file for file in files if file.is_file()), None)


def load(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[Setting, object] | None = None,
    *,
    stored: Stored | None = None,
) -> Loaded:
    """Load the file at *path* (None: no file), overlaid by *environ*, then by *overrides*.

    *stored* returns what the accounts serve that are kept in a data directory, None where that is not known. With it,
    mappings are held against all accounts. Raises :class:`ConfigError` with every mistake, secrets that cannot be
    found included.
    """
    mapping = {} if path is None else read_toml(path)
    folder = Path.cwd() if path is None else path.absolute().parent
    loaded, literal = _load(mapping, folder, environ, overrides, path, stored)
    if path is not None and literal and os.name == "posix" and path.stat().st_mode & _READABLE_BY_ALL:
        warning = f"{path} holds secrets and can be read by every user of this machine (chmod 600 helps)"
        return attrs.evolve(loaded, warnings=(warning,))
    return loaded


def load_mapping(
    mapping: Mapping[str, object],
    environ: Mapping[str, str],
    overrides: Mapping[Setting, object] | None = None,
    *,
    stored: Stored | None = None,
) -> Loaded:
    """Like :func:`load`, from what a file would hold. Relative paths are those of the working directory."""
    return _load(mapping, Path.cwd(), environ, overrides, stored=stored)[0]


def read_toml(path: Path, most_bytes: int | None = None) -> dict[str, Any]:
    """Return what the file at *path* holds, of at most *most_bytes*. Raises :class:`ConfigError` where it cannot be
    read, or is no TOML."""
    try:
        with path.open("rb") as file:
            content = file.read(-1 if most_bytes is None else most_bytes + 1)
        if most_bytes is None or len(content) <= most_bytes:
            return tomllib.loads(content.decode())
        message = f"larger than {most_bytes} bytes"
    except OSError as error:
        message = error.strerror or "cannot be read"
    except UnicodeDecodeError as error:
        message = f"not UTF-8 (at byte {error.start})"
    except RecursionError:
        message = "nested too deeply"
    except ValueError as error:  # a TOMLDecodeError, or a number of more digits than Python reads
        message = str(error)
    raise ConfigError([ConfigProblem(str(path), message)])


def _load(
    mapping: Mapping[str, object],
    folder: Path,
    environ: Mapping[str, str],
    overrides: Mapping[Setting, object] | None,
    path: Path | None = None,
    stored: Stored | None = None,
) -> tuple[Loaded, bool]:
    def with_accounts(added: Sequence[Mapping[str, Any]]) -> Loaded:
        own = mapping.get("accounts", [])
        accounts = [*(own if isinstance(own, list | tuple) else ()), *added]
        return _load({**mapping, "accounts": accounts}, folder, environ, overrides, path)[0]

    mover = SecretMover(folder, environ)
    public = mover.move(mapping)
    public_environ = mover.move_environment()
    if environ.get(_DATA_DIR):
        public_environ[_DATA_DIR] = str(absolute_path(environ[_DATA_DIR], Path.cwd()))
    try:
        further = _mapping_check(folder, stored)
        config = load_config(public, public_environ, providers=PROVIDERS, overrides=overrides, further=further)
    except ConfigError as error:
        raise ConfigError([*error.problems, *mover.problems]) from None
    config = _with_absolute_paths(config, folder)
    problems = [*mover.problems, *_missing_files(config)]
    if problems:
        raise ConfigError(problems)
    grants = _grants(config, mover)
    digests = {account.id: digest(mover.account_keys.get(account.id, "").encode()) for account in config.accounts}
    digests |= {account: grant.credential_digest for account, grant in grants.items()}
    vault = _fill_vault(config, mover.account_keys)
    loaded = Loaded(config, vault, mover.routes, path, (), grants, digests, with_accounts=with_accounts)
    return loaded, mover.literal


def _mapping_check(folder: Path, stored: Stored | None) -> Callable[[Config], Iterable[tuple[ProblemPath, str]]]:
    """Return what looks for mappings that no account serves."""

    def check(config: Config) -> Iterable[tuple[ProblemPath, str]]:
        added = None if stored is None else stored(absolute_path(config.server.data_dir, folder))
        return () if added is None else mappings_without_account(config, added)

    return check


def _with_absolute_paths(config: Config, folder: Path) -> Config:
    def absolute(text: str) -> str:
        return str(absolute_path(text, folder)) if text else ""

    server, outbound = config.server, config.outbound
    return attrs.evolve(
        config,
        server=attrs.evolve(
            server,
            data_dir=absolute(server.data_dir),
            tls_cert=absolute(server.tls_cert),
            tls_key=absolute(server.tls_key),
        ),
        outbound=attrs.evolve(outbound, ca_file=absolute(outbound.ca_file)),
    )


def _missing_files(config: Config) -> list[ConfigProblem]:
    files = {
        "server.tls_cert": config.server.tls_cert,
        "server.tls_key": config.server.tls_key,
        "outbound.ca_file": config.outbound.ca_file,
    }
    return [
        ConfigProblem(setting, f"no such file: {file}")
        for setting, file in files.items()
        if file and not Path(file).is_file()
    ]


def _grants(config: Config, mover: SecretMover) -> dict[str, Grant]:
    grants: dict[str, Grant] = {}
    for account in config.accounts:
        if account.service_account:
            grants[account.id] = mover.service_accounts[account.id]
        elif account.oauth is not None:
            secrets = mover.oauth_secrets[account.id]
            grants[account.id] = RefreshGrant(
                token_url=account.oauth.token_url,
                client_id=account.oauth.client_id,
                client_secret=secrets.client_secret,
                refresh_token=secrets.refresh_token,
                scopes=account.oauth.scopes,
            )
    return grants


def _fill_vault(config: Config, keys: Mapping[str, str]) -> Vault:
    vault = Vault()
    for account in config.accounts:
        origin = make_account(account, config).origin
        if account.oauth is not None or account.service_account:
            vault.await_token(account.id, origin)
            continue
        auth = PROVIDERS[provider_kind(config, account.provider)].auth
        secret = keys.get(account.id, "")
        vault.add(account.id, origin, secret=secret, header=auth.header, prefix=auth.prefix)
    return vault
