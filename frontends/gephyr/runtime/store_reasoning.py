"""The table of remembered reasoning: sealed like tokens, bounded by bytes and age."""

import sqlite3
from collections.abc import Sequence

import structlog

from gephyr.runtime.store_bounds import ROW_BYTES, BoundedTable
from gephyr.runtime.token_encryption import Cipher, UnreadableSecretError
from gephyr_core.records import RememberedReasoning

_DAMAGED = " damaged"
_log = structlog.get_logger()


class ReasoningTable(BoundedTable):
    """What replies held of reasoning that does not come back through their clients."""

    def __init__(self, database: sqlite3.Connection, cipher: Cipher, most_bytes: int) -> None:
        """*most_bytes* bounds the whole table; what was saved longest ago is dropped first."""
        super().__init__(database, "reasoning", most_bytes)
        self._cipher = cipher

    def save(self, records: Sequence[RememberedReasoning]) -> None:
        """Write the records. Call :meth:`make_room` after the transaction."""
        for record in records:
            sealed = self._cipher.seal(record.data, _purpose(record.owner, record.key))
            size = len(sealed) + ROW_BYTES
            self.grown(size)
            self.database.execute(
                "INSERT OR REPLACE INTO reasoning (owner, key, key_id, expires_at, size, sealed)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (record.owner, record.key, self._cipher.key_id, record.expires_at, size, sealed),
            )

    def load(self, now: float) -> list[RememberedReasoning]:
        """Return what has not expired and can be read, the oldest first.

        What the present key sealed and cannot be read is damaged: it is set aside, reported once, and removed when it
        expires. What another key sealed stays until that key is back, or it expires.
        """
        found, damaged, foreign = [], [], 0
        rows = self.database.execute(
            "SELECT seq, owner, key, key_id, expires_at, sealed FROM reasoning WHERE expires_at > ? ORDER BY seq",
            (now,),
        ).fetchall()
        for seq, owner, key, key_id, expires_at, sealed in rows:
            if key_id != self._cipher.key_id:
                foreign += not str(key_id).endswith(_DAMAGED)
                continue
            try:
                data = self._cipher.unseal(sealed, _purpose(owner, key))
            except UnreadableSecretError:
                damaged.append((_DAMAGED, seq))
            else:
                found.append(RememberedReasoning(owner, key, data, expires_at))
        self._report(damaged, foreign)
        return found

    def forget(self) -> None:
        """Remove everything."""
        self.database.execute("DELETE FROM reasoning")

    def _report(self, damaged: list[tuple[str, int]], foreign: int) -> None:
        if damaged:
            self.database.executemany("UPDATE reasoning SET key_id = key_id || ? WHERE seq = ?", damaged)
            _log.error("remembered reasoning is damaged; it is set aside", entries=len(damaged))
        if foreign:
            _log.error(
                "remembered reasoning cannot be decrypted; it is set aside until the key it was made with is back",
                entries=foreign,
            )


def _purpose(owner: str, key: str) -> str:
    return f"reasoning of {owner} at {key}"
