"""A store for a process without a data directory: its objects and tokens live as long as it does."""

import time
from collections.abc import Callable

from gephyr.runtime.store_queue import without_excess
from gephyr.runtime.tokens.memory import MemoryTokens
from gephyr_core.records import AccountState, Binding, Cooldown, Pin, RememberedReasoning, Saved, StoredObject

MOST_BYTES = 64 * 1024 * 1024
"""Of all objects together."""
_OBJECT_BYTES = 512
"""What an object costs besides its data, about."""


class MemoryStore:
    """Keeps objects within bounds, the newest ones; forgets all else, which the core has in memory anyway."""

    def __init__(self, *, clock: Callable[[], float] = time.time, most_bytes: int = MOST_BYTES) -> None:
        """*clock* gives seconds since the epoch."""
        self.tokens = MemoryTokens()
        self._clock = clock
        self._most_bytes = most_bytes
        self._objects: dict[tuple[str, str], StoredObject] = {}
        self._bytes = 0

    def load_pins(self, now: float) -> list[Pin]:  # noqa: ARG002
        """Return nothing."""
        return []

    def load_bindings(self, now: float) -> list[Binding]:  # noqa: ARG002
        """Return nothing."""
        return []

    def load_states(self) -> list[AccountState]:
        """Return nothing."""
        return []

    def load_enabled(self) -> list[AccountState]:
        """Return nothing."""
        return []

    def load_cooldowns(self, now: float) -> list[Cooldown]:  # noqa: ARG002
        """Return nothing."""
        return []

    def load_reasoning(self, now: float) -> list[RememberedReasoning]:  # noqa: ARG002
        """Return nothing."""
        return []

    def forget_reasoning(self) -> None:
        """Do nothing: there is none."""

    def save(self, record: Saved) -> None:
        """Keep an object in place of its older version, or delete it where it has expired."""
        if not isinstance(record, StoredObject):
            return
        record = without_excess(record)
        self._forget((record.owner, record.object_id))
        if record.expires_at > self._clock():
            self._objects[record.owner, record.object_id] = record
            self._bytes += _OBJECT_BYTES + len(record.data)
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._objects)))

    async def load(self, owner: str, object_id: str) -> StoredObject | None:
        """Return the owner's object of this id, if there is one and it has not expired."""
        record = self._objects.get((owner, object_id))
        if record is not None and record.expires_at <= self._clock():
            self._forget((owner, object_id))
            return None
        return record

    def close(self, timeout: float = 5.0) -> None:
        """Do nothing."""

    def _forget(self, key: tuple[str, str]) -> None:
        record = self._objects.pop(key, None)
        if record is not None:
            self._bytes -= _OBJECT_BYTES + len(record.data)
