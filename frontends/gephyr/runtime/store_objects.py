"""The table of stored objects: bounded by bytes and age."""

import sqlite3
from collections.abc import Sequence

from gephyr.runtime.store_bounds import ROW_BYTES, BoundedTable
from gephyr_core.records import StoredObject


class ObjectTable(BoundedTable):
    """Stored objects in a database."""

    def __init__(self, database: sqlite3.Connection, most_bytes: int) -> None:
        """*most_bytes* bounds the whole table; the objects saved longest ago are dropped first."""
        super().__init__(database, "objects", most_bytes)

    def save(self, records: Sequence[StoredObject], now: float) -> None:
        """Write the objects, and delete those that have expired. Call :meth:`make_room` after the transaction."""
        for record in records:
            if record.expires_at <= now:
                self.database.execute(
                    "DELETE FROM objects WHERE owner = ? AND object_id = ?", (record.owner, record.object_id)
                )
                continue
            size = len(record.data) + ROW_BYTES
            self.grown(size)
            self.database.execute(
                "INSERT OR REPLACE INTO objects (owner, object_id, kind, created_at, expires_at, size, data)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (record.owner, record.object_id, record.kind, record.created_at, record.expires_at, size, record.data),
            )

    def load(self, owner: str, object_id: str, now: float) -> StoredObject | None:
        """Return an object that has not expired."""
        row = self.database.execute(
            "SELECT kind, data, created_at, expires_at FROM objects"
            " WHERE owner = ? AND object_id = ? AND expires_at > ?",
            (owner, object_id, now),
        ).fetchone()
        return None if row is None else StoredObject(owner, object_id, *row)
