"""What the operator is told of a database that cannot be used."""

import os
import sqlite3
from pathlib import Path

import pytest

from gephyr.runtime.store_file import reason_of

ERROR = sqlite3.OperationalError("disk I/O error")
BLOCK = 4096
MIB = 1024 * 1024


def file_system(*, free: int, flags: int = 0) -> os.statvfs_result:
    """One with *free* bytes for users who are not root, and plenty for root."""
    return os.statvfs_result((BLOCK, BLOCK, 10**9, 10**9, free // BLOCK, 10**6, 10**6, 10**6, flags, 255))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (file_system(free=1024 * MIB), "disk I/O error"),
        (file_system(free=0), "disk I/O error (the file system is full)"),
        (file_system(free=0, flags=os.ST_RDONLY), "disk I/O error (the file system is read-only)"),
        (file_system(free=1024 * MIB, flags=os.ST_RDONLY), "disk I/O error (the file system is read-only)"),
    ],
)
def test_what_is_wrong_with_the_file_system_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: os.statvfs_result, told: str
) -> None:
    """SQLite calls each of these an I/O error."""
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    assert reason_of(ERROR, tmp_path) == told


def test_where_nothing_is_known_of_the_file_system_the_error_speaks_for_itself(tmp_path: Path) -> None:
    assert reason_of(ERROR, tmp_path / "gone") == "disk I/O error"
