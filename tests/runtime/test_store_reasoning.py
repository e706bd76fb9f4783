"""Remembered reasoning in the store: sealed, bounded by bytes and age, and never in anybody's way when it is damaged."""

import secrets
import sqlite3
from pathlib import Path

import attrs
import pytest
import structlog

from gephyr.runtime import store as store_module
from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.configuration import load_mapping
from gephyr.runtime.service import open_store
from gephyr.runtime.store import Store
from gephyr.runtime.store_salvage import salvage
from gephyr.runtime.store_schema import MIGRATIONS
from gephyr_core.records import Pin, RememberedReasoning, StoredObject

NOW = 1_800_000_000.0
DAY = 86400.0
FAR = 4e9
"""A time that does not come."""
SECRET = b"what the model thought"


@attrs.define
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


def made(number: int, data: bytes = SECRET, *, expires_at: float = NOW + DAY) -> RememberedReasoning:
    return RememberedReasoning("owner", f"call:call_{number}", data, expires_at)


def opened(folder: Path, clock: Clock | None = None, **more: object) -> Store:
    return Store.open(folder, clock=clock or Clock(), environ={}, **more)  # type: ignore[arg-type]


def kept(folder: Path, *records: RememberedReasoning, **more: object) -> None:
    """Save *records* in a process that ends."""
    store = opened(folder, **more)
    for record in records:
        store.save(record)
    store.close()


def found(folder: Path, at: float = NOW) -> list[RememberedReasoning]:
    """What the next process finds."""
    store = opened(folder, Clock(at))
    records = store.load_reasoning(at)
    store.close()
    return records


def rows(folder: Path, what: str = "count(*)") -> list[tuple]:
    database = sqlite3.connect(folder / "gephyr.sqlite3")
    try:
        return database.execute(f"SELECT {what} FROM reasoning").fetchall()  # noqa: S608 (this file's own words)
    finally:
        database.close()


def test_it_is_there_at_the_next_start_the_oldest_first(tmp_path: Path) -> None:
    kept(tmp_path, made(2), made(1), made(3), made(2, b"newer"))
    assert found(tmp_path) == [made(1), made(3), made(2, b"newer")]


def test_nobody_who_reads_the_file_can_read_it(tmp_path: Path) -> None:
    kept(tmp_path, made(1))
    assert SECRET not in b"".join(path.read_bytes() for path in tmp_path.glob("gephyr.sqlite3*"))
    assert "thought" not in repr(made(1))


def test_it_is_removed_when_it_has_expired(tmp_path: Path) -> None:
    kept(tmp_path, made(1, expires_at=NOW + 10), made(2))
    assert found(tmp_path, NOW + 10) == [made(2)]
    assert rows(tmp_path) == [(1,)]


def test_a_server_that_runs_on_removes_what_has_expired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_BATCH_INTERVAL", 0.001)
    clock = Clock()
    store = opened(tmp_path, clock)
    store.save(made(1, expires_at=NOW + 10))
    store.close()
    store = opened(tmp_path, clock)
    clock.now = NOW + 2 * DAY
    store.save(Pin("owner", "resp_1", "a", "acme", NOW + 9 * DAY))
    store.close()
    assert rows(tmp_path) == [(0,)]


def test_the_oldest_makes_room(tmp_path: Path) -> None:
    data = secrets.token_bytes(1000)
    kept(tmp_path, *(made(number, data) for number in range(10)), most_reasoning_bytes=5000)
    assert [record.key for record in found(tmp_path)] == ["call:call_7", "call:call_8", "call:call_9"]


@pytest.mark.anyio
async def test_the_configuration_bounds_what_the_store_keeps(tmp_path: Path) -> None:
    """Each by its own setting: of both, only the newest fits here."""
    bounds = {"stored_responses_max_bytes": 5000, "remember_reasoning_max_bytes": 5000}
    server = {"data_dir": str(tmp_path)}
    for settings, kept_of_each in ((bounds, 3), ({}, 10)):
        store = open_store(load_mapping({"server": server, "translation": settings}, {}))
        for number in range(10):
            store.save(made(number, secrets.token_bytes(1000), expires_at=FAR))
            store.save(StoredObject("owner", f"resp_{number}", "response", secrets.token_bytes(1000), NOW, FAR))
        store.close()
        store = open_store(load_mapping({"server": server, "translation": settings}, {}))
        objects = [await store.load("owner", f"resp_{number}") for number in range(10)]
        assert len(store.load_reasoning(NOW)) == kept_of_each
        assert len([one for one in objects if one is not None]) == kept_of_each
        store.close()


@pytest.mark.parametrize("column", ["sealed", "owner", "key"])
def test_a_damaged_entry_is_set_aside_reported_once_and_the_others_are_found(tmp_path: Path, column: str) -> None:
    """An entry that was moved to another owner or place is damaged too: no row passes for another."""
    kept(tmp_path, made(1), made(2), made(3))
    database = sqlite3.connect(tmp_path / "gephyr.sqlite3")
    value = "zeroblob(40)" if column == "sealed" else "'other'"
    database.execute(f"UPDATE reasoning SET {column} = {value} WHERE key = 'call:call_2'")  # noqa: S608
    database.commit()
    database.close()
    with structlog.testing.capture_logs() as logs:
        assert found(tmp_path) == [made(1), made(3)]
    assert [(line["log_level"], line["entries"]) for line in logs if "damaged" in line["event"]] == [("error", 1)]
    with structlog.testing.capture_logs() as logs:
        assert found(tmp_path) == [made(1), made(3)]
    assert not [line for line in logs if "reasoning" in line["event"]]
    assert rows(tmp_path) == [(3,)], "it is there until it expires"
    assert found(tmp_path, NOW + DAY) == []
    assert rows(tmp_path) == [(0,)]


def test_what_another_key_sealed_waits_for_that_key(tmp_path: Path) -> None:
    kept(tmp_path, made(1))
    key = tmp_path / "token.key"
    right, wrong = key.read_bytes(), tmp_path / "other"
    opened(wrong).close()
    key.write_bytes((wrong / "token.key").read_bytes())
    with structlog.testing.capture_logs() as logs:
        assert found(tmp_path) == []
    assert [line["entries"] for line in logs if "until the key" in line["event"]] == [1]
    kept(tmp_path, made(2))
    assert found(tmp_path) == [made(2)]
    key.write_bytes(right)
    assert found(tmp_path) == [made(1)]


def test_it_is_forgotten_where_nothing_is_to_be_remembered(tmp_path: Path) -> None:
    kept(tmp_path, made(1))
    store = opened(tmp_path)
    store.forget_reasoning()
    store.close()
    assert rows(tmp_path) == [(0,)]


def test_a_store_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "gephyr.sqlite3")
    for statement in (one for migration in MIGRATIONS[:3] for one in migration):
        database.execute(statement)
    database.execute("PRAGMA user_version = 3")
    database.commit()
    database.close()
    kept(tmp_path, made(1))
    assert found(tmp_path) == [made(1)]


def test_its_rows_are_not_taken_for_accounts_and_tokens_of_a_damaged_file(tmp_path: Path) -> None:
    book = AccountBook.open(tmp_path, clock=lambda: NOW, environ={})
    book.add_account({"id": "a", "provider": "openai", "api_key": "k"})
    book.close()
    kept(tmp_path, *(made(number) for number in range(200)))
    left = salvage(tmp_path / "gephyr.sqlite3")
    assert [account.account for account in left.accounts] == ["a"]
    assert (left.tokens, left.lost_tokens, left.lost_accounts, left.states) == ((), (), (), ())
