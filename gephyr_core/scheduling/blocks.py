"""Why an account cannot take a request now, and until when."""

import enum
import math
from typing import NamedTuple

from gephyr_core.errors import ErrorKind


class Nature(enum.Enum):
    """The kind of a block. It decides who may overrule the block."""

    STATED = "stated"
    """The provider said when to come back, or the operator did. Nobody overrules it."""
    ESTIMATED = "estimated"
    """Gephyr's own guess. Most guesses yield when no other account is left (``Block.yields``)."""
    ROOM = "room"
    """The account's own limits are used up, or its token is on the way: it is waited for."""
    OUT = "out"
    """Out of service: only the operator brings it back."""


class Block(NamedTuple):
    """A reason why an account cannot take a request now."""

    until: float
    """Seconds since the epoch; ``math.inf`` where no time ends it."""
    nature: Nature
    reason: str
    """For the operator and the client: a word or two."""
    kind: ErrorKind | None = None
    """What the provider's refusal was, where one is behind it."""
    sized: bool = False
    """It blocks this request for its size. A smaller one may pass."""
    eases_at: float = math.inf
    """When a smaller request may pass, where that is before *until*."""
    yields: bool = False
    """The optimistic reset may clear it, when no other account is left."""

    @property
    def look_at(self) -> float:
        """When the account is worth another look."""
        return min(self.until, self.eases_at)

    @property
    def limits(self) -> bool:
        """Whether it is a limit on requests or tokens, the provider's or our own, that time alone lifts."""
        return self.kind is ErrorKind.RATE_LIMIT or (self.nature is Nature.ROOM and self.until < math.inf)
