"""Accounts by command: a second process changes them safely while a server runs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.store import Store, StoreError
from gephyr.runtime.store_tokens import StoredToken
from gephyr_core.records import AccountState, Cooldown

NOW = 1_800_000_000.0
TABLE: dict[str, Any] = {
    "id": "claude",
    "provider": "anthropic",
    "api_key": "sk-secret-1",
    "models": ["claude-*"],
    "proxy": "socks5://user:sk-secret-2@proxy:1080",
    "oauth": {
        "token_url": "https://a.test/token",
        "client_id": "me",
        "client_secret": "sk-secret-3",
        "refresh_token": "sk-secret-4",
    },
    "service_account": "sk-secret-5",
    "max_concurrency": 3,
}


def opened(directory: Path, environ: dict[str, str] | None = None) -> AccountBook:
    return AccountBook.open(directory, clock=lambda: NOW, environ=environ or {})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Store]:
    """A server that has the directory for itself."""
    store = Store.open(tmp_path, clock=lambda: NOW, environ={})
    yield store
    store.close()


@pytest.fixture
def book(tmp_path: Path, server: Store) -> Iterator[AccountBook]:
    """A command's, while the server runs."""
    book = opened(tmp_path)
    yield book
    book.close()


def test_an_added_account_is_what_stood_in_its_table(book: AccountBook, server: Store) -> None:
    """The server reads what the command wrote."""
    book.add_account(TABLE)
    book.add_account({"id": "local", "provider": "openai-compatible", "base_url": "http://localhost:1"})
    (claude, local) = server.accounts.added_accounts()
    assert (claude.account, claude.table, claude.added_at) == ("claude", TABLE, NOW)
    assert local.table == {"id": "local", "provider": "openai-compatible", "base_url": "http://localhost:1"}


def test_no_secret_of_an_account_is_on_the_disk_in_clear_or_in_a_repr(book: AccountBook, tmp_path: Path) -> None:
    book.add_account(TABLE)
    assert not any(b"sk-secret" in path.read_bytes() for path in tmp_path.iterdir())
    assert "sk-secret" not in repr(book.added_accounts())
    assert TABLE["oauth"]["client_secret"] == "sk-secret-3", "the caller's table is the caller's"


def test_an_account_is_not_added_twice(book: AccountBook) -> None:
    book.add_account(TABLE)
    with pytest.raises(StoreError, match="account 'claude' was added before; remove it first"):
        book.add_account({**TABLE, "api_key": "other"})
    assert [account.table for account in book.added_accounts()] == [TABLE]


def test_a_removed_account_leaves_nothing_behind(book: AccountBook, server: Store) -> None:
    """One of the same id that is added later starts anew."""
    book.add_account(TABLE)
    book.disable("claude")
    book.sign_in(StoredToken("claude", "access", "refresh", NOW, "digest", NOW))
    server.tokens.begin_refresh("claude", NOW)
    assert book.remove_account("claude")
    assert not book.remove_account("claude")
    assert (book.added_accounts(), book.states(), book.tokens.tokens()) == ([], [], [])
    assert server.tokens.interrupted_refreshes() == []


def test_an_account_whose_key_is_lost_is_reported_and_not_overwritten(tmp_path: Path) -> None:
    """It comes back with the key."""
    first = opened(tmp_path)
    first.add_account(TABLE)
    first.close()
    other = {"GEPHYR_ENCRYPTION_KEY": "A" * 43 + "="}
    book = opened(tmp_path, other)
    assert (book.added_accounts(), book.unreadable_accounts()) == ([], ["claude"])
    with pytest.raises(StoreError, match="was added before"):
        book.add_account(TABLE)
    book.close()
    with structlog.testing.capture_logs() as logs:
        Store.open(tmp_path, clock=lambda: NOW, environ=other).close()
    assert [(entry["kind"], entry["accounts"]) for entry in logs] == [("account", ["claude"])]
    book = opened(tmp_path)
    assert [account.table for account in book.added_accounts()] == [TABLE]
    book.close()


# -- states ----------------------------------------------------------------------------------------------------


def test_the_operators_command_comes_before_what_the_gateway_found(tmp_path: Path) -> None:
    """Neither replaces the other, so that a changed credential does not undo a command."""
    digests = {"claude": "old"}
    for number in range(2):
        server = Store.open(tmp_path, clock=lambda: NOW, credential_digests=digests, environ={})
        if not number:
            server.accounts.disable("claude")
        server.save(AccountState("claude", "invalid_grant", NOW - 5))
        assert server.load_states() == [AccountState("claude", "operator", NOW)]
        server.close()
        digests["claude"] = "new"


