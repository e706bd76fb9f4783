"""The store: what was saved is there at the next start, whatever happened in between."""

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import attrs
import pytest
import structlog

from gephyr.runtime import store as store_module
from gephyr.runtime.store import MemoryStore, Store, StoreError
from gephyr_core.records import Pin
from tests.waiting import WAIT

NOW = 1_800_000_000.0
DAY = 86400.0


def open_store(directory: Path, now: float = NOW) -> Store:
    return Store.open(directory, clock=lambda: now)


def pin(number: int, *, expires_at: float = NOW + DAY) -> Pin:
    return Pin("owner", f"resp_{number}", "openai-1", "acme", expires_at, None)


def reopened_pins(directory: Path, now: float = NOW) -> list[Pin]:
    store = open_store(directory, now)
    try:
        return store.load_pins(now)
    finally:
        store.close()


def test_what_was_saved_is_there_at_the_next_start(tmp_path):
    """A stored response stays bound to its account across a restart."""
    saved = [pin(1), attrs.evolve(pin(2), owner="", upstream_id="resp_other")]
    store = open_store(tmp_path)
    for record in saved:
        store.save(record)
    store.close()
    assert reopened_pins(tmp_path) == saved


def test_a_pin_saved_again_replaces_the_older_one_and_becomes_the_newest(tmp_path):
    """The core forgets the oldest pins first, so their order has to survive."""
    store = open_store(tmp_path)
    moved = attrs.evolve(pin(1), account="openai-2")
    for record in (pin(1), pin(2), moved):
        store.save(record)
    store.close()
    assert reopened_pins(tmp_path) == [pin(2), moved]


def test_expired_pins_are_removed_when_they_are_loaded(tmp_path):
    """The file does not grow for ever."""
    store = open_store(tmp_path)
    store.save(pin(1, expires_at=NOW + 10))
    store.save(pin(2, expires_at=NOW + 20))
    store.close()
    assert reopened_pins(tmp_path, NOW + 10) == [pin(2, expires_at=NOW + 20)]
    assert reopened_pins(tmp_path, NOW) == [pin(2, expires_at=NOW + 20)]


def test_expiry_written_under_a_wrong_clock_is_clamped(tmp_path):
    """A clock that was years ahead must not make pins that never go (decision 24)."""
    store = open_store(tmp_path)
    store.save(pin(1, expires_at=NOW + 4000 * DAY))
    store.close()
    assert [record.expires_at for record in reopened_pins(tmp_path)] == [NOW + 30 * DAY]


def test_only_the_owner_can_read_the_directory_and_the_file(tmp_path):
    """Pins and digests are nobody else's business."""
    directory = tmp_path / "a" / "data"
    store = open_store(directory)
    store.save(pin(1))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    store.close()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert modes["gephyr.sqlite3"] == 0o600
    assert set(modes.values()) == {0o600}


def test_the_generated_keys_digest_is_kept(tmp_path):
    """A key that was printed once stays valid across restarts (decision 19)."""
    store = open_store(tmp_path)
    assert store.generated_key_digest() is None
    store.remember_generated_key("aa" * 32)
    store.remember_generated_key("bb" * 32)
    assert store.generated_key_digest() == "bb" * 32
    store.close()
    store = open_store(tmp_path)
    assert store.generated_key_digest() == "bb" * 32
    store.close()


WRITER = """
import sys, threading
from gephyr.runtime.store import Store
from gephyr_core.records import Pin
batch = threading.Event()
def clock():
    # The writer asks for the time once for each batch.
    batch.set()
    return 1.8e9
store = Store.open(sys.argv[1], clock=clock)
number = 0
while True:
    batch.clear()
    store.save(Pin("owner", f"resp_{number}", "openai-1", "acme", 1.8e9 + 86400, None))
    number += 1
    if number % 100 == 0:
        print(number, flush=True)
        batch.wait()
"""


def test_survives_kill_9_with_a_prefix_of_what_was_saved(tmp_path):
    """The file opens after the process was killed while it wrote, and nothing in the middle is missing."""
    database = tmp_path / "gephyr.sqlite3"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while rows_in(database) < 500:
            assert process.stdout.readline(), "it ended by itself"
        process.kill()
    kept = reopened_pins(tmp_path)
    assert len(kept) >= 500
    assert [record.object_id for record in kept] == [f"resp_{number}" for number in range(len(kept))]


def rows_in(database: Path) -> int:
    """How many pins another process has committed so far."""
    if not database.exists():
        return 0
    try:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT count(*) FROM pins").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.OperationalError:  # not made yet
        return 0


