"""The accounts that commands manage: added, removed, signed in, taken out of service. Safe while a server runs."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import msgspec

from gephyr.runtime.store_accounts import (
    OPERATOR,
    command_state,
    count_change,
    forget_state,
    load_cooldowns,
    load_enabled,
    load_states,
)
from gephyr.runtime.store_durable import DurableDatabase
from gephyr.runtime.store_file import FILE_NAME, StoreError, prepare_directory
from gephyr.runtime.store_salvage import Salvage
from gephyr.runtime.store_tokens import StoredToken, StoredTokens, delete_tokens, unsealed, write_token
from gephyr.runtime.token_encryption import Cipher, UnreadableSecretError, load_cipher
from gephyr_core.records import AccountState, Cooldown

_SECRETS = (("api_key",), ("proxy",), ("service_account",), ("oauth", "client_secret"), ("oauth", "refresh_token"))
"""The settings of an account that hold secrets; a proxy's URL may hold a password."""


@attrs.frozen
class AddedAccount:
    """An account that was added by command."""

    account: str
    """Its id."""
    table: Mapping[str, Any] = attrs.field(repr=False)
    """What would stand in ``[[accounts]]`` in its place, secrets included."""
    added_at: float
    """Seconds since the epoch."""


@attrs.frozen
class Readable:
    """What of a damaged file can be read with the present key, the oldest first."""

    accounts: tuple[AddedAccount, ...]
    tokens: tuple[StoredToken, ...]
    """The newest of each account that can be read."""
    disabled: tuple[AccountState, ...]
    """By the operator's command."""
    unreadable_accounts: tuple[str, ...]
    """Sealed with another key, or damaged."""
    unreadable_tokens: tuple[str, ...]
    """Accounts, likewise."""


