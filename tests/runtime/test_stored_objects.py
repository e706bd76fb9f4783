"""Stored objects: what was saved is found, by its owner, until it expires or has to make room."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import structlog

from gephyr.runtime import store as store_module
from gephyr.runtime import store_schema
from gephyr.runtime.store import MemoryStore, Store
from gephyr.runtime.store_queue import MOST_OBJECT_BYTES, WriteQueue
from gephyr_core.records import Pin, StoredObject

NOW = 1_800_000_000.0
DAY = 86400.0
Opener = Callable[..., Store | MemoryStore]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def made(number: int, data: bytes = b"{}", *, owner: str = "owner", expires_at: float = NOW + DAY) -> StoredObject:
    return StoredObject(owner, f"resp_{number}", "response", data, NOW, expires_at)


def load(store: Store | MemoryStore, number: int, owner: str = "owner") -> StoredObject | None:
    return asyncio.run(store.load(owner, f"resp_{number}"))


def opener(kind: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens a store of a kind. The file's writer does not dawdle, or is held until the store closes."""
    monkeypatch.setattr(store_module, "_BATCH_INTERVAL", 60.0 if kind == "unwritten file" else 0.001)

    def open_store(clock: Callable[[], float] | None = None, most: int = 10**9) -> Store | MemoryStore:
        if kind == "memory":
            return MemoryStore(clock=clock or Clock(), most_bytes=most)
        return Store.open(directory, clock=clock or Clock(), most_object_bytes=most)

    return open_store


