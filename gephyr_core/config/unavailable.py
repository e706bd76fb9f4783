"""What this version cannot do yet. A setting that asks for it is refused at start, never ignored.

The issue that builds a feature deletes its lines here.
"""

from collections.abc import Iterator

import attrs

from gephyr_core.config.problems import Path
from gephyr_core.config.schema import Config

UNAVAILABLE_SETTINGS = (
    "admin.enabled",
    "admin.public_url",
    "auth.web_password",
)
"""Settings that have to keep their default; ``[]`` stands for each item."""


def unavailable(config: Config) -> Iterator[Path]:
    """Yield where *config* asks for what this version cannot do."""
    for setting in UNAVAILABLE_SETTINGS:
        holder, _, name = setting.rpartition(".")
        for path, section in _sections(config, holder):
            default = getattr(attrs.fields_dict(type(section))[name], "default", None)
            if getattr(section, name) != default:
                yield (*path, name)


def _sections(config: Config, holder: str) -> Iterator[tuple[Path, attrs.AttrsInstance]]:
    """Yield the places that *holder* stands for."""
    match holder:
        case "accounts[]":
            for index, account in enumerate(config.accounts):
                yield ("accounts", index), account
        case "providers[]":
            for name, provider in config.providers.items():
                yield ("providers", name), provider
        case _:
            yield (holder,), getattr(config, holder)
