"""kill -9 at any moment: at worst the last second of bindings is lost, never what was acknowledged as durable."""

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from gephyr.runtime import store as store_module
from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.store import Store

BINDINGS = """
import itertools, sys, threading
from gephyr.runtime.store import Store
from gephyr_core.records import Binding
batches, news = 0, threading.Condition()
def clock():
    # The writer asks for the time once for each batch, when it has taken what goes into it.
    global batches
    with news:
        batches += 1
        news.notify_all()
    return 1.8e9
store = Store.open(sys.argv[1], clock=clock, environ={})
seen = batches
for number in itertools.count(int(sys.argv[2])):
    store.save(Binding(f"session-{number}", "a", 1.0, 1.0, 4e9))
    store.save(Binding("touched all the time", "a", 1.0, float(number), 4e9))
    print(number, batches, flush=True)
    if number % 50 == 49:
        with news:
            news.wait_for(lambda: batches > seen)
        seen = batches
"""

TOKENS = """
import itertools, sys
from gephyr.runtime.store import Store
from gephyr.runtime.store_tokens import StoredToken
from gephyr_core.records import Binding
store = Store.open(sys.argv[1], clock=lambda: 1.8e9, environ={})
for number in itertools.count(int(sys.argv[2])):
    store.save(Binding(f"session-{number}", "a", 1.0, 1.0, 4e9))
    store.tokens.begin_refresh("a", 1.0)
    print("begun", number, flush=True)
    store.tokens.keep_token(StoredToken("a", f"access-{number}", f"refresh-{number}", 4e9, "digest", float(number)))
    print("kept", number, flush=True)
"""

ACCOUNTS = """
import itertools, sys
from gephyr.runtime import store as store_module
from gephyr.runtime.account_book import AccountBook
book = AccountBook.open(sys.argv[1], environ={})
for number in itertools.count(int(sys.argv[2])):
    book.add_account({"id": f"account-{number}", "provider": "openai", "api_key": f"key-{number}"})
    book.disable(f"account-{number}")
    print("added", number, flush=True)
"""


def lines_until_killed(
    program: str, directory: Path, argument: object, enough: int | Callable[[list[str]], bool]
) -> list[list[str]]:
    """Run a program, kill it once it has printed *enough* lines, or one that is enough; return the words of all that
    it printed."""
    command = [sys.executable, "-c", program, str(directory), str(argument)]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not (len(lines) >= enough if isinstance(enough, int) else lines and enough(lines[-1].split())):
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended by itself"
        process.kill()
        lines += process.stdout.readlines()
    return [line.split() for line in lines if line.endswith("\n")]


def is_sound(directory: Path) -> bool:
    """Whether every page, index and constraint of the file holds, and nothing had to be set aside."""
    database = sqlite3.connect(directory / "gephyr.sqlite3")
    try:
        verdicts = database.execute("PRAGMA integrity_check").fetchall()
    finally:
        database.close()
    return verdicts == [("ok",)] and not list(directory.glob("*.corrupt-*"))


@pytest.fixture
def moments() -> random.Random:
    """When to kill: other moments in each round, the same in each run, as far as processes allow."""
    return random.Random(20)


def test_at_worst_the_last_second_of_bindings_is_lost(tmp_path: Path, moments: random.Random) -> None:
    """All older ones are there, round after round: what is saved goes out with the next batch but one, at the latest.

    The writer has begun so many batches when a binding was saved; that one's is written once three more have begun.
    """
    assert 3 * store_module._BATCH_INTERVAL < 1, "seconds that three batches take"
    start, expected = 0, set()
    for _ in range(2):
        batches = moments.randrange(6, 9)
        printed = lines_until_killed(BINDINGS, tmp_path, start, lambda line, most=batches: int(line[1]) >= most)
        begun = int(printed[-1][1])
        written = [int(number) for number, batch in printed if int(batch) + 3 <= begun]
        assert written, "the round lasted longer than what may be lost"
        assert is_sound(tmp_path)
        store = Store.open(tmp_path, clock=lambda: 1.8e9, environ={})
        bindings = {binding.session: binding for binding in store.load_bindings(1.8e9)}
        store.close()
        expected |= {f"session-{number}" for number in written}
        assert expected <= set(bindings)
        assert bindings["touched all the time"].used_at >= written[-1]
        start = int(printed[-1][0]) + 1


def test_a_rotated_refresh_token_that_was_acknowledged_is_never_lost(tmp_path: Path, moments: random.Random) -> None:
    """And of one that may be it is known."""
    number = 0
    for _ in range(8):
        *_, (last, text) = lines_until_killed(TOKENS, tmp_path, number, moments.randrange(1, 40))
        store = Store.open(tmp_path, clock=lambda: 2.0, environ={})
        kept = int(store.tokens.tokens()[0].refresh_token.removeprefix("refresh-")) if store.tokens.tokens() else -1
        open_refreshes = store.tokens.interrupted_refreshes()
        store.close()
        assert is_sound(tmp_path)
        printed = int(text)
        if last == "kept":
            assert kept >= printed
        elif kept < printed:  # the token of the refresh that it began did not arrive, and that is known
            assert (kept, open_refreshes) == (printed - 1, ["a"])
        number = kept + 1


def test_an_account_that_was_added_is_never_lost(tmp_path: Path, moments: random.Random) -> None:
    """Whole with its secret, and so is the operator's word on it."""
    number = 0
    for _ in range(4):
        printed = lines_until_killed(ACCOUNTS, tmp_path, number, moments.randrange(1, 30))
        book = AccountBook.open(tmp_path, environ={})
        added = book.added_accounts()
        disabled = {state.account for state in book.states()}
        book.close()
        assert is_sound(tmp_path)
        number = len(added)
        assert number > int(printed[-1][1])
        assert all(one.table["api_key"] == f"key-{n}" for n, one in enumerate(added))
        assert {f"account-{line[1]}" for line in printed} <= disabled


FIRST_START = """
import os, signal, sys
from gephyr.runtime.store import Store
most, calls = int(sys.argv[2]), 0
def count(frame, event, argument):
    global calls
    if event == "c_call":
        calls += 1
        if calls == most:
            os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(count)
store = Store.open(sys.argv[1], clock=lambda: 1.0, environ={})
sys.setprofile(None)
print(calls, flush=True)
store.close()
"""
"""Starts, and kills itself at its so manyth call into C: of the system, or of SQLite."""


def test_a_kill_during_the_first_start_leaves_a_directory_that_starts(tmp_path: Path, moments: random.Random) -> None:
    """Neither half a schema nor half a key: the next start works, and keeps its key."""
    command = [sys.executable, "-c", FIRST_START]
    calls = int(subprocess.run([*command, str(tmp_path / "whole"), "0"], stdout=subprocess.PIPE, check=True).stdout)
    for number in range(10):
        directory = tmp_path / str(number)
        at = moments.randrange(number * calls // 10, (number + 1) * calls // 10) + 1
        killed = subprocess.run([*command, str(directory), str(at)], stdout=subprocess.PIPE, check=False)
        assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b"")
        with structlog.testing.capture_logs() as logs:
            Store.open(directory, clock=lambda: 2.0, environ={}).close()
            key = (directory / "token.key").read_bytes()
            Store.open(directory, clock=lambda: 3.0, environ={}).close()
        assert (logs, (directory / "token.key").read_bytes()) == ([], key)
        assert is_sound(directory)
