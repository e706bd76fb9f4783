"""Which accounts commands added, read without their secrets and without changing anything."""

import contextlib
import sqlite3
from pathlib import Path

import msgspec

from gephyr.runtime.store_file import FILE_NAME, StoreError, what_became_of
from gephyr_core.routing.mappings import Serving

_BUSY_TIMEOUT = 2.0
"""Seconds that one waits for another's transaction."""


class _Settings(msgspec.Struct):
    provider: str = ""
    models: tuple[str, ...] = ()


def stored_accounts(directory: Path) -> list[Serving] | None:
    """Return what the accounts of a data directory serve, those included whose secrets cannot be read.

    None where that is not known: the store is damaged, or cannot be read. Nothing is made where nothing is.
    """
    path = directory.absolute() / FILE_NAME
    try:
        if what_became_of(path):
            return None
        if not path.exists():
            return []
        database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT)
        with contextlib.closing(database):
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'added_accounts'").fetchone():
                return []  # of a version before it, which a gateway brings up to date
            rows = database.execute("SELECT account, settings FROM added_accounts ORDER BY added_at").fetchall()
        found = [(account, msgspec.json.decode(settings, type=_Settings)) for account, settings in rows]
    except (StoreError, OSError, sqlite3.Error, msgspec.MsgspecError):
        return None
    return [Serving(account, settings.provider, settings.models) for account, settings in found]
