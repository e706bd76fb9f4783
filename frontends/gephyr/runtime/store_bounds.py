"""Tables that are bounded by bytes and age: the rows saved longest ago are dropped first.

A table has the columns ``seq``, ``size`` and ``expires_at``, and an index over the last two.
"""

import sqlite3

ROW_BYTES = 256
"""What a row costs besides its data, about."""
_KEPT = 0.95
"""The part of the limit that is left when it was passed, so that not every batch has to make room."""


class BoundedTable:
    """A table of a database. Its user sees to transactions, and to one thread at a time."""

    def __init__(self, database: sqlite3.Connection, table: str, most_bytes: int) -> None:
        """*table*: one of the schema's, never a name from outside. *most_bytes* bounds the whole of it."""
        self.database = database
        self._delete = f"DELETE FROM {table} WHERE"  # noqa: S608 (the schema's own name)
        self._sizes = f"SELECT seq, size FROM {table} ORDER BY seq"  # noqa: S608
        self._sum = f"SELECT total(size) FROM {table}"  # noqa: S608
        self._most_bytes = most_bytes
        self._at_most = self._size()
        """Bytes that the table holds at most: added up as rows are written, counted anew when it is too many."""

    def grown(self, size: int) -> None:
        """A row of *size* bytes was written. Call :meth:`make_room` after the transaction."""
        self._at_most += size

    def prune(self, now: float) -> None:
        """Delete what has expired."""
        self.database.execute(f"{self._delete} expires_at <= ?", (now,))

    def make_room(self) -> None:
        """Drop the oldest rows if there are too many bytes. A transaction of its own: it holds when this returns."""
        if self._at_most <= self._most_bytes:
            return
        size, last = self._size(), None
        if size > self._most_bytes:
            for seq, freed in self.database.execute(self._sizes):
                size, last = size - freed, seq
                if size <= self._most_bytes * _KEPT:
                    break
            self.database.execute(f"{self._delete} seq <= ?", (last,))
        self._at_most = size

    def _size(self) -> int:
        (size,) = self.database.execute(self._sum).fetchone()
        return int(size)
