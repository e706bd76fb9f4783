"""A server learns of what commands change within a second, and of nothing else."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from gephyr.runtime import account_watch
from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.account_watch import INTERVAL, AccountWatch
from gephyr.runtime.store import Store
from gephyr.runtime.store_tokens import StoredToken
from gephyr_core.records import Binding
from tests.waiting import WAIT, block_until

NOW = 1_800_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The serving process's."""
    store = Store.open(tmp_path, clock=lambda: NOW, environ={})
    yield store
    store.close()


class Calls:
    """Counts calls, and lets one wait for the next."""

    def __init__(self) -> None:
        self.count = 0
        self.threads: set[int] = set()
        self._called = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self.threads.add(threading.get_ident())
        self._called.set()

    async def next(self) -> None:
        await asyncio.wait_for(self._called.wait(), WAIT)
        self._called.clear()


def test_a_change_by_another_process_is_seen_within_a_second(tmp_path: Path, store: Store) -> None:
    """At the pace that a server looks at: twice a second."""
    assert 2 * INTERVAL <= 1
    program = (
        "import sys\n"
        "from gephyr.runtime.account_book import AccountBook\n"
        "book = AccountBook.open(sys.argv[1], environ={})\n"
        "sys.stdin.readline()\n"
        "book.disable('a')\n"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    async def scene() -> None:
        calls = Calls()
        watch = AccountWatch(tmp_path, calls)
        assert command.stdin is not None
        command.stdin.write("go\n")
        command.stdin.flush()
        await calls.next()
        watch.close()
        assert calls.threads == {threading.get_ident()}, "called where the event loop runs"

    asyncio.run(scene())
    assert command.communicate(timeout=WAIT)[0] == ""
    assert [state.account for state in store.load_states()] == ["a"]


def test_every_kind_of_command_is_seen(tmp_path: Path, store: Store) -> None:
    """Of another connection, and of the server's own."""

    async def scene() -> int:
        calls = Calls()
        watch = AccountWatch(tmp_path, calls, interval=0.001)
        other = AccountBook.open(tmp_path, environ={})
        for book in (other, store.accounts):
            book.add_account({"id": "a", "provider": "openai"})
            await calls.next()
            book.disable("a")
            await calls.next()
            book.enable("a")
            await calls.next()
            book.sign_in(StoredToken("a", "access", "refresh", NOW, "digest", NOW))
            await calls.next()
            book.sign_out("a")
            await calls.next()
            book.remove_account("a")
            await calls.next()
        other.close()
        watch.close()
        return calls.count

    assert asyncio.run(scene()) == 12


def test_what_the_gateway_itself_writes_is_no_change(tmp_path: Path, store: Store) -> None:
    """Nor is what was changed before, nor a command that came to nothing."""
    store.accounts.disable("before")

    async def scene() -> int:
        calls = Calls()
        watch = AccountWatch(tmp_path, calls, interval=0.001)
        store.tokens.begin_refresh("a", NOW)
        store.tokens.keep_token(StoredToken("a", "access", "refresh", NOW, "digest", NOW))
        store.save(Binding("session", "a", NOW, NOW, NOW + 60))
        assert not store.accounts.remove_account("unknown")
        version = watch._version
        block_until(lambda: not len(store._queue) and watch._version != version)
        store.accounts.disable("a")
        await calls.next()
        watch.close()
        return calls.count

    assert asyncio.run(scene()) == 1


def test_nothing_is_told_after_closing(tmp_path: Path, store: Store) -> None:
    """The thread has ended, and the file is let go."""
    before = threading.active_count()

    async def scene() -> int:
        calls = Calls()
        watch = AccountWatch(tmp_path, calls, interval=0.001)
        store.accounts.disable("a")
        seen = watch._seen
        block_until(lambda: watch._seen != seen)  # the loop is not let run
        watch.close(timeout=WAIT)
        store.accounts.enable("a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return calls.count

    assert asyncio.run(scene()) == 0
    assert threading.active_count() == before


def test_a_file_that_cannot_be_read_for_a_while_is_told_of_once(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change that was made meanwhile is seen later."""

    async def scene() -> list[str]:
        calls, failures = Calls(), 0
        look = account_watch.changes

        def broken(database: sqlite3.Connection) -> int:
            nonlocal failures
            failures += 1
            if failures < 5:
                raise sqlite3.OperationalError("disk I/O error")
            return look(database)

        with structlog.testing.capture_logs() as logs:
            watch = AccountWatch(tmp_path, calls, interval=0.001)
            monkeypatch.setattr(account_watch, "changes", broken)
            store.accounts.disable("a")
            await calls.next()
            watch.close()
        assert failures == 5
        return [entry["reason"] for entry in logs]

    assert asyncio.run(scene()) == ["disk I/O error"]


def test_a_directory_without_a_store_is_refused(tmp_path: Path) -> None:
    """Watching makes no file."""

    async def scene() -> None:
        with pytest.raises(sqlite3.Error):
            AccountWatch(tmp_path, lambda: None)

    asyncio.run(scene())
    assert list(tmp_path.iterdir()) == []
