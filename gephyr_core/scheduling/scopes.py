"""Scopes: what a request has to fit in before an account is called for it.

They are values, without a reference to anything that changes.
"""

import enum

import msgspec

ALL = "*"
"""Key of what all accounts share."""


class Kind(enum.Enum):
    """What a scope counts or holds."""

    WINDOW = "window"
    """What begins in any sixty seconds."""
    GAUGE = "gauge"
    """What is under way at a time."""
    COOLDOWN = "cooldown"
    """Until when to stay away, for a model or for every one."""
    QUOTA = "quota"
    """What the provider says is left."""


class Cost(enum.Enum):
    """What a claim costs in a scope."""

    ONE = "one"
    TOKENS = "tokens"
    """The claim's tokens."""
    NOTHING = "nothing"


class Scope(msgspec.Struct, frozen=True):
    """A limit or a state that a claim has to fit in: a window, a gauge, a cooldown, a quota."""

    key: str
    """An account's id, an organisation's, or :data:`ALL`. Claims with the same key, kind and cost meet in one place."""
    kind: Kind
    cost: Cost = Cost.NOTHING
    limit: int | None = None
    """How much fits; None: it is counted, and not limited."""
    per_model: bool = False
    """It counts each model alone."""


class Candidate(msgspec.Struct, frozen=True):
    """An account that may serve a request. Made once for each account."""

    account: str
    """The account's id."""
    scopes: tuple[Scope, ...]