class AccountBook:
    """What commands change of accounts. Each change is on the disk when its method returns, and a server that uses the
    directory learns of it (:mod:`gephyr.runtime.account_watch`).

    The methods block; any thread may call them. They raise ``sqlite3.Error`` when the disk fails, or is busy for too
    long, and nothing has changed then.
    """

    def __init__(self, database: DurableDatabase, cipher: Cipher, clock: Callable[[], float]) -> None:
        """Use :meth:`open`, or ``Store.accounts`` in a process that serves."""
        self._database = database
        self.cipher = cipher
        """What seals the directory's secrets."""
        self._clock = clock
        self.tokens = StoredTokens(database, cipher)
        """The accounts' tokens, for whoever refreshes them. A server learns of :meth:`sign_in` only."""

    @classmethod
    def open(
        cls, directory: str | Path, *, clock: Callable[[], float] = time.time, environ: Mapping[str, str] = os.environ
    ) -> "AccountBook":
        """Open the book of a data directory, which is made if absent. A server may run on it.

        *clock* gives seconds since the epoch. Raises ``StoreError`` when the directory, the file or the encryption key
        cannot be used.
        """
        path = Path(directory).expanduser()
        prepare_directory(path)
        cipher = load_cipher(path, environ)
        return cls(DurableDatabase(path / FILE_NAME), cipher, clock)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    # -- accounts -------------------------------------------------------------------------------------------------

    def added_accounts(self) -> list[AddedAccount]:
        """Return the accounts that were added, the oldest first, but for those whose secrets cannot be read."""
        return [account for account in self._read_accounts().values() if account is not None]

    def unreadable_accounts(self) -> list[str]:
        """Return the accounts whose secrets cannot be read: their key is missing, or they were damaged."""
        return [name for name, account in self._read_accounts().items() if account is None]

    def add_account(self, table: Mapping[str, Any]) -> None:
        """Add the account that *table* describes, as ``[[accounts]]`` would; its secrets are sealed.

        Raises ``StoreError`` where one of this id was added before, readable or not.
        """
        account = str(table["id"])
        settings, secrets = _parted(table)
        sealed = self.cipher.seal(msgspec.json.encode(secrets), _purpose(account))
        with self._database.transaction() as database:
            if database.execute("SELECT 1 FROM added_accounts WHERE account = ?", (account,)).fetchone():
                raise StoreError(f"account {account!r} was added before; remove it first")
            database.execute(
                "INSERT INTO added_accounts (account, settings, sealed, added_at) VALUES (?, ?, ?, ?)",
                (account, msgspec.json.encode(settings), sealed, self._clock()),
            )
            count_change(database)

    def remove_account(self, account: str) -> bool:
        """Remove an account that was added, with its tokens and its state; return whether there was one."""
        with self._database.transaction() as database:
            if not database.execute("DELETE FROM added_accounts WHERE account = ?", (account,)).rowcount:
                return False
            delete_tokens(database, account)
            forget_state(database, account)
            database.execute("DELETE FROM cooldowns WHERE scope = ?", (account,))
            count_change(database)
            return True

    # -- their states ---------------------------------------------------------------------------------------------

    def states(self, credential_digests: Mapping[str, str] = MappingProxyType({})) -> list[AccountState]:
        """Return the accounts that are out of service. A state found with another credential than the one that
        *credential_digests* (account to digest) gives is left out."""
        with self._database.reading() as database:
            return load_states(database, credential_digests, self._clock())

    def enabled(self) -> list[AccountState]:
        """Return the accounts that the operator put back into service, each with the time of the latest command."""
        with self._database.reading() as database:
            return load_enabled(database, self._clock())

    def cooldowns(self) -> list[Cooldown]:
        """Return when providers said to come back, as far as a server has written it down."""
        now = self._clock()
        with self._database.reading() as database:
            return [cooldown for cooldown in load_cooldowns(database, now) if cooldown.until > now]

    def disable(self, account: str) -> None:
        """Take an account, added or configured, out of service by the operator's command."""
        self._command(AccountState(account, OPERATOR, self._clock()))

    def enable(self, account: str, scopes: Sequence[str] = ()) -> None:
        """Put an account back into service, for whatever reason it was out of it.

        *scopes*: where providers' limits for it are kept, as in ``Cooldown.scope``; its own where none is given. A
        server that runs forgets them by itself, and one that starts later must not find them.
        """
        self._command(AccountState(account, "", self._clock()), scopes or (account,))

    def _command(self, state: AccountState, scopes: Sequence[str] = ()) -> None:
        with self._database.transaction() as database:
            command_state(database, state)
            database.executemany("DELETE FROM cooldowns WHERE scope = ?", [(scope,) for scope in scopes])
            count_change(database)

    # -- their tokens ---------------------------------------------------------------------------------------------

    def sign_in(self, token: StoredToken) -> None:
        """Keep the token of a fresh sign-in. What was found with the old one does not hold any more."""
        with self._database.transaction() as database:
            write_token(database, self.cipher, token)
            database.execute("DELETE FROM account_states WHERE account = ? AND NOT by_command", (token.account,))
            count_change(database)

    def sign_out(self, account: str) -> None:
        """Remove all that is kept of an account's tokens."""
        with self._database.transaction() as database:
            delete_tokens(database, account)
            count_change(database)

    def _read_accounts(self) -> dict[str, AddedAccount | None]:
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT account, settings, sealed, added_at FROM added_accounts ORDER BY added_at, account"
            ).fetchall()
        return {row[0]: self._read_account(*row) for row in rows}

    def _read_account(self, account: str, settings: bytes, sealed: bytes, added_at: float) -> AddedAccount | None:
        try:
            secrets = msgspec.json.decode(self.cipher.unseal(sealed, _purpose(account)), type=dict[str, str])
            return AddedAccount(account, _joined(msgspec.json.decode(settings), secrets), added_at)
        except (UnreadableSecretError, msgspec.DecodeError):
            return None

    # -- what a damaged file still holds --------------------------------------------------------------------------

    def read(self, found: Salvage) -> Readable:
        """Unseal what was found in a damaged file."""
        accounts = {row.account: self._read_account(*attrs.astuple(row)) for row in found.accounts}
        tokens: dict[str, StoredToken] = {}
        for row in found.tokens:
            secrets = unsealed(self.cipher, row.account, row.key_id, row.sealed)
            if secrets is not None:
                tokens[row.account] = StoredToken(
                    row.account, *secrets, row.expires_at, row.configured, row.obtained_at
                )
        return Readable(
            accounts=tuple(account for account in accounts.values() if account is not None),
            tokens=tuple(tokens.values()),
            disabled=tuple(AccountState(row.account, row.disabled, row.since) for row in found.states if row.disabled),
            unreadable_accounts=(*(name for name, read in accounts.items() if read is None), *found.lost_accounts),
            unreadable_tokens=tuple(
                name
                for name in dict.fromkeys([*(row.account for row in found.tokens), *found.lost_tokens])
                if name not in tokens
            ),
        )

    def recover_token(self, token: StoredToken) -> bool:
        """Keep a token of an older file, unless there is one that is as new; return whether it was kept.

        What was found out meanwhile without it (``invalid_grant``, of an older token) does not hold any more.
        """
        with self._database.transaction() as database:
            (newest,) = database.execute(
                "SELECT max(obtained_at) FROM tokens WHERE account = ?", (token.account,)
            ).fetchone()
            if newest is not None and newest >= token.obtained_at:
                return False
            write_token(database, self.cipher, token)
            database.execute("DELETE FROM account_states WHERE account = ? AND NOT by_command", (token.account,))
            count_change(database)
            return True

    def recover_disabled(self, state: AccountState) -> bool:
        """Take an account out of service as in an older file, unless the operator has decided since; return whether it
        was done."""
        with self._database.transaction() as database:
            row = (state.account,)
            if database.execute("SELECT 1 FROM account_states WHERE account = ? AND by_command", row).fetchone():
                return False
            command_state(database, state)
            count_change(database)
            return True


def _purpose(account: str) -> str:
    return f"account {account}"


def _parted(table: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings of an account without its secrets, and these by their place (``oauth.refresh_token``)."""
    settings, secrets = dict(table), {}
    if isinstance(settings.get("oauth"), Mapping):
        settings["oauth"] = dict(settings["oauth"])
    for path in _SECRETS:
        home = settings if len(path) == 1 else settings.get(path[0], {})
        if path[-1] in home:
            secrets[".".join(path)] = home.pop(path[-1])
    return settings, secrets


def _joined(settings: dict[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
    for place, secret in secrets.items():
        first, _, rest = place.partition(".")
        if rest:
            settings[first][rest] = secret
        else:
            settings[first] = secret
    return settings
