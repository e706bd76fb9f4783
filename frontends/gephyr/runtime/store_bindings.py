"""The table of bindings: which account a session keeps."""

import sqlite3
from collections.abc import Sequence

from gephyr_core.records import Binding

MOST_BINDINGS = 200_000
"""Those used last are kept."""
_LONGEST_IDLE = 30 * 86400.0
"""Seconds: the most that ``scheduling.binding_idle_seconds`` may be."""


def save_bindings(database: sqlite3.Connection, bindings: Sequence[Binding], now: float) -> None:
    """Write the bindings; one that has expired is deleted."""
    database.executemany(
        "INSERT OR REPLACE INTO bindings (session, account, bound_at, used_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        [(b.session, b.account, b.bound_at, b.used_at, b.expires_at) for b in bindings if b.expires_at > now],
    )
    database.executemany(
        "DELETE FROM bindings WHERE session = ?", [(b.session,) for b in bindings if b.expires_at <= now]
    )


def load_bindings(database: sqlite3.Connection, now: float) -> list[Binding]:
    """Return the bindings, the longest unused first.

    Times that lie ahead were written under a wrong clock: a binding is never used later than *now*, nor kept for longer
    than it was to be kept from its last use on.
    """
    rows = database.execute(
        "SELECT session, account, min(bound_at, :now), min(used_at, :now),"
        " min(expires_at, :now + min(expires_at - used_at, :longest))"
        " FROM bindings ORDER BY used_at, session",
        {"now": now, "longest": _LONGEST_IDLE},
    )
    return [Binding(*row) for row in rows]


def prune_bindings(database: sqlite3.Connection, now: float) -> None:
    """Delete those that have expired, and the longest unused where there are too many."""
    database.execute("DELETE FROM bindings WHERE expires_at <= ?", (now,))
    database.execute(
        "DELETE FROM bindings WHERE session IN"
        " (SELECT session FROM bindings ORDER BY used_at DESC, session DESC LIMIT -1 OFFSET ?)",
        (MOST_BINDINGS,),
    )
