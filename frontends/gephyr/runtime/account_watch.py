"""Tells a server that a command, of this process or another, changed its accounts."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from gephyr.runtime.store_accounts import changes
from gephyr.runtime.store_file import FILE_NAME

INTERVAL = 0.5
"""Seconds between two looks at the file; a change is to be seen within one second."""
_BUSY_TIMEOUT = 0.1
"""Seconds. A look that comes to nothing is repeated."""

_log = structlog.get_logger()


class AccountWatch:
    """Looks at a data directory's file from a thread of its own, and calls back on the event loop.

    A look costs one ``PRAGMA data_version``, which tells whether anybody wrote to the file, and a row's lookup where
    somebody did (sqlite.org/pragma.html#pragma_data_version).
    """

    def __init__(self, directory: str | Path, on_change: Callable[[], None], *, interval: float = INTERVAL) -> None:
        """Watch from now on: what is read afterwards is up to date until *on_change* is called, on the running event
        loop, once for all that changed since. Raises ``sqlite3.Error`` where there is no store in *directory*."""
        self._loop = asyncio.get_running_loop()
        self._on_change = on_change
        self._interval = interval
        path = (Path(directory).expanduser() / FILE_NAME).absolute()
        self._database = sqlite3.connect(
            f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            self._version = self._data_version()
            self._seen = changes(self._database)
        except BaseException:
            self._database.close()
            raise
        self._closing = threading.Event()
        # A daemon, so that a disk that hangs for good cannot keep the process from ending.
        self._thread = threading.Thread(target=self._watch, name="gephyr-account-watch", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 1.0) -> None:
        """Stop watching, after at most *timeout* seconds. *on_change* is not called any more."""
        self._on_change = _do_nothing
        self._closing.set()
        self._thread.join(timeout)

    def _watch(self) -> None:
        failing = False
        with contextlib.closing(self._database):
            while not self._closing.wait(self._interval):
                try:
                    changed = self._changed()
                except sqlite3.Error as error:
                    if not failing:
                        _log.error("changes of accounts cannot be seen", reason=str(error))
                    failing = True
                    continue
                failing = False
                if changed:
                    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know
                        self._loop.call_soon_threadsafe(self._tell)

    def _changed(self) -> bool:
        version = self._data_version()
        if version == self._version:
            return False
        seen, before = changes(self._database), self._seen
        self._version, self._seen = version, seen
        return seen != before

    def _data_version(self) -> int:
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _tell(self) -> None:
        self._on_change()


def _do_nothing() -> None:
    pass