def test_enabling_an_account_clears_whatever_took_it_out_of_service(tmp_path: Path) -> None:
    """The operator has mended it, or says so."""
    server = Store.open(tmp_path, clock=lambda: NOW, environ={})
    for account in "ab":
        server.save(AccountState(account, "invalid_grant", NOW))
    server.accounts.disable("a")
    server.close()
    book = opened(tmp_path)
    book.enable("a")
    book.enable("never heard of")
    assert book.states() == [AccountState("b", "invalid_grant", NOW)]
    assert book.states({"b": "another credential"}) == []
    book.close()


def test_what_the_gateway_puts_back_into_service_the_operators_command_keeps_out(tmp_path: Path) -> None:
    """Only a command undoes a command."""
    server = Store.open(tmp_path, clock=lambda: NOW, environ={})
    server.accounts.disable("a")
    server.save(AccountState("a", "", NOW))
    server.close()
    book = opened(tmp_path)
    assert book.states() == [AccountState("a", "operator", NOW)]
    book.close()


def test_a_fresh_sign_in_clears_what_was_found_with_the_old_token(tmp_path: Path) -> None:
    """But not the operator's command."""
    server = Store.open(tmp_path, clock=lambda: NOW, environ={})
    for account in "ab":
        server.save(AccountState(account, "invalid_grant", NOW))
    server.accounts.disable("b")
    server.close()
    book = opened(tmp_path)
    tokens = [StoredToken(account, "access", "refresh", NOW + 60, "digest", NOW) for account in "ab"]
    for token in tokens:
        book.sign_in(token)
    assert book.tokens.tokens() == tokens
    assert book.states() == [AccountState("b", "operator", NOW)]
    book.enable("b")
    assert book.states() == []
    book.sign_out("a")
    assert book.tokens.tokens() == tokens[1:]
    book.close()


# -- two processes ---------------------------------------------------------------------------------------------


def test_commands_of_several_processes_all_arrive(tmp_path: Path, server: Store) -> None:
    """While the server writes, too."""
    program = (
        "import sys\n"
        "from gephyr.runtime.account_book import AccountBook\n"
        "book = AccountBook.open(sys.argv[1], environ={})\n"
        "for n in range(20):\n"
        "    book.add_account({'id': f'{sys.argv[2]}-{n}', 'provider': 'openai', 'api_key': 'k'})\n"
        "    book.disable(f'{sys.argv[2]}-{n}')\n"
    )
    commands = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name]) for name in "ab"]
    number = 0
    while any(command.poll() is None for command in commands):
        server.save(Cooldown("a", f"model-{number}", "rate_limit", NOW + 60))
        number += 1
        server._writer.join(0.001)
    assert [command.returncode for command in commands] == [0, 0]
    names = sorted(f"{name}-{n}" for name in "ab" for n in range(20))
    assert sorted(account.account for account in server.accounts.added_accounts()) == names
    assert [state.account for state in server.load_states()] == names


def test_a_command_that_ends_leaves_the_servers_log_where_it_is(tmp_path: Path, server: Store) -> None:
    """What a server writes after it is seen by the next command, and would be there after a crash."""
    program = (
        "import sys\n"
        "from gephyr.runtime.account_book import AccountBook\n"
        "book = AccountBook.open(sys.argv[1], environ={})\n"
        "print(*[state.account for state in book.states()])\n"
        "book.close()\n"
    )
    seen = []
    for name in ("first", "second"):
        ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, stdout=subprocess.PIPE)
        seen.append(ended.stdout.split())
        server.accounts.disable(name)
    assert seen == [[], [b"first"]]


def test_a_command_leaves_a_corrupt_file_to_the_server(tmp_path: Path) -> None:
    """Which may have it open; setting it aside is for whoever has the directory for itself."""
    damage = b"garbage" * 1000
    (tmp_path / "gephyr.sqlite3").write_bytes(damage)
    with pytest.raises(StoreError, match=r"gephyr\.sqlite3: cannot open the store"):
        opened(tmp_path)
    assert (tmp_path / "gephyr.sqlite3").read_bytes() == damage
