"""Tokens at rest: sealed, there at the next start, and never lost without a word."""

import base64
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import pytest
import structlog

from gephyr.runtime.store import MemoryStore, Store, StoreError
from gephyr.runtime.store_tokens import StoredToken, TokenStore
from gephyr.runtime.token_encryption import Cipher, UnreadableSecretError, load_cipher
from gephyr_core.records import Binding

NOW = 1_800_000_000.0
KEY = base64.urlsafe_b64encode(bytes(range(200, 232))).decode()
OTHER_KEY = base64.urlsafe_b64encode(bytes(32)).decode()


def opened(directory: Path, key: str = KEY) -> Store:
    environ = {"GEPHYR_ENCRYPTION_KEY": key} if key else {}
    return Store.open(directory, clock=lambda: NOW, environ=environ)


def reopened(directory: Path, key: str = KEY) -> tuple[list[StoredToken], list[Mapping[str, object]]]:
    """The tokens that a new start finds, and what it logs."""
    with structlog.testing.capture_logs() as logs:
        store = opened(directory, key)
    found = store.tokens.tokens()
    store.close()
    return found, logs


def token(account: str = "a", number: int = 1, obtained_at: float = NOW) -> StoredToken:
    return StoredToken(account, f"access-{number}", f"refresh-{number}", NOW + 3600, "digest", obtained_at)


def with_kept(directory: Path, *tokens: StoredToken, key: str = KEY) -> None:
    store = opened(directory, key)
    for one in tokens:
        store.tokens.keep_token(one)
    store.close()


# -- the contract ----------------------------------------------------------------------------------------------


@pytest.fixture(params=["file", "memory"])
def tokens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TokenStore]:
    """Both kinds keep one contract."""
    store = opened(tmp_path) if request.param == "file" else MemoryStore()
    yield store.tokens
    store.close()


def test_the_newest_token_of_each_account_is_kept(tokens: TokenStore) -> None:
    for one in (token("b"), token("a", 1), token("a", 2)):
        tokens.keep_token(one)
    assert tokens.tokens() == [token("a", 2), token("b")]


def test_a_forgotten_token_is_gone(tokens: TokenStore) -> None:
    tokens.keep_token(token("a"))
    tokens.begin_refresh("a", NOW)
    tokens.forget_token("a")
    tokens.forget_token("unknown")
    assert (tokens.tokens(), tokens.interrupted_refreshes()) == ([], [])


def test_the_repr_of_a_token_does_not_show_it() -> None:
    assert "access-1" not in repr(token())
    assert "refresh-1" not in repr(token())


# -- at rest ---------------------------------------------------------------------------------------------------


