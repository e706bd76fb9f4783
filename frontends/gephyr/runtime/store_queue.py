"""Records on their way to the disk: queued by the event loop, taken by the writer's thread."""

import threading
from collections import deque
from collections.abc import Iterable
from typing import TypeVar

import attrs
import structlog

from gephyr.runtime.store_accounts import FoundState
from gephyr_core.records import Binding, Cooldown, Pin, RememberedReasoning, Saved, StoredObject

MOST_OBJECT_BYTES = 32 * 1024 * 1024
"""Of one stored object. A longer one is not kept, nor is the older version that it would have replaced."""

Record = Pin | StoredObject | RememberedReasoning | Binding | FoundState | Cooldown
"""What is queued. A state goes with the credential it was found with."""
R = TypeVar("R", bound=Saved)
_Identity = str | tuple[str, str] | tuple[str]

_log = structlog.get_logger()


def without_excess(record: R) -> R:
    """Return the record, or its deletion where it is too long to be kept."""
    if isinstance(record, StoredObject) and len(record.data) > MOST_OBJECT_BYTES:
        _log.warning("an object is too long to be stored", kind=record.kind, bytes=len(record.data))
        return attrs.evolve(record, data=b"", expires_at=0.0)
    return record


class WriteQueue:
    """Bounded in number and in bytes, at the cost of the oldest; knows the objects and states not written yet.

    Pins, objects and reasoning are written in the order they came, each version. Of what changes often (bindings,
    states, cooldowns) only the newest version is.
    """

    def __init__(self, most_bytes: int) -> None:
        """*most_bytes* bounds the objects and the reasoning that are queued or being written."""
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._records: deque[Pin | StoredObject | RememberedReasoning] = deque()
        self._changing: dict[_Identity, Binding | FoundState | Cooldown] = {}
        """In the order they were first queued."""
        self._newest: dict[tuple[str, str], StoredObject] = {}
        """Of each object, the version that was queued last and is not written yet."""
        self._states: dict[str, FoundState] = {}
        """Of each account, likewise."""
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records) + len(self._changing)

    def add(self, record: Record, most_records: int) -> int:
        """Queue *record*; return how many had to be given up for it."""
        with self._lock:
            if isinstance(record, Binding):
                self._changing[record.session] = record
            elif isinstance(record, Cooldown):
                self._changing[record.scope, record.model] = record
            elif isinstance(record, FoundState):
                account = record.state.account
                self._changing[account,] = self._states[account] = record
            else:
                self._records.append(record)
                if isinstance(record, StoredObject | RememberedReasoning):
                    self._bytes += len(record.data)
                if isinstance(record, StoredObject):
                    self._newest[record.owner, record.object_id] = record
            if len(self) <= most_records and self._bytes <= self._most_bytes:
                return 0
            return self._give_up(most_records)

    def take(self) -> list[Record]:
        """Take what is queued now. Their bytes count, and they are found, until they are :meth:`done`."""
        with self._lock:
            taken: list[Record] = [*self._records, *self._changing.values()]
            self._records.clear()
            self._changing.clear()
        return taken

    def done(self, records: Iterable[Record]) -> None:
        """Forget records that were taken: they are written, or lost."""
        with self._lock:
            for record in records:
                self._forget(record)

    def find(self, owner: str, object_id: str) -> StoredObject | None:
        """Return the newest version of an object that is not written yet."""
        return self._newest.get((owner, object_id))

    def states(self) -> list[FoundState]:
        """Return the newest state of each account that has one which is not written yet."""
        with self._lock:
            return list(self._states.values())

    def _give_up(self, most_records: int) -> int:
        """Drop the oldest: of the objects while they are too long, else of the kind of which there are more."""
        given_up = 0
        while self._records and self._bytes > self._most_bytes:
            self._forget(self._records.popleft())
            given_up += 1
        while len(self) > most_records:
            if len(self._records) >= len(self._changing):
                self._forget(self._records.popleft())
            else:
                self._forget(self._changing.pop(next(iter(self._changing))))
            given_up += 1
        return given_up

    def _forget(self, record: Record) -> None:
        if isinstance(record, StoredObject | RememberedReasoning):
            self._bytes -= len(record.data)
        if isinstance(record, StoredObject):
            key = (record.owner, record.object_id)
            if self._newest.get(key) is record:
                del self._newest[key]
        elif isinstance(record, FoundState) and self._states.get(record.state.account) is record:
            del self._states[record.state.account]
