"""Views: the ledger's books for an account, and for the organisation whose quota it shares.

The choice of an account and the score read them. Only the ledger writes them: nothing else adds to a window, counts a
request in flight, makes or ends a cooldown, or records a remaining quota.
"""

import math

import attrs

from gephyr_core.errors import ErrorKind
from gephyr_core.scheduling.blocks import Block, Nature
from gephyr_core.scheduling.cooldowns import Cooldowns
from gephyr_core.scheduling.health import Remaining
from gephyr_core.scheduling.scopes import Candidate
from gephyr_core.scheduling.windows import RequestWindow, TokenWindow

_MOST_MODELS = 512
"""Models whose remaining quota is known, of one organisation."""


@attrs.define(eq=False)
class Organization:
    """Accounts that share a provider's quota. Each account belongs to one, often to one of its own."""

    id: str
    """``PROVIDER:ORGANIZATION``, or the id of the one account."""
    cooldowns: Cooldowns = attrs.field(factory=Cooldowns)
    remaining: dict[str, Remaining] = attrs.field(factory=dict)
    """By model; the empty name where the provider counts all models together."""
    members: list[str] = attrs.field(factory=list)
    """Ids of its accounts."""

    def remaining_of(self, model: str) -> Remaining:
        """Return the record of a model's quota. Makes one if there is none."""
        known = self.remaining.get(model)
        if known is None:
            if len(self.remaining) >= _MOST_MODELS:
                self.remaining.pop(next(iter(self.remaining)))
            known = self.remaining[model] = Remaining()
        return known


@attrs.define(eq=False)
class View:
    """The books of one account. The view stays the same object when the operator changes the account.

    The ledger that opens it sets the limits.
    """

    candidate: Candidate
    """The account as claims name it."""
    organization: Organization
    requests: RequestWindow | None
    """Requests of the last minute, where they are limited."""
    tokens: TokenWindow | None
    """Tokens of the last minute, where they are limited."""
    most_in_flight: int | None = attrs.field(init=False)
    """Requests it may serve at a time; None: any number."""
    per_model: bool = attrs.field(init=False)
    """Its provider's limits are each for one model."""
    in_flight: int = 0
    """Requests that it serves now."""
    last_claim: int = 0
    """Number of the latest claim granted on it: among equals, the one idle for longest is next."""
    cooldowns: Cooldowns = attrs.field(factory=Cooldowns)
    """Its own; those of its organisation are the organisation's."""

    @property
    def account(self) -> str:
        """The account's id."""
        return self.candidate.account

    def scope(self, model: str) -> str:
        """Return the model that a limit on *model* is for: empty if the provider counts all models together."""
        return model if self.per_model else ""

    def remaining(self, model: str) -> Remaining | None:
        """Return the remaining quota that *model* counts in, or None if the provider reported none."""
        return self.organization.remaining.get(model if self.per_model else "")

    def block(self, model: str, tokens: int, now: float) -> Block | None:
        """Return the block on a claim for *model* that may spend *tokens*, or None if the ledger would grant it."""
        own, shared = self.cooldowns, self.organization.cooldowns
        if own.stated or own.estimates or shared.stated or shared.estimates:
            block = self._cooling(model, now)
            if block is not None:
                return block
        most = self.most_in_flight
        if most is not None and self.in_flight >= most:
            return Block(math.inf, Nature.ROOM, "busy")
        if self.requests is not None and self.requests.opens_at() > now:
            return self.paced(now)
        if self.tokens is not None:
            block = self.spent(tokens, now)
            if block is not None:
                return block
        return self._exhausted(model, tokens, now) if self.organization.remaining else None

    def stated(self, model: str, now: float) -> Block | None:
        """Return the cooldown for *model* that the provider or the operator stated, or None."""
        block = self._cooling(model, now)
        return block if block is not None and block.nature is Nature.STATED else None

    def paced(self, now: float) -> Block | None:
        """Return the block by the window of requests, or None if one more fits."""
        if self.requests is None or (opens_at := self.requests.opens_at()) <= now:
            return None
        return Block(opens_at, Nature.ROOM, "requests per minute")

    def spent(self, tokens: int, now: float) -> Block | None:
        """Return the block by the window of tokens, or None if *tokens* more fit."""
        if self.tokens is None or (opens_at := self.tokens.opens_at(tokens, now)) <= now:
            return None
        eases_at = self.tokens.opens_at(1, now)
        return Block(opens_at, Nature.ROOM, "tokens per minute", None, eases_at <= now, eases_at)

    def _cooling(self, model: str, now: float) -> Block | None:
        own, shared = self.cooldowns.block(model, now), self.organization.cooldowns.block(model, now)
        if own is None or shared is None:
            return own or shared
        if own.nature is not shared.nature:
            return own if own.nature is Nature.STATED else shared
        if own.yields is not shared.yields:
            return shared if own.yields else own
        return own if own.until >= shared.until else shared

    def _exhausted(self, model: str, tokens: int, now: float) -> Block | None:
        remaining = self.remaining(model)
        if remaining is None or (opens_at := remaining.opens_at(tokens, now)) <= now:
            return None
        eases_at = remaining.opens_at(1, now)
        return Block(opens_at, Nature.ESTIMATED, "quota used up", ErrorKind.RATE_LIMIT, eases_at <= now, eases_at, True)
