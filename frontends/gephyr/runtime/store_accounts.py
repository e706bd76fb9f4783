"""The tables of what is known of accounts: which are out of service, and when a provider said to come back."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import attrs

from gephyr_core.records import AccountState, Cooldown

OPERATOR = "operator"
"""Why an account is disabled that the operator took out of service. No change of its credential puts it back."""
MOST_COOLDOWNS = 100_000
"""Those that last longest are kept. Names of models are the clients' to choose."""
_LONGEST_COOLDOWN = 31 * 86400.0
"""Seconds: a monthly quota's. One without an end (``inf``) stays so."""


@attrs.frozen
class FoundState:
    """A state of an account, and the credential it was found with."""

    state: AccountState
    credential: str
    """Its digest; empty where it is not known."""


def save_states(database: sqlite3.Connection, found: Sequence[FoundState]) -> None:
    """Write what the gateway found; one that is not disabled is deleted. What the operator commanded stays."""
    for item in found:
        state = item.state
        if state.disabled:
            database.execute(
                "INSERT OR REPLACE INTO account_states (account, by_command, disabled, since, credential)"
                " VALUES (?, 0, ?, ?, ?)",
                (state.account, state.disabled, state.since, item.credential),
            )
        else:
            database.execute("DELETE FROM account_states WHERE account = ? AND NOT by_command", (state.account,))


def load_states(
    database: sqlite3.Connection, digests: Mapping[str, str], now: float, unwritten: Iterable[FoundState] = ()
) -> list[AccountState]:
    """Return the state of each account that is out of service, by account; the operator's command before the rest.

    *unwritten* replaces what is in the table. A state that was found with another credential than the account's
    present one, by *digests* (account to digest), is left out.
    """
    rows = database.execute(
        "SELECT account, by_command, disabled, min(since, ?), credential FROM account_states", (now,)
    )
    commanded: dict[str, AccountState] = {}
    found: dict[str, FoundState] = {}
    for account, by_command, disabled, since, credential in rows:
        state = AccountState(account, disabled, since)
        if by_command:
            if disabled:
                commanded[account] = state
        else:
            found[account] = FoundState(state, credential)
    found.update((item.state.account, item) for item in unwritten)
    valid = {account: item.state for account, item in found.items() if item.state.disabled and _holds(item, digests)}
    return [state for _, state in sorted((valid | commanded).items())]


def load_enabled(database: sqlite3.Connection, now: float) -> list[AccountState]:
    """Return the accounts that the operator put back into service, each with the time of the latest command: what was
    said against them before does not hold."""
    rows = database.execute(
        "SELECT account, min(since, ?) FROM account_states WHERE by_command AND disabled = '' ORDER BY account", (now,)
    )
    return [AccountState(account, "", since) for account, since in rows]


def prune_states(database: sqlite3.Connection, digests: Mapping[str, str]) -> None:
    """Delete the states that :func:`load_states` leaves out for good: their accounts have other credentials now."""
    rows = database.execute("SELECT account, disabled, since, credential FROM account_states WHERE NOT by_command")
    gone = [row[0] for row in rows if not _holds(FoundState(AccountState(*row[:3]), row[3]), digests)]
    database.executemany(
        "DELETE FROM account_states WHERE account = ? AND NOT by_command", [(account,) for account in gone]
    )


def _holds(found: FoundState, digests: Mapping[str, str]) -> bool:
    """Whether the state still says something of the account as it is configured; one that is not keeps its state."""
    state = found.state
    return state.disabled == OPERATOR or digests.get(state.account, found.credential) == found.credential


def save_cooldowns(database: sqlite3.Connection, cooldowns: Sequence[Cooldown], now: float) -> None:
    """Write the cooldowns; one that is over is deleted."""
    database.executemany(
        "INSERT OR REPLACE INTO cooldowns (scope, model, kind, until) VALUES (?, ?, ?, ?)",
        [(c.scope, c.model, c.kind, c.until) for c in cooldowns if c.until > now],
    )
    database.executemany(
        "DELETE FROM cooldowns WHERE scope = ? AND model = ?", [(c.scope, c.model) for c in cooldowns if c.until <= now]
    )


def load_cooldowns(database: sqlite3.Connection, now: float) -> list[Cooldown]:
    """Return the cooldowns; one that would end later than any quota resets was written under a wrong clock."""
    rows = database.execute("SELECT scope, model, kind, until FROM cooldowns ORDER BY scope, model")
    latest = now + _LONGEST_COOLDOWN
    return [
        Cooldown(scope, model, kind, until if until == float("inf") else min(until, latest))
        for scope, model, kind, until in rows
    ]


def prune_cooldowns(database: sqlite3.Connection, now: float) -> None:
    """Delete those that are over, and the shortest where there are too many."""
    database.execute("DELETE FROM cooldowns WHERE until <= ?", (now,))
    database.execute(
        "DELETE FROM cooldowns WHERE (scope, model) IN"
        " (SELECT scope, model FROM cooldowns ORDER BY until DESC, scope, model LIMIT -1 OFFSET ?)",
        (MOST_COOLDOWNS,),
    )


def command_state(database: sqlite3.Connection, state: AccountState) -> None:
    """Write what the operator commanded. An account put back into service is so whatever it was out of it for."""
    if not state.disabled:
        forget_state(database, state.account)
    database.execute(
        "INSERT OR REPLACE INTO account_states (account, by_command, disabled, since, credential)"
        " VALUES (?, 1, ?, ?, '')",
        (state.account, state.disabled, state.since),
    )


def forget_state(database: sqlite3.Connection, account: str) -> None:
    """Delete all that is known of an account's state."""
    database.execute("DELETE FROM account_states WHERE account = ?", (account,))


def count_change(database: sqlite3.Connection) -> None:
    """Count a change that was made by command, for a server that watches."""
    database.execute(
        "INSERT INTO meta VALUES ('account_changes', '1') ON CONFLICT (key) DO UPDATE SET value = value + 1"
    )


def changes(database: sqlite3.Connection) -> int:
    """Return how many changes were made by command, ever."""
    row = database.execute("SELECT value FROM meta WHERE key = 'account_changes'").fetchone()
    return 0 if row is None else int(row[0])
