"""The configuration of an application in somebody's host: read like a server's, and never changed on the quiet."""

import os
from collections.abc import Mapping
from pathlib import Path

from gephyr.runtime.configuration import Loaded, load, load_mapping
from gephyr.runtime.secret_sources import absolute_path
from gephyr_core.config import Config, ConfigError, ConfigProblem, variable_of
from gephyr_core.config.schema_server import ServerConfig


def load_for_host(config: str | os.PathLike[str] | Mapping[str, object] | Loaded, environ: Mapping[str, str]) -> Loaded:
    """Load *config* and make sure that who may call it was decided on purpose. Raises :class:`ConfigError`.

    A standalone server turns ``off`` into ``strict`` and generates a missing key (``gephyr.cli.serve.harden``). An
    application has no terminal to show a key on, and its host may have guards of its own: so it is honoured that the
    configuration says ``off``, that only the environment does is refused, and so is a missing key.
    """
    if isinstance(config, Loaded):
        loaded = config
    else:
        variable = variable_of("AUTH_MODE", environ)
        opens = variable is not None and environ[variable] == "off"
        own = {name: value for name, value in environ.items() if not (opens and name == variable)}
        loaded = load_mapping(config, own) if isinstance(config, Mapping) else load(Path(config), own)
        if opens and loaded.config.auth.mode != "off":
            message = f"off comes from {variable} alone: an application is opened by its configuration only"
            raise ConfigError([ConfigProblem("auth.mode", message)])
    if loaded.config.auth.mode != "off" and not loaded.config.auth.api_keys:
        message = 'no key is set, and none is generated for an application: set one, or auth.mode = "off"'
        raise ConfigError([ConfigProblem("auth.api_keys", message)])
    return loaded


def wants_store(config: Config) -> bool:
    """Whether ``server.data_dir`` was set: an application does not write into the user's home unasked."""
    cwd = Path.cwd()
    return absolute_path(config.server.data_dir, cwd) != absolute_path(ServerConfig().data_dir, cwd)