@pytest.mark.parametrize("damage", ["not a database", "broken pages"])
def test_a_corrupt_file_is_set_aside_by_name_and_a_new_one_started(tmp_path, damage):
    """The gateway starts, says what it lost, and keeps the file for whoever wants to salvage it."""
    store = open_store(tmp_path)
    for number in range(2000):
        store.save(pin(number))
    store.close()
    file = tmp_path / "gephyr.sqlite3"
    content = file.read_bytes()
    broken = b"garbage" * 1000 if damage == "not a database" else content[:4096] + b"\xff" * (len(content) - 4096)
    file.write_bytes(broken)

    with structlog.testing.capture_logs() as logs:
        assert reopened_pins(tmp_path) == []
    aside = tmp_path / "gephyr.sqlite3.corrupt-20270115T080000Z"
    assert aside.read_bytes() == broken
    assert [(entry["log_level"], entry["kept_as"]) for entry in logs] == [("error", str(aside))]


def test_a_second_corrupt_file_of_the_same_second_gets_its_own_name(tmp_path):
    """Nothing that was set aside is overwritten."""
    for _ in range(2):
        (tmp_path / "gephyr.sqlite3").write_bytes(b"garbage" * 1000)
        with structlog.testing.capture_logs():
            open_store(tmp_path).close()
    assert len(list(tmp_path.glob("*.corrupt-*"))) == 2


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    """After a downgrade the newer version's data must not be thrown away."""
    open_store(tmp_path).close()
    file = tmp_path / "gephyr.sqlite3"
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match=r"gephyr\.sqlite3: was written by a newer version .*schema 99"):
        open_store(tmp_path)
    assert file.exists()
    assert list(tmp_path.glob("*.corrupt-*")) == []


def test_a_second_process_is_refused_by_the_firsts_number(tmp_path):
    """Two gateways on one directory would undo each other's records."""
    store = open_store(tmp_path)
    program = "import sys; from gephyr.runtime.store import Store; Store.open(sys.argv[1], clock=lambda: 0.0)"
    second = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    store.close()
    (owner,) = {int((tmp_path / "gephyr.lock").read_text())}
    assert f"{tmp_path}: data directory is in use by process {owner}" in second.stderr
    open_store(tmp_path).close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    """The operator is told which path is wrong."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/data: cannot create the data directory"):
        open_store(tmp_path / "file" / "data")


def test_saving_never_waits_and_a_hanging_disk_costs_the_oldest_records(tmp_path, monkeypatch):
    """The event loop goes on, memory stays bounded, and the operator is told once."""
    monkeypatch.setattr(store_module, "_MOST_QUEUED", 100)
    monkeypatch.setattr(store_module, "_BATCH_INTERVAL", 60.0)  # the writer is held until the store closes
    store = open_store(tmp_path)
    with structlog.testing.capture_logs() as logs:
        for number in range(250):
            store.save(pin(number))
    assert store.dropped == 150
    store.close()
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert [record.object_id for record in reopened_pins(tmp_path)] == [f"resp_{n}" for n in range(150, 250)]


def test_what_could_not_be_written_is_written_later(tmp_path, monkeypatch):
    """A database locked by another tool delays records; it does not lose them."""
    monkeypatch.setattr(store_module, "_RETRY_INTERVAL", 0.01)
    store = open_store(tmp_path)
    store._database.execute("PRAGMA busy_timeout = 0")
    failed = threading.Event()
    monkeypatch.setattr(store_module._log, "error", lambda *_, **__: failed.set(), raising=False)
    other = sqlite3.connect(tmp_path / "gephyr.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.save(pin(1))
    assert failed.wait(WAIT)
    other.execute("COMMIT")
    other.close()
    store.close()
    assert reopened_pins(tmp_path) == [pin(1)]


def test_a_record_that_cannot_be_stored_does_not_stop_the_others(tmp_path):
    """One odd value must not end persistence for the rest of the process's life."""
    store = open_store(tmp_path)
    with structlog.testing.capture_logs():
        store.save(attrs.evolve(pin(1), object_id="\ud800"))
        while store.dropped == 0:
            store._writer.join(0.01)
    store.save(pin(2))
    store.close()
    assert reopened_pins(tmp_path) == [pin(2)]


def test_without_a_data_directory_nothing_is_kept():
    """An ASGI application without a directory runs all the same."""
    store = MemoryStore()
    store.save(pin(1))
    assert store.load_pins(NOW) == []
    store.close()
