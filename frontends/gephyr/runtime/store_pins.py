"""The table of pins: which account made an object."""

import sqlite3
from collections.abc import Sequence

from gephyr_core.pins import LIFETIME
from gephyr_core.records import Pin

MOST_PINS = 200_000
"""As many as the core keeps."""
_SAVE = (
    "INSERT OR REPLACE INTO pins (owner, object_id, account, organization, expires_at, upstream_id)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


def save_pins(database: sqlite3.Connection, pins: Sequence[Pin]) -> None:
    """Write the pins in their order; one saved again becomes the newest."""
    rows = [(p.owner, p.object_id, p.account, p.organization, p.expires_at, p.upstream_id) for p in pins]
    database.executemany(_SAVE, rows)


def load_pins(database: sqlite3.Connection, now: float) -> list[Pin]:
    """Return the pins, the oldest first. A time further ahead than a pin's whole lifetime was written under a wrong
    clock; it is clamped."""
    rows = database.execute(
        "SELECT owner, object_id, account, organization, min(expires_at, ?), upstream_id FROM pins ORDER BY seq",
        (now + LIFETIME,),
    )
    return [Pin(*row) for row in rows]


def prune_pins(database: sqlite3.Connection, now: float) -> None:
    """Delete those that have expired, and the oldest where there are too many."""
    database.execute("DELETE FROM pins WHERE expires_at <= ?", (now,))
    database.execute("DELETE FROM pins WHERE seq <= (SELECT max(seq) FROM pins) - ?", (MOST_PINS,))