@pytest.fixture(params=["file", "unwritten file", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """All kinds keep one contract."""
    return opener(request.param, tmp_path, monkeypatch)


def written(store: Store | MemoryStore) -> None:
    """Wait until nothing is waiting to be written, unless the writer is held."""
    while isinstance(store, Store) and store_module._BATCH_INTERVAL < 1.0 and store._queue._newest:
        store._writer.join(0.001)


# -- the contract ----------------------------------------------------------------------------------------------


def test_what_was_saved_is_found(opened: Opener) -> None:
    """Whether the disk has it or not."""
    store = opened()
    first, second = made(1, b"\x00first\xff"), attrs.evolve(made(2), kind="conversation", owner="")
    store.save(first)
    store.save(second)
    written(store)
    assert load(store, 1) == first
    assert load(store, 2, "") == second
    assert load(store, 3) is None
    store.close()


def test_an_object_is_its_owners_alone(opened: Opener) -> None:
    """The same id may be another's too, and nobody sees what is not theirs."""
    store = opened()
    store.save(made(1, b"a's", owner="a"))
    store.save(made(1, b"b's", owner="b"))
    written(store)
    found = [load(store, 1, owner) for owner in ("a", "b", "c", "")]
    assert [record and record.data for record in found] == [b"a's", b"b's", None, None]
    store.close()


def test_the_newest_version_counts_and_one_that_has_expired_deletes(opened: Opener) -> None:
    store = opened()
    for version in (b"one", b"two"):
        store.save(made(1, version))
        written(store)
        assert (load(store, 1) or made(0)).data == version
    store.save(made(1, expires_at=NOW - 1))
    written(store)
    assert load(store, 1) is None
    store.close()


def test_an_object_is_gone_when_it_expires(opened: Opener) -> None:
    clock = Clock()
    store = opened(clock)
    store.save(made(1, expires_at=NOW + 10))
    written(store)
    clock.now = NOW + 9.9
    assert load(store, 1) is not None
    clock.now = NOW + 10
    assert load(store, 1) is None
    store.close()


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_the_oldest_make_room(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One saved again counts as new."""
    store = opener(kind, tmp_path, monkeypatch)(most=50_000)
    for number in range(1, 5):
        store.save(made(number, bytes(9_000)))
    store.save(made(1, bytes(9_001)))
    written(store)
    for number in range(5, 8):
        store.save(made(number, bytes(9_000)))
        written(store)
    kept = [number for number in range(1, 8) if load(store, number) is not None]
    assert kept[0] in {1, 4}
    assert 1 in kept
    assert kept[-3:] == [5, 6, 7]
    assert 2 not in kept
    store.close()


def test_an_object_that_is_too_long_is_not_kept_nor_what_it_replaces(opened: Opener) -> None:
    """Half a conversation would be worse than none."""
    store = opened()
    store.save(made(1, b"older"))
    with structlog.testing.capture_logs() as logs:
        store.save(made(1, bytes(MOST_OBJECT_BYTES + 1)))
    assert [entry["event"] for entry in logs] == ["an object is too long to be stored"]
    store.save(made(2, b"other"))
    assert load(store, 1) is None
    written(store)
    assert load(store, 1) is None
    assert load(store, 2) is not None
    store.close()


def test_the_repr_of_an_object_does_not_show_the_conversation() -> None:
    assert "secret" not in repr(made(1, b"secret"))


# -- the file --------------------------------------------------------------------------------------------------


def test_objects_are_there_at_the_next_start_beside_the_pins(tmp_path: Path) -> None:
    pin = Pin("owner", "resp_1", "openai-1", "acme", NOW + DAY)
    store = Store.open(tmp_path, clock=Clock())
    for record in (made(1), pin, made(2)):
        store.save(record)
    store.close()
    store = Store.open(tmp_path, clock=Clock())
    assert (load(store, 1), load(store, 2)) == (made(1), made(2))
    assert store.load_pins(NOW) == [pin]
    store.close()


def test_what_was_written_survives_kill_9(tmp_path: Path) -> None:
    """A process that dies without a word leaves everything up to its last batch."""
    script = (
        "import sys, threading\n"
        "from gephyr.runtime.store import Store\n"
        "from gephyr_core.records import StoredObject\n"
        "batch = threading.Event()\n"
        "def clock():\n"  # the writer asks for the time once for each batch
        "    batch.set()\n"
        "    return 1.8e9\n"
        "store = Store.open(sys.argv[1], clock=clock)\n"
        "for n in range(10**9):\n"
        "    batch.clear()\n"
        "    store.save(StoredObject('owner', f'resp_{n}', 'response', b'x' * 5000, 1.0, 4e9))\n"
        "    if n % 50 == 0:\n"
        "        batch.wait()\n"
        "        with store._database_lock:\n"
        "            (count,) = store._database.execute('SELECT count(*) FROM objects').fetchone()\n"
        "        if count > 100:\n"
        "            print(count, flush=True)\n"
        "            break\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        count = int(process.stdout.readline())
        process.kill()
    store = Store.open(tmp_path, clock=Clock())
    assert all((load(store, number) or made(0)).data == b"x" * 5000 for number in range(count))
    store.close()


def test_a_file_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its pins stay."""
    path = tmp_path / "gephyr.sqlite3"
    database = sqlite3.connect(path)
    for statement in store_schema.MIGRATIONS[0]:
        database.execute(statement)
    database.execute("INSERT INTO pins VALUES (1, 'owner', 'resp_9', 'openai-1', 'acme', ?, NULL)", (NOW + DAY,))
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()
    store = Store.open(tmp_path, clock=Clock())
    assert [pin.object_id for pin in store.load_pins(NOW)] == ["resp_9"]
    store.save(made(1))
    store.close()
    store = Store.open(tmp_path, clock=Clock())
    assert load(store, 1) == made(1)
    store.close()


def test_expired_objects_leave_the_file_at_start_and_deleted_ones_are_wiped(tmp_path: Path) -> None:
    clock = Clock()
    store = Store.open(tmp_path, clock=clock)
    store.save(made(1, b"confidential" * 1000, expires_at=NOW + 10))
    store.close()
    clock.now = NOW + 20
    store = Store.open(tmp_path, clock=clock)
    store.load_pins(clock.now)
    store.close()
    assert b"confidential" not in (tmp_path / "gephyr.sqlite3").read_bytes()


def test_a_lower_limit_holds_from_the_next_batch_on(tmp_path: Path) -> None:
    store = Store.open(tmp_path, clock=Clock())
    for number in range(20):
        store.save(made(number, bytes(5_000)))
    store.close()
    store = Store.open(tmp_path, clock=Clock(), most_object_bytes=30_000)
    store.save(made(20, bytes(5_000)))
    written(store)
    assert [number for number in range(21) if load(store, number)] == [16, 17, 18, 19, 20]
    store.close()


def test_reading_waits_on_a_thread_of_its_own(tmp_path: Path) -> None:
    """The loop goes on while the disk is busy, and one who gives up is not waited for."""
    before = threading.enumerate()
    store = Store.open(tmp_path, clock=Clock())
    store.save(made(1))
    written(store)

    async def scene() -> StoredObject | None:
        with store._database_lock:
            given_up = asyncio.create_task(store.load("owner", "resp_1"))
            waiting = asyncio.create_task(store.load("owner", "resp_1"))
            await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.sleep(0)
            assert given_up.cancelled()
            assert not waiting.done()
        return await waiting

    assert asyncio.run(scene()) == made(1)
    store.close()
    assert [thread for thread in threading.enumerate() if thread not in before] == []


def test_a_file_that_cannot_be_read_is_told_to_who_asks(tmp_path: Path) -> None:
    store = Store.open(tmp_path, clock=Clock())
    with store._database_lock:
        store._database.execute("DROP TABLE objects")
    with pytest.raises(sqlite3.OperationalError):
        load(store, 1)
    store.close()


def test_a_hanging_disk_costs_the_oldest_objects_and_no_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_MOST_QUEUED_BYTES", 10_000)
    monkeypatch.setattr(store_module, "_BATCH_INTERVAL", 60.0)  # the writer is held until the store closes
    store = Store.open(tmp_path, clock=Clock())
    with structlog.testing.capture_logs() as logs:
        for number in range(25):
            store.save(made(number, bytes(1_000)))
    assert store.dropped == 15
    assert [entry["log_level"] for entry in logs] == ["warning"]
    store.close()
    store = Store.open(tmp_path, clock=Clock())
    assert [number for number in range(25) if load(store, number)] == list(range(15, 25))
    store.close()


def test_what_is_being_written_counts_and_is_found_until_it_is_done() -> None:
    queue = WriteQueue(most_bytes=10)
    first, second = made(1, bytes(6)), made(1, bytes(4))
    assert queue.add(first, 100) == 0
    taken = queue.take()
    assert queue.find("owner", "resp_1") is first
    assert queue.add(second, 100) == 0
    assert queue.find("owner", "resp_1") is second
    assert queue.add(made(2, bytes(1)), 100) == 1, "the oldest that waits goes, and here it is all of them but one"
    queue.done(taken)
    assert queue.find("owner", "resp_1") is None
    assert len(queue) == 1
