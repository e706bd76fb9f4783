"""The store's file: one process at a time, its schema brought up to date, a corrupt one set aside."""

import contextlib
import os
import secrets
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

import structlog

from gephyr.runtime.store_schema import MIGRATIONS

if sys.platform != "win32":
    import fcntl

_log = structlog.get_logger()

FILE_NAME = "gephyr.sqlite3"

_LOG = ("-wal", "-shm")
"""What SQLite keeps beside a file that is in use."""
_BUSY_TIMEOUT = 10.0
"""Seconds that one waits for another's transaction."""
_LEAST_ROOM = 65536
"""Bytes. With less, SQLite cannot make the files of its log."""
_WAY_BACK = "; gephyr serve sets it aside when it starts, and gephyr accounts recover reads it then"
_NOT_A_SOUND_DATABASE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class StoreError(Exception):
    """The store cannot be used; the message says which file or directory and why, for the operator."""


class DirectoryLock:
    """Holds a data directory for this process; the operating system lets go of it when the process dies."""

    def __init__(self, directory: Path) -> None:
        """Take the lock. Raises ``StoreError`` when another process has it."""
        self._fd = os.open(directory / "gephyr.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform != "win32":
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StoreError(f"{directory}: data directory is in use by process {holder or 'unknown'}") from None
        os.ftruncate(self._fd, 0)
        os.write(self._fd, str(os.getpid()).encode())

    def release(self) -> None:
        """Let another process have the directory. The file stays: removing it would race with that process."""
        os.close(self._fd)


def prepare_directory(directory: Path) -> None:
    """Create the data directory for its owner only. Raises ``StoreError`` when that is not possible."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory}: cannot create the data directory: {error.strerror}") from error


def reason_of(error: Exception, directory: Path) -> str:
    """Say why a database in *directory* cannot be used. SQLite calls a full disk an I/O error, or a file that cannot be
    opened, where it hits its log (sqlite.org/rescode.html)."""
    try:
        system = os.statvfs(directory)
    except (OSError, AttributeError):  # AttributeError: Windows has none
        return str(error)
    if system.f_flag & os.ST_RDONLY:
        return f"{error} (the file system is read-only)"
    if system.f_bavail * system.f_frsize < _LEAST_ROOM:
        return f"{error} (the file system is full)"
    return str(error)


def open_database(path: Path, now: float) -> sqlite3.Connection:
    """Open the database at *path*, made if absent. A corrupt file is set aside under a name that ends in the time
    *now* (seconds since the epoch), and a new one started. So is one that is empty: Gephyr never makes such a file.

    Raises ``StoreError`` when the file was written by a newer version of Gephyr or cannot be read or written.
    """
    try:
        reason = what_became_of(path)
        if not reason:
            try:
                return _opened(path)
            except sqlite3.DatabaseError as error:
                if not _is_unsound(error):
                    raise
                reason = str(error)
        aside = _set_aside(path, now)
        _log.error(
            "the store was corrupt and was set aside",
            file=str(path),
            kept_as=str(aside),
            reason=reason,
            recover=f"gephyr accounts recover {aside}",
        )
        return _opened(path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path}: cannot open the store: {reason_of(error, path.parent)}") from error


def open_shared(path: Path) -> sqlite3.Connection:
    """Open the database at *path*, made if absent, whether a server runs on it or not. What is committed stays when the
    power fails.

    Raises ``StoreError``, for a corrupt file too: to set it aside is a server's, which has the directory for itself.
    """
    try:
        reason = what_became_of(path)
        if reason:
            raise StoreError(f"{path}: {reason}{_WAY_BACK}")
        database = _connected(path)
        try:
            # In WAL mode FULL waits for the disk at each commit (sqlite.org/pragma.html#pragma_synchronous).
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA fullfsync = ON")  # macOS's fsync does not empty the disk's own cache
            _migrate(database, path)
        except BaseException:
            database.close()
            raise
    except (OSError, sqlite3.Error) as error:
        way_back = _WAY_BACK if _is_unsound(error) else ""
        raise StoreError(f"{path}: cannot open the store: {reason_of(error, path.parent)}{way_back}") from error
    return database


def _is_unsound(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_A_SOUND_DATABASE


def what_became_of(path: Path) -> str:
    """Say what became of a store that SQLite would take for a new one; empty where nothing did. A log without its file
    would be deleted. Raises ``StoreError`` for a directory."""
    if path.is_dir():
        raise StoreError(f"{path}: is a directory")
    if path.exists():
        return "" if path.stat().st_size else "the file is empty"
    log = path.with_name(path.name + "-wal")
    return "its log is there, and the file is not" if log.exists() and log.stat().st_size else ""


def _opened(path: Path) -> sqlite3.Connection:
    database = _connected(path)
    try:
        # In WAL mode this loses the last commits when power fails, never the file's consistency
        # (sqlite.org/pragma.html#pragma_synchronous).
        database.execute("PRAGMA synchronous = NORMAL")
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            error = sqlite3.DatabaseError(verdict)
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
        _migrate(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _connected(path: Path) -> sqlite3.Connection:
    # A file that is there must not be opened but by SQLite: to close it would drop this process's locks on it
    # (sqlite.org/howtocorrupt.html, section 2.2), and the next command to end would delete the log from under a server.
    if not path.exists():
        _make(path)
    return _connected_to(path)


def _make(path: Path) -> None:
    """Make a store, whole or not at all: an empty file is what is left of one, and no new one."""
    draft = path.with_name(f"{path.name}.new-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))  # the log takes the mode of its file
        with contextlib.closing(_connected_to(draft)) as database:
            _migrate(database, path)
        with contextlib.suppress(FileExistsError):  # somebody else was first
            os.link(draft, path)
    finally:
        for suffix in ("", *_LOG):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Have the names of *directory* on the disk; raises ``OSError``. Windows does it by itself."""
    if os.name == "posix":
        folder = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _connected_to(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        # Pages that held a deleted conversation are overwritten with zeros.
        database.execute("PRAGMA secure_delete = ON")
    except BaseException:
        database.close()
        raise
    return database


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    while (version := _version(database)) != len(MIGRATIONS):
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{path}: was written by a newer version of Gephyr (schema {version}; "
                f"this version knows schemas up to {len(MIGRATIONS)})"
            )
        database.execute("BEGIN IMMEDIATE")
        with database:  # commits, or rolls back when a statement fails
            if _version(database) == version:  # a command may open the file at the same time
                for statement in MIGRATIONS[version]:
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {version + 1}")


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def _set_aside(path: Path, now: float) -> Path:
    """Rename the file, and its write-ahead log so that what it holds can still be salvaged."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside, number = path.with_name(f"{path.name}.corrupt-{stamp}"), 1
    while aside.exists() or aside.with_name(f"{aside.name}-wal").exists():
        number += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    if path.exists():
        path.rename(aside)
    for suffix in _LOG:
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return aside