def test_tokens_are_there_at_the_next_start_and_nowhere_in_clear(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.tokens.keep_token(token())
    assert not any(b"ccess-1" in path.read_bytes() for path in tmp_path.iterdir()), "nor in the write-ahead log"
    store.close()
    assert not any(b"efresh-1" in path.read_bytes() for path in tmp_path.iterdir())
    assert reopened(tmp_path) == ([token()], [])


def test_a_refresh_is_open_until_its_answer_is_kept_or_given_up(tmp_path: Path) -> None:
    """At the next start, open refreshes are those whose rotated tokens a crash may have lost."""
    store = opened(tmp_path)
    for account in "abc":
        store.tokens.begin_refresh(account, NOW)
    store.tokens.begin_refresh("a", NOW + 1)
    assert store.tokens.interrupted_refreshes() == ["a", "b", "c"]
    store.tokens.keep_token(token("a"))
    store.tokens.abandon_refresh("b")
    store.close()
    store = opened(tmp_path)
    assert store.tokens.interrupted_refreshes() == ["c"]
    assert store.tokens.tokens() == [token("a")]
    store.close()


def test_a_token_of_a_lost_key_is_reported_and_comes_back_with_the_key(tmp_path: Path) -> None:
    """It is set aside, and what is kept meanwhile does not overwrite it."""
    with_kept(tmp_path, token("a", 1), token("b", 1))
    found, logs = reopened(tmp_path, OTHER_KEY)
    assert found == []
    assert [(entry["log_level"], entry["kind"], entry["accounts"]) for entry in logs] == [
        ("error", "token", ["a", "b"])
    ]
    with_kept(tmp_path, token("a", 2, NOW + 1), key=OTHER_KEY)
    found, logs = reopened(tmp_path, OTHER_KEY)
    assert (found, [entry["accounts"] for entry in logs]) == ([token("a", 2, NOW + 1)], [["b"]])
    found, logs = reopened(tmp_path, KEY)
    assert found == [token("a", 1), token("b", 1)]
    assert [entry["accounts"] for entry in logs] == [["a"]], "of which a newer one stands under the other key"


def test_a_lost_key_file_is_made_anew_and_reported(tmp_path: Path) -> None:
    with_kept(tmp_path, token(), key="")
    kept = tmp_path / "token.key"
    kept.rename(tmp_path / "elsewhere")
    assert [entry["accounts"] for entry in reopened(tmp_path, "")[1]] == [["a"]]
    (tmp_path / "elsewhere").rename(kept)
    assert reopened(tmp_path, "") == ([token()], [])


def test_a_damaged_token_is_reported_and_set_aside(tmp_path: Path) -> None:
    """What is left of it stays for whoever wants to look, until it is forgotten."""
    with_kept(tmp_path, token("a", 1), token("b", 1))
    with sqlite3.connect(tmp_path / "gephyr.sqlite3") as database:
        database.execute("UPDATE tokens SET sealed = x'00' WHERE account = 'a'")
    database.close()
    found, logs = reopened(tmp_path)
    assert (found, [entry["accounts"] for entry in logs]) == ([token("b", 1)], [["a"]])
    with_kept(tmp_path, token("a", 2, NOW + 1))
    assert reopened(tmp_path) == ([token("a", 2, NOW + 1), token("b", 1)], [])
    with sqlite3.connect(tmp_path / "gephyr.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM tokens WHERE account = 'a'").fetchone() == (2,)
    database.close()


def test_a_token_does_not_pass_for_another_accounts(tmp_path: Path) -> None:
    """Whoever writes to the file without the key cannot swap them."""
    with_kept(tmp_path, token("a"), token("b"))
    with sqlite3.connect(tmp_path / "gephyr.sqlite3") as database:
        database.execute(
            "UPDATE tokens SET sealed = (SELECT sealed FROM tokens WHERE account = 'b') WHERE account = 'a'"
        )
    database.close()
    assert [one.account for one in reopened(tmp_path)[0]] == ["b"]


def test_tokens_are_kept_by_any_thread_while_the_writer_works(tmp_path: Path) -> None:
    """Neither waits long for the other, and both arrive."""
    store = opened(tmp_path)

    def work(account: str) -> None:
        for number in range(20):
            store.tokens.begin_refresh(account, NOW)
            store.tokens.keep_token(token(account, number))

    threads = [threading.Thread(target=work, args=(account,)) for account in "abc"]
    for thread in threads:
        thread.start()
    for number in range(3000):
        store.save(Binding(f"session-{number}", "a", NOW, NOW, NOW + 60))
    for thread in threads:
        thread.join(30)
    store.close()
    store = opened(tmp_path)
    assert store.tokens.tokens() == [token(account, 19) for account in "abc"]
    assert len(store.load_bindings(NOW)) == 3000
    store.close()


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The note of the refresh stays as long as its token is not on the disk."""
    store = opened(tmp_path)
    store.tokens.begin_refresh("a", NOW)
    with pytest.raises(sqlite3.IntegrityError):
        store.tokens.keep_token(attrs.evolve(token(), expires_at=None))  # type: ignore[arg-type]
    assert store.tokens.interrupted_refreshes() == ["a"]
    store.tokens.keep_token(token())
    store.close()


# -- the key ---------------------------------------------------------------------------------------------------


def test_the_key_file_is_made_at_the_first_start_for_its_owner_only(tmp_path: Path) -> None:
    with_kept(tmp_path, token(), key="")
    file = tmp_path / "token.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(base64.urlsafe_b64decode(file.read_bytes())) == 32
    before = file.read_bytes()
    assert reopened(tmp_path, "") == ([token()], [])
    assert file.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"token.key", "gephyr.lock", "gephyr.sqlite3"}


def test_no_key_file_is_made_where_the_environment_gives_the_key(tmp_path: Path) -> None:
    with_kept(tmp_path, token())
    assert not (tmp_path / "token.key").exists()


@pytest.mark.parametrize("key", ["secret", KEY[:-4], KEY + "AAAA", "!" + KEY[1:], "\u00e9" * 44])
def test_a_wrong_key_is_refused_by_the_variables_name(tmp_path: Path, key: str) -> None:
    """And is not quoted."""
    with pytest.raises(StoreError, match=r"GEPHYR_ENCRYPTION_KEY: expected a key of 32 bytes") as caught:
        opened(tmp_path, key)
    assert key not in str(caught.value)
    opened(tmp_path).close()


def test_both_alphabets_of_base64_are_read(tmp_path: Path) -> None:
    """``openssl rand -base64 32`` makes a key, too."""
    key = bytes(range(224, 256))
    for text in (base64.b64encode(key), base64.urlsafe_b64encode(key) + b"\n"):
        assert load_cipher(tmp_path, {"GEPHYR_ENCRYPTION_KEY": text.decode()}).key_id == Cipher(key).key_id


def test_a_key_file_that_holds_none_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "token.key").write_text("not a key")
    with pytest.raises(StoreError, match=r"token\.key: expected a key"):
        opened(tmp_path, "")
    assert (tmp_path / "token.key").read_text() == "not a key"


def test_a_key_file_that_others_may_read_is_told_of(tmp_path: Path) -> None:
    opened(tmp_path, "").close()
    (tmp_path / "token.key").chmod(0o640)
    assert [(entry["log_level"], entry["file"]) for entry in reopened(tmp_path, "")[1]] == [
        ("warning", str(tmp_path / "token.key"))
    ]


def test_two_processes_that_start_together_agree_on_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second does not put its own in place of the first's."""
    link, first = os.link, []

    def slower(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        first.append(load_cipher(tmp_path, {}).key_id)
        link(source, target)

    monkeypatch.setattr(os, "link", slower)
    assert [load_cipher(tmp_path, {}).key_id] == first
    assert [path.name for path in tmp_path.iterdir()] == ["token.key"]


def test_what_was_sealed_can_be_read_for_its_purpose_alone() -> None:
    cipher = Cipher(bytes(32))
    sealed = cipher.seal(b"secret", "one")
    assert b"secret" not in sealed
    assert cipher.unseal(sealed, "one") == b"secret"
    assert cipher.seal(b"secret", "one") != sealed
    reads: list[Callable[[], bytes]] = [
        lambda: cipher.unseal(sealed, "other"),
        lambda: Cipher(bytes([1]) * 32).unseal(sealed, "one"),
        lambda: cipher.unseal(sealed[:-1], "one"),
        lambda: cipher.unseal(b"", "one"),
    ]
    for read in reads:
        with pytest.raises(UnreadableSecretError):
            read()
