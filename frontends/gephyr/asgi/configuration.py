"""The configuration of an application in somebody's host: read like a server's, and never changed on the quiet."""

import os
from collections.abc import Mapping
from pathlib import Path

from gephyr.runtime.configuration import Loaded, load, load_mapping
from gephyr.runtime.secret_sources import absolute_path
from gephyr.runtime.stored_accounts import stored_accounts
from gephyr_core.config import Config, ConfigError, ConfigProblem, variable_of
from gephyr_core.config.problems import path_text
from gephyr_core.config.schema_server import ServerConfig
from gephyr_core.routing.mappings import Serving, mappings_without_account


def load_for_host(config: str | os.PathLike[str] | Mapping[str, object] | Loaded, environ: Mapping[str, str]) -> Loaded:
    """Load *config* and make sure that who may call it was decided on purpose. Raises :class:`ConfigError`.

    A standalone server turns ``off`` into ``strict`` and generates a missing key (``gephyr.cli.serve.harden``). An
    application has no terminal to show a key on, and its host may have guards of its own: so it is honoured that the
    configuration says ``off``, that only the environment does is refused, and so is a missing key.
    """
    if isinstance(config, Loaded):
        loaded = config
        _require_accounts(loaded.config)
    else:
        variable = variable_of("AUTH_MODE", environ)
        opens = variable is not None and environ[variable].strip().lower() == "off"
        own = {name: value for name, value in environ.items() if not (opens and name == variable)}
        if isinstance(config, Mapping):
            loaded = load_mapping(config, own, stored=_stored)
        else:
            loaded = load(Path(config), own, stored=_stored)
        if opens and loaded.config.auth.mode != "off":
            message = f"off comes from {variable} alone: an application is opened by its configuration only"
            raise ConfigError([ConfigProblem("auth.mode", message)])
    if loaded.config.auth.mode != "off" and not loaded.config.auth.api_keys:
        message = 'no key is set, and none is generated for an application: set one, or auth.mode = "off"'
        raise ConfigError([ConfigProblem("auth.api_keys", message)])
    return loaded


def _require_accounts(config: Config) -> None:
    added = _stored(absolute_path(config.server.data_dir, Path.cwd()))
    problems = [] if added is None else list(mappings_without_account(config, added))
    if problems:
        raise ConfigError([ConfigProblem(path_text(path), message) for path, message in problems])


def _stored(directory: Path) -> list[Serving] | None:
    """Tell what the accounts of a data directory serve; of the default one, which is not used, none."""
    return stored_accounts(directory) if _is_own(directory) else []


def wants_store(config: Config) -> bool:
    """Whether ``server.data_dir`` was set: an application does not write into the user's home unasked."""
    return _is_own(absolute_path(config.server.data_dir, Path.cwd()))


def _is_own(directory: Path) -> bool:
    return directory != absolute_path(ServerConfig().data_dir, Path.cwd())
