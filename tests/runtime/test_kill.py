"""kill -9 at any moment: at worst the last second of bindings is lost, never what was acknowledged as durable."""

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import structlog

from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.store import Store

BINDINGS = """
import sys, threading, time
from gephyr.runtime.store import Store
from gephyr_core.records import Binding
store = Store.open(sys.argv[1], clock=time.time, environ={})
number, pause = 0, threading.Event()
while True:
    now = time.time()
    store.save(Binding(f"{sys.argv[2]}-{number}", "a", now, now, now + 3600))
    store.save(Binding("touched all the time", "a", now, now, now + 3600))
    print(number, now, flush=True)
    number += 1
    pause.wait(0.002)
"""

TOKENS = """
import itertools, sys, time
from gephyr.runtime.store import Store
from gephyr.runtime.store_tokens import StoredToken
from gephyr_core.records import Binding
store = Store.open(sys.argv[1], clock=time.time, environ={})
for number in itertools.count(int(sys.argv[2])):
    store.save(Binding(f"session-{number}", "a", 1.0, 1.0, 4e9))
    store.tokens.begin_refresh("a", 1.0)
    print("begun", number, flush=True)
    store.tokens.keep_token(StoredToken("a", f"access-{number}", f"refresh-{number}", 4e9, "digest", float(number)))
    print("kept", number, flush=True)
"""

ACCOUNTS = """
import itertools, sys
from gephyr.runtime.account_book import AccountBook
book = AccountBook.open(sys.argv[1], environ={})
for number in itertools.count(int(sys.argv[2])):
    book.add_account({"id": f"account-{number}", "provider": "openai", "api_key": f"key-{number}"})
    book.disable(f"account-{number}")
    print("added", number, flush=True)
"""


def lines_until_killed(program: str, directory: Path, argument: object, after: int) -> list[list[str]]:
    """Run a program, kill it once it has printed *after* lines, and return the words of all that it printed."""
    command = [sys.executable, "-c", program, str(directory), str(argument)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        lines += process.stdout.readlines()
    assert lines[after - 1], "it ended by itself"
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
    """All older ones are there, round after round."""
    expected: set[str] = set()
    for number in range(2):
        printed = lines_until_killed(BINDINGS, tmp_path, number, moments.randrange(600, 700))
        killed = float(printed[-1][1])
        expected |= {f"{number}-{line[0]}" for line in printed if float(line[1]) < killed - 1}
        assert is_sound(tmp_path)
        store = Store.open(tmp_path, clock=time.time, environ={})
        bindings = {binding.session: binding for binding in store.load_bindings(time.time())}
        store.close()
        assert expected <= set(bindings)
        assert bindings["touched all the time"].used_at > killed - 1
    assert expected, "the rounds lasted longer than what may be lost"


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


def test_a_kill_during_the_first_start_leaves_a_directory_that_starts(tmp_path: Path, moments: random.Random) -> None:
    """Neither half a schema nor half a key: the next start works, and keeps its key."""
    program = (
        "import sys\n"
        "from gephyr.runtime.store import Store\n"
        "print('ready', flush=True)\n"
        "store = Store.open(sys.argv[1], clock=lambda: 1.0, environ={})\n"
        "print('started', flush=True)\n"
        "store._writer.join()\n"
    )
    for number in range(8):
        directory = tmp_path / str(number)
        with subprocess.Popen([sys.executable, "-c", program, str(directory)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.012))  # starting takes about ten milliseconds
            process.kill()
        with structlog.testing.capture_logs() as logs:
            Store.open(directory, clock=lambda: 2.0, environ={}).close()
            key = (directory / "token.key").read_bytes()
            Store.open(directory, clock=lambda: 3.0, environ={}).close()
        assert (logs, (directory / "token.key").read_bytes()) == ([], key)
        assert is_sound(directory)
