"""The store: records that outlive the process, in one SQLite file, written by a thread of its own."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import structlog

from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.store_accounts import (
    FoundState,
    load_cooldowns,
    load_states,
    prune_cooldowns,
    prune_states,
    save_cooldowns,
    save_states,
)
from gephyr.runtime.store_bindings import load_bindings, prune_bindings, save_bindings
from gephyr.runtime.store_file import FILE_NAME, DirectoryLock, StoreError, open_database, prepare_directory, reason_of
from gephyr.runtime.store_memory import MemoryStore
from gephyr.runtime.store_objects import ObjectTable
from gephyr.runtime.store_pins import load_pins, prune_pins, save_pins
from gephyr.runtime.store_queue import Record, WriteQueue, without_excess
from gephyr.runtime.store_reader import ReaderThread
from gephyr.runtime.store_reasoning import ReasoningTable
from gephyr_core.config.schema_providers import TranslationConfig
from gephyr_core.records import AccountState, Binding, Cooldown, Pin, RememberedReasoning, Saved, StoredObject

__all__ = ["MemoryStore", "Store", "StoreError"]

_log = structlog.get_logger()

_MOST_QUEUED = 20_000
"""Records; about 10 MB. A disk that hangs costs the oldest ones, never memory without bound."""
_MOST_QUEUED_BYTES = 256 * 1024 * 1024
"""Of objects that wait or are being written."""
_BATCH_INTERVAL = 0.2
"""Seconds that records are collected before they are written in one transaction."""
_RETRY_INTERVAL = 2.0
"""Seconds between two attempts to write while the disk refuses."""
_PRUNE_INTERVAL = 3600.0
"""Seconds between two removals of expired records."""
_KEPT = "the store cannot be written; what it was given stays in memory until it can"
_LOST = "the store cannot be written; what it was given and could not write is lost"


class Store:
    """The records of one data directory. ``save`` and ``load`` never hold the loop up; the other methods do and are for
    start and stop.

    Records are written in the order they were saved, a batch a transaction, so that after a crash the file holds
    everything up to some record and nothing after it.
    """

    def __init__(
        self,
        directory: Path,
        lock: DirectoryLock,
        database: sqlite3.Connection,
        accounts: AccountBook,
        clock: Callable[[], float],
        *,
        most_object_bytes: int,
        most_reasoning_bytes: int,
        credential_digests: Mapping[str, str],
    ) -> None:
        """Use :meth:`open`. The store owns *lock*, *database* and *accounts* from now on."""
        self.accounts = accounts
        """What commands change of accounts. Its methods block."""
        self.tokens = accounts.tokens
        """The accounts' OAuth tokens. Its methods block."""
        self.directory = directory
        """The data directory."""
        self._lock = lock
        self._database = database
        self._database_lock = threading.Lock()
        self._clock = clock
        self.credential_digests = credential_digests
        """Each account's digest of its configured credential. To be replaced when commands change accounts."""
        self._objects = ObjectTable(database, most_object_bytes)
        self._reasoning = ReasoningTable(database, accounts.cipher, most_reasoning_bytes)
        self._queue = WriteQueue(_MOST_QUEUED_BYTES)
        self._dropped = 0
        self._writing = 0
        self._overflowing = False
        self._pruned_at = clock()
        self._work = threading.Event()
        self._closing = threading.Event()
        # A daemon, so that a disk that hangs for good cannot keep the process from ending.
        self._writer = threading.Thread(target=self._write_queued, name="gephyr-store", daemon=True)
        self._writer.start()
        self._reader = ReaderThread()

    @classmethod
    def open(
        cls,
        directory: str | Path,
        *,
        clock: Callable[[], float],
        most_object_bytes: int = TranslationConfig().stored_responses_max_bytes,
        most_reasoning_bytes: int = TranslationConfig().remember_reasoning_max_bytes,
        credential_digests: Mapping[str, str] = MappingProxyType({}),
        environ: Mapping[str, str] = os.environ,
    ) -> "Store":
        """Open the store in *directory*, both made if absent, for their owner only.

        *clock* gives seconds since the epoch; *most_object_bytes* bounds the stored objects, *most_reasoning_bytes* the
        remembered reasoning. *credential_digests* gives the digest of each account's configured credential, and is
        looked at whenever it matters: a state that was found with another credential is void. *environ* may hold the
        encryption key. What it cannot decrypt is logged.

        Raises ``StoreError`` when another process uses the directory, when the file was written by a newer version of
        Gephyr, when either cannot be read or written, and when the encryption key is none.
        """
        path = Path(directory).expanduser()
        prepare_directory(path)
        with contextlib.ExitStack() as opened:
            try:
                lock = DirectoryLock(path)
            except OSError as error:
                raise StoreError(f"{path}: cannot write in the data directory: {error.strerror}") from error
            opened.callback(lock.release)
            database = open_database(path / FILE_NAME, clock())
            opened.callback(database.close)
            accounts = AccountBook.open(path, clock=clock, environ=environ)
            opened.callback(accounts.close)
            try:
                _report(accounts)
            except sqlite3.Error as error:
                raise StoreError(f"{path}: cannot read the store: {reason_of(error, path)}") from error
            opened.pop_all()
        return cls(
            path,
            lock,
            database,
            accounts,
            clock,
            most_object_bytes=most_object_bytes,
            most_reasoning_bytes=most_reasoning_bytes,
            credential_digests=credential_digests,
        )

    @property
    def dropped(self) -> int:
        """How many records were given up: the disk could not keep up or takes none, or they were too long."""
        return self._dropped

    @property
    def unwritten(self) -> int:
        """How many records wait to be written, or are being written. They are found all the same."""
        return self._writing + len(self._queue)

    def load_pins(self, now: float) -> list[Pin]:
        """Return the pins that have not expired, the oldest first, and remove the others."""
        with self._database_lock:
            prune_pins(self._database, now)
            self._objects.prune(now)
            return load_pins(self._database, now)

    def load_bindings(self, now: float) -> list[Binding]:
        """Return the bindings that have not expired, the longest unused first, and remove the others."""
        with self._database_lock:
            prune_bindings(self._database, now)
            return load_bindings(self._database, now)

    def load_states(self) -> list[AccountState]:
        """Return the accounts that are out of service, written or not.

        A state that was found with another credential than the account's present one is left out, and removed.
        """
        unwritten = self._queue.states()
        with self._database_lock:
            prune_states(self._database, self.credential_digests)
            return load_states(self._database, self.credential_digests, self._clock(), unwritten)

    def load_enabled(self) -> list[AccountState]:
        """Return the accounts that the operator put back into service, each with the time of the latest command."""
        return self.accounts.enabled()

    def load_cooldowns(self, now: float) -> list[Cooldown]:
        """Return the cooldowns that are not over, and remove the others."""
        with self._database_lock:
            prune_cooldowns(self._database, now)
            return load_cooldowns(self._database, now)

    def load_reasoning(self, now: float) -> list[RememberedReasoning]:
        """Return the remembered reasoning that has not expired and can be read, the oldest first, and remove what has
        expired. What cannot be read is set aside and logged."""
        with self._database_lock:
            self._reasoning.prune(now)
            return self._reasoning.load(now)

    def forget_reasoning(self) -> None:
        """Remove the remembered reasoning: nothing is to be remembered any more."""
        with self._database_lock:
            self._reasoning.forget()

    def save(self, record: Saved) -> None:
        """Queue *record* for writing; returns at once. When the queue is full its oldest records are given up."""
        if isinstance(record, AccountState):
            queued: Record = FoundState(record, self.credential_digests.get(record.account, ""))
        else:
            queued = without_excess(record)
            self._dropped += queued is not record
        given_up = self._queue.add(queued, _MOST_QUEUED)
        if given_up:
            self._dropped += given_up
            if not self._overflowing:
                self._overflowing = True
                _log.warning("the store does not keep up; the oldest unwritten records are dropped")
        if not self._work.is_set():
            self._work.set()

    async def load(self, owner: str, object_id: str) -> StoredObject | None:
        """Return the owner's object of this id, if there is one and it has not expired.

        What was saved is found, written or not. Raises ``sqlite3.Error`` when the file cannot be read.
        """
        unwritten = self._queue.find(owner, object_id)
        if unwritten is not None:
            return unwritten if unwritten.expires_at > self._clock() else None
        return await self._reader.run(partial(self._load, owner, object_id))

    def _load(self, owner: str, object_id: str) -> StoredObject | None:
        with self._database_lock:
            return self._objects.load(owner, object_id, self._clock())

    def generated_key_digest(self) -> str | None:
        """Return the digest of the client key that an earlier start generated, or None."""
        with self._database_lock:
            row = self._database.execute("SELECT value FROM meta WHERE key = 'generated_key'").fetchone()
        return None if row is None else row[0]

    def remember_generated_key(self, digest: str) -> None:
        """Keep the digest of a generated client key; it is on the disk when this returns."""
        with self._database_lock:
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("INSERT OR REPLACE INTO meta VALUES ('generated_key', ?)", (digest,))
            self._database.execute("PRAGMA synchronous = NORMAL")

    def close(self, timeout: float = 5.0) -> None:
        """Write what is queued, for at most *timeout* seconds, and let go of the directory."""
        self._closing.set()
        self._work.set()
        self._writer.join(timeout)
        if self._writer.is_alive() or not self._reader.close(timeout):
            _log.error("the store did not finish in time", unwritten=len(self._queue))
            return
        self.accounts.close()
        self._database.close()
        self._lock.release()

    # -- the writer's thread ------------------------------------------------------------------------------------

    def _write_queued(self) -> None:
        batch: list[Record] = []
        failing = False
        while True:
            if not batch and not self._queue:
                self._work.wait()
            self._closing.wait(_RETRY_INTERVAL if failing else _BATCH_INTERVAL)
            closing = self._closing.is_set()
            self._work.clear()
            batch = batch or self._queue.take()
            self._writing = len(batch)
            try:
                self._write_or_drop(batch)
            except sqlite3.OperationalError as error:  # full, locked, gone: it may pass
                if not failing or closing:
                    message = _LOST if closing else _KEPT
                    _log.error(message, reason=reason_of(error, self.directory), unwritten=self.unwritten)
                failing = True
            else:
                if failing:
                    _log.info("the store can be written again", written=len(batch))
                self._queue.done(batch)
                batch, failing, self._writing, self._overflowing = [], False, 0, False
            if closing and (failing or not self._queue):
                return

    def _write_or_drop(self, batch: list[Record]) -> None:
        """Write the batch, at worst without the records that no database takes. Raises ``sqlite3.OperationalError``."""
        try:
            self._write(batch)
        except sqlite3.OperationalError:
            raise
        except Exception:  # one record's fault, which it would have the next time too: the others must not wait for it
            for record in batch:
                self._write_or_drop_one(record)

    def _write_or_drop_one(self, record: Record) -> None:
        try:
            self._write([record])
        except sqlite3.OperationalError:
            raise
        except Exception as error:
            _log.error("a record cannot be stored", kind=type(record).__name__, reason=type(error).__name__)
            self._dropped += 1

    def _write(self, batch: list[Record]) -> None:
        now = self._clock()
        with self._database_lock:
            self._database.execute("BEGIN IMMEDIATE")
            with self._database:
                save_pins(self._database, [record for record in batch if isinstance(record, Pin)])
                self._objects.save([record for record in batch if isinstance(record, StoredObject)], now)
                self._reasoning.save([record for record in batch if isinstance(record, RememberedReasoning)])
                save_bindings(self._database, [record for record in batch if isinstance(record, Binding)], now)
                save_states(self._database, [record for record in batch if isinstance(record, FoundState)])
                save_cooldowns(self._database, [record for record in batch if isinstance(record, Cooldown)], now)
            self._objects.make_room()
            self._reasoning.make_room()
            if now - self._pruned_at > _PRUNE_INTERVAL:
                self._prune(now)

    def _prune(self, now: float) -> None:
        self._pruned_at = now
        self._objects.prune(now)
        self._reasoning.prune(now)
        prune_pins(self._database, now)
        prune_bindings(self._database, now)
        prune_cooldowns(self._database, now)


def _report(accounts: AccountBook) -> None:
    """Log what a lost key did to tokens and accounts."""
    unreadable = {"token": accounts.tokens.unreadable(), "account": accounts.unreadable_accounts()}
    for kind, names in unreadable.items():
        if names:
            _log.error(
                "stored secrets cannot be decrypted; they are set aside until the key they were made with is back",
                kind=kind,
                accounts=names,
            )
