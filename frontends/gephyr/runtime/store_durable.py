"""Transactions that are on the disk when they return: for what must not be lost in a crash."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from gephyr.runtime.store_file import open_shared


class DurableDatabase:
    """A connection of its own to a store's file, beside that of the store's writer and those of other processes.

    Any thread may use it, one at a time. Each wait for another's transaction has an end: then
    ``sqlite3.OperationalError`` is raised, and nothing has changed.
    """

    def __init__(self, path: Path) -> None:
        """Open the file at *path*. Raises ``StoreError``."""
        self._database = open_shared(path)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block that writes: all of it is on the disk after it, or none of it ever is."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            with self._database:
                yield self._database

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Run a block that reads, and sees one state throughout."""
        with self._lock:
            self._database.execute("BEGIN")
            with self._database:
                yield self._database

    def close(self) -> None:
        """Let go of the file, after the transaction that runs."""
        with self._lock:
            self._database.close()
