"""The table of stored objects: bounded by bytes and age."""

import sqlite3
from collections.abc import Sequence

from gephyr_core.records import StoredObject

_ROW_BYTES = 256
"""What a row costs besides its data, about."""
_KEPT = 0.95
"""The part of the limit that is left when it was passed, so that not every batch has to make room."""


class ObjectTable:
    """Stored objects in a database. Its user sees to transactions, and to one thread at a time."""

    def __init__(self, database: sqlite3.Connection, most_bytes: int) -> None:
        """*most_bytes* bounds the whole table; the objects saved longest ago are dropped first."""
        self._database = database
        self._most_bytes = most_bytes
        self._at_most = self._size()
        """Bytes that the table holds at most: added up as objects are written, counted anew when it is too many."""

    def save(self, records: Sequence[StoredObject], now: float) -> None:
        """Write the objects, and delete those that have expired. Call :meth:`make_room` after the transaction."""
        for record in records:
            if record.expires_at <= now:
                self._database.execute(
                    "DELETE FROM objects WHERE owner = ? AND object_id = ?", (record.owner, record.object_id)
                )
                continue
            size = len(record.data) + _ROW_BYTES
            self._at_most += size
            self._database.execute(
                "INSERT OR REPLACE INTO objects (owner, object_id, kind, created_at, expires_at, size, data)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (record.owner, record.object_id, record.kind, record.created_at, record.expires_at, size, record.data),
            )

    def load(self, owner: str, object_id: str, now: float) -> StoredObject | None:
        """Return an object that has not expired."""
        row = self._database.execute(
            "SELECT kind, data, created_at, expires_at FROM objects"
            " WHERE owner = ? AND object_id = ? AND expires_at > ?",
            (owner, object_id, now),
        ).fetchone()
        return None if row is None else StoredObject(owner, object_id, *row)

    def prune(self, now: float) -> None:
        """Delete what has expired."""
        self._database.execute("DELETE FROM objects WHERE expires_at <= ?", (now,))

    def make_room(self) -> None:
        """Drop the oldest objects if there are too many bytes. A transaction of its own: it holds when this returns."""
        if self._at_most <= self._most_bytes:
            return
        size, last = self._size(), None
        if size > self._most_bytes:
            for seq, freed in self._database.execute("SELECT seq, size FROM objects ORDER BY seq"):
                size, last = size - freed, seq
                if size <= self._most_bytes * _KEPT:
                    break
            self._database.execute("DELETE FROM objects WHERE seq <= ?", (last,))
        self._at_most = size

    def _size(self) -> int:
        (size,) = self._database.execute("SELECT total(size) FROM objects").fetchone()
        return int(size)
