"""Records on their way to the disk: queued by the event loop, taken by the writer's thread."""

import threading
from collections import deque
from collections.abc import Iterable
from typing import TypeVar

import attrs
import structlog

from gephyr_core.records import Saved, StoredObject

MOST_OBJECT_BYTES = 32 * 1024 * 1024
"""Of one stored object. A longer one is not kept, nor is the older version that it would have replaced."""

Record = Saved
R = TypeVar("R", bound=Saved)

_log = structlog.get_logger()


def without_excess(record: R) -> R:
    """Return the record, or its deletion where it is too long to be kept."""
    if isinstance(record, StoredObject) and len(record.data) > MOST_OBJECT_BYTES:
        _log.warning("an object is too long to be stored", kind=record.kind, bytes=len(record.data))
        return attrs.evolve(record, data=b"", expires_at=0.0)
    return record


class WriteQueue:
    """Bounded in number and in bytes, at the cost of the oldest; knows the objects that are not written yet."""

    def __init__(self, most_bytes: int) -> None:
        """*most_bytes* bounds the objects that are queued or being written."""
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._records: deque[Record] = deque()
        self._newest: dict[tuple[str, str], StoredObject] = {}
        """Of each object, the version that was queued last and is not written yet."""
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: Record, most_records: int) -> int:
        """Queue *record*; return how many had to be given up for it."""
        given_up = 0
        with self._lock:
            self._records.append(record)
            if isinstance(record, StoredObject):
                self._bytes += len(record.data)
                self._newest[record.owner, record.object_id] = record
            while self._records and (len(self._records) > most_records or self._bytes > self._most_bytes):
                self._forget(self._records.popleft())
                given_up += 1
        return given_up

    def take(self) -> list[Record]:
        """Take what is queued now. Their bytes count, and their objects are found, until they are :meth:`done`."""
        with self._lock:
            taken = list(self._records)
            self._records.clear()
        return taken

    def done(self, records: Iterable[Record]) -> None:
        """Forget records that were taken: they are written, or lost."""
        with self._lock:
            for record in records:
                self._forget(record)

    def find(self, owner: str, object_id: str) -> StoredObject | None:
        """Return the newest version of an object that is not written yet."""
        return self._newest.get((owner, object_id))

    def _forget(self, record: Record) -> None:
        if isinstance(record, StoredObject):
            self._bytes -= len(record.data)
            key = (record.owner, record.object_id)
            if self._newest.get(key) is record:
                del self._newest[key]
