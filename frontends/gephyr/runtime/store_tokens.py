"""The OAuth tokens of a store: sealed, each change on the disk before it is told of."""

import sqlite3
from typing import Protocol

import attrs
import msgspec

from gephyr.runtime.store_durable import DurableDatabase
from gephyr.runtime.token_encryption import Cipher, UnreadableSecretError


@attrs.frozen
class StoredToken:
    """What a token endpoint gave an account last."""

    account: str
    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    """Empty where there is none."""
    expires_at: float
    """Of the access token, seconds since the epoch."""
    configured: str
    """Digest of the configured credential that it descends from. While the account's is the same, the stored token is
    the one that counts; once it differs, the operator has given a new one."""
    obtained_at: float
    """Seconds since the epoch."""


class TokenStore(Protocol):
    """Where tokens are kept. Its methods block, for a disk; any thread may call them.

    All raise ``sqlite3.Error`` when the disk fails, and nothing has changed then. Call :meth:`begin_refresh` before a
    refresh token is sent, and one of :meth:`keep_token` and :meth:`abandon_refresh` when the endpoint has answered.
    """

    def tokens(self) -> list[StoredToken]:
        """Return the tokens that can be read, by account."""

    def begin_refresh(self, account: str, now: float) -> None:
        """Note that the account's refresh token is about to be used, and may be void from now on."""

    def keep_token(self, token: StoredToken) -> None:
        """Keep a token in place of the account's older one; its refresh is over."""

    def abandon_refresh(self, account: str) -> None:
        """Note that a refresh is over without a new token: the old refresh token still counts, or none does."""

    def interrupted_refreshes(self) -> list[str]:
        """Return the accounts whose refresh was begun and is not over. At start: those that a crash interrupted."""

    def forget_token(self, account: str) -> None:
        """Remove all that is kept of the account's tokens, what cannot be read included."""


class StoredTokens:
    """The :class:`TokenStore` of a data directory.

    A token that cannot be read is never overwritten: one that another key sealed stays in a row of its own until that
    key is back, and a damaged one is set aside when the next is kept.
    """

    def __init__(self, database: DurableDatabase, cipher: Cipher) -> None:
        """*database* is the caller's to close."""
        self._database = database
        self._cipher = cipher

    def tokens(self) -> list[StoredToken]:
        """Return the tokens that can be read, by account."""
        return self._sorted_out()[0]

    def unreadable(self) -> list[str]:
        """Return the accounts whose newest token cannot be read: its key is missing, or it was damaged."""
        return self._sorted_out()[1]

    def begin_refresh(self, account: str, now: float) -> None:
        """Note that the account's refresh token is about to be used, and may be void from now on."""
        with self._database.transaction() as database:
            database.execute("INSERT OR REPLACE INTO refreshes (account, begun_at) VALUES (?, ?)", (account, now))

    def keep_token(self, token: StoredToken) -> None:
        """Keep a token in place of the account's older one; its refresh is over."""
        with self._database.transaction() as database:
            write_token(database, self._cipher, token)

    def abandon_refresh(self, account: str) -> None:
        """Note that a refresh is over without a new token: the old refresh token still counts, or none does."""
        with self._database.transaction() as database:
            database.execute("DELETE FROM refreshes WHERE account = ?", (account,))

    def interrupted_refreshes(self) -> list[str]:
        """Return the accounts whose refresh was begun and is not over. At start: those that a crash interrupted."""
        with self._database.reading() as database:
            return [account for (account,) in database.execute("SELECT account FROM refreshes ORDER BY account")]

    def forget_token(self, account: str) -> None:
        """Remove all that is kept of the account's tokens, what cannot be read included."""
        with self._database.transaction() as database:
            delete_tokens(database, account)

    def _sorted_out(self) -> tuple[list[StoredToken], list[str]]:
        """Return the tokens that can be read, and the accounts of which the newest cannot."""
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT account, key_id, sealed, expires_at, configured, obtained_at FROM tokens"
                " ORDER BY account, obtained_at"
            ).fetchall()
        tokens: dict[str, StoredToken] = {}
        unreadable: dict[str, bool] = {}
        for account, key_id, sealed, expires_at, configured, obtained_at in rows:
            secrets = unsealed(self._cipher, account, key_id, sealed)
            unreadable[account] = secrets is None
            if secrets is not None:
                tokens[account] = StoredToken(account, *secrets, expires_at, configured, obtained_at)
        return list(tokens.values()), [account for account, is_unreadable in unreadable.items() if is_unreadable]


def unsealed(cipher: Cipher, account: str, key_id: str, sealed: bytes) -> tuple[str, str] | None:
    """Return access and refresh token of a row; None where another key sealed them, or they were damaged."""
    if key_id != cipher.key_id:
        return None
    try:
        return _unseal(cipher, account, sealed)
    except UnreadableSecretError:
        return None


def write_token(database: sqlite3.Connection, cipher: Cipher, token: StoredToken) -> None:
    """Write a token within a transaction, set a damaged one aside, and remove the note of a refresh."""
    place = (token.account, cipher.key_id)
    row = database.execute("SELECT sealed FROM tokens WHERE account = ? AND key_id = ?", place).fetchone()
    if row is not None and unsealed(cipher, *place, row[0]) is None:
        database.execute(
            "UPDATE tokens SET key_id = key_id || ' damaged, replaced at ' || ? WHERE account = ? AND key_id = ?",
            (token.obtained_at, *place),
        )
    secret = msgspec.json.encode((token.access_token, token.refresh_token))
    database.execute(
        "INSERT OR REPLACE INTO tokens (account, key_id, sealed, expires_at, configured, obtained_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (*place, cipher.seal(secret, _purpose(token.account)), token.expires_at, token.configured, token.obtained_at),
    )
    database.execute("DELETE FROM refreshes WHERE account = ?", (token.account,))


def delete_tokens(database: sqlite3.Connection, account: str) -> None:
    """Remove an account's tokens, and the note of a refresh, within a transaction."""
    database.execute("DELETE FROM tokens WHERE account = ?", (account,))
    database.execute("DELETE FROM refreshes WHERE account = ?", (account,))


def _purpose(account: str) -> str:
    return f"token of {account}"


def _unseal(cipher: Cipher, account: str, sealed: bytes) -> tuple[str, str]:
    return msgspec.json.decode(cipher.unseal(sealed, _purpose(account)), type=tuple[str, str])
